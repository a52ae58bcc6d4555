/* SPDX-License-Identifier: Apache-2.0 */
#include "model/class.h"

#define CLASS_ANNOTATION "kubernetes.io/ingress.class"
#define CLASS_FIELD      "metadata.annotations[" CLASS_ANNOTATION "]"

enum { NAMES_SHOWN = 10 };

static bool is_own(const struct build *build, const struct ingress_class *class)
{
	const struct model_options *options = build->options;

	return span_equals(class->controller, options->controller_class) ||
	       (options->ingress_class_by_name &&
		span_equals(class->object.name, options->ingress_class));
}

const struct classes *class_read(struct build *build)
{
	const struct object **sorted = store_sorted(build->store, OBJECT_INGRESS_CLASS,
						    &build->arena);
	uint32_t count = store_count(build->store, OBJECT_INGRESS_CLASS);
	struct classes *classes = arena_take_zero(&build->lasting, sizeof(*classes));
	struct buf names = {0};

	for (uint32_t i = 0; i < count; i++) {
		const struct ingress_class *class = (const struct ingress_class *)sorted[i];

		classes->has_default |= class->is_default;
		classes->has_own_default |= class->is_default && is_own(build, class);
		if (i < NAMES_SHOWN)
			buf_printf(&names, "%s%s", i == 0 ? "" : ", ", class->object.name.ptr);
		else if (i == NAMES_SHOWN)
			buf_add(&names, S(", …"));
	}
	if (count == 0)
		buf_add(&names, S("none"));
	classes->names = arena_copy(&build->lasting, buf_span(&names));
	buf_fini(&names);
	return classes;
}

static const struct ingress_class *find_class(const struct build *build, struct span name)
{
	return (const struct ingress_class *)store_find(build->store, OBJECT_INGRESS_CLASS,
							(struct span){NULL, 0}, name);
}

static void report_unknown(struct build *build, const struct ingress *ingress, struct span field,
			   struct span name)
{
	diagnostics_add(
		build->diagnostics, DIAGNOSTIC_UNKNOWN_CLASS, &ingress->object, field,
		"class %s is served by nobody (classes here: %s); the Ingress is not served",
		diagnostic_quote(name), build->classes->names.ptr);
}

static bool is_ours_by_field(struct build *build, const struct ingress *ingress,
			     struct span annotation)
{
	const struct ingress_class *class = find_class(build, ingress->class_name);

	if (class == NULL) {
		report_unknown(build, ingress, S("spec.ingressClassName"), ingress->class_name);
		return false;
	}
	if (!is_own(build, class))
		return false;
	if (annotation.ptr != NULL)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_CLASS_TWICE, &ingress->object,
				S(CLASS_FIELD),
				"%s is not looked at, because spec.ingressClassName is set",
				diagnostic_quote(annotation));
	return true;
}

static bool is_ours_by_annotation(struct build *build, const struct ingress *ingress,
				  struct span annotation)
{
	if (span_equals(annotation, build->options->ingress_class) && annotation.len > 0)
		return true;
	/* a class that exists is another controller's business */
	if (find_class(build, annotation) == NULL)
		report_unknown(build, ingress, S(CLASS_FIELD), annotation);
	return false;
}

static bool is_ours_without_class(struct build *build, const struct ingress *ingress)
{
	if (build->options->watch_without_class || build->classes->has_own_default)
		return true;
	if (!build->classes->has_default)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_UNKNOWN_CLASS, &ingress->object,
				S("spec"),
				"names no class, and no IngressClass is marked as default (classes "
				"here: %s); the Ingress is not served. Write for example "
				"ingressClassName: %.*s",
				build->classes->names.ptr, (int)build->options->ingress_class.len,
				build->options->ingress_class.ptr);
	return false;
}

bool class_is_ours(struct build *build, const struct ingress *ingress)
{
	struct span annotation = pairs_find(&ingress->object.annotations, S(CLASS_ANNOTATION));

	if (ingress->class_name.len > 0)
		return is_ours_by_field(build, ingress, annotation);
	if (annotation.ptr != NULL)
		return is_ours_by_annotation(build, ingress, annotation);
	return is_ours_without_class(build, ingress);
}
