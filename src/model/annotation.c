/* SPDX-License-Identifier: Apache-2.0 */
#include "model/annotation.h"

#include <stddef.h>
#include <string.h>

#include "model/nearest.h"
#include "model/rule_text.h"
#include "model/scalar.h"

enum class {
	CLASS_OBEYED,
	CLASS_TEXT,
	CLASS_GUARD,
	CLASS_LATER,
	CLASS_CANARY,
	CLASS_REFUSED,
	CLASS_NO_EFFECT,
	CLASS_REMOVED,
};

struct annotation {
	const char *name;
	enum class class;
	const char *inert; /* NULL: every value means something */
	size_t field; /* of the verdict, by its offset; CLASS_OBEYED: a bool, CLASS_TEXT: a span */
};

static const struct annotation annotations[] = {
#define ANNOTATION_VALUE(name, field) \
	{name, CLASS_OBEYED, NULL, offsetof(struct annotation_verdict, field)},
#define ANNOTATION_TEXT(name, field) \
	{name, CLASS_TEXT, NULL, offsetof(struct annotation_verdict, field)},
#define ANNOTATION(name, class, inert) {name, CLASS_##class, inert, 0},
#include "model/annotation.def"
#undef ANNOTATION
#undef ANNOTATION_TEXT
#undef ANNOTATION_VALUE
};

/* Ingot's own. */
static const struct annotation own_annotations[] = {
#define ANNOTATION_TEXT(name, field) \
	{name, CLASS_TEXT, NULL, offsetof(struct annotation_verdict, field)},
#include "model/annotation_own.def"
#undef ANNOTATION_TEXT
};

/* A prefix and the annotations that may stand behind it. */
struct family {
	struct span prefix;
	const struct annotation *members;
	size_t count;
};

#define PREFIX     "nginx.ingress.kubernetes.io/"
#define OWN_PREFIX "ingot/"

static const struct family families[] = {
	{{PREFIX, sizeof(PREFIX) - 1}, annotations, sizeof(annotations) / sizeof(annotations[0])},
	{{OWN_PREFIX, sizeof(OWN_PREFIX) - 1},
	 own_annotations,
	 sizeof(own_annotations) / sizeof(own_annotations[0])},
};

enum { FAMILY_COUNT = sizeof(families) / sizeof(families[0]) };

/* One annotation of an Ingress. */
struct found {
	const struct ingress *ingress;
	const struct family *family;
	struct span name; /* without prefix */
	struct span value;
	struct span field; /* its path */
	struct build *build;
};

static const struct annotation *find(const struct family *family, struct span name)
{
	size_t low = 0;
	size_t high = family->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = span_compare(span_from(family->members[middle].name), name);

		if (order == 0)
			return &family->members[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool is_inert(const struct annotation *annotation, struct span value)
{
	struct span inert = span_from(annotation->inert);
	bool wanted;
	bool given;

	if (inert.len == 0)
		return false;
	/* "0" is a number here: `limit-rps: "false"` is no way to say it */
	if (inert.ptr[0] != '0' && scalar_bool(inert, &wanted) && scalar_bool(value, &given))
		return wanted == given;
	return span_equals_nocase(value, inert);
}

static void report_unknown(const struct found *found)
{
	struct nearest nearest = nearest_to(found->name);

	for (size_t i = 0; i < found->family->count && found->build->compared < NEAREST_BUDGET;
	     i++, found->build->compared++)
		nearest_offer(&nearest, span_from(found->family->members[i].name));
	if (nearest.best.ptr != NULL)
		diagnostics_add(found->build->diagnostics, DIAGNOSTIC_UNKNOWN_ANNOTATION,
				&found->ingress->object, found->field,
				"unknown (did you mean %.*s?); it has no effect",
				(int)nearest.best.len, nearest.best.ptr);
	else
		diagnostics_add(found->build->diagnostics, DIAGNOSTIC_UNKNOWN_ANNOTATION,
				&found->ingress->object, found->field, "unknown; it has no effect");
}

/* Snippets that look like protection: the Ingress must not be open without them (compat spec, 29). */
static bool looks_like_a_guard(struct span snippet)
{
	static const char *const words[] = {"deny",   "allow",       "auth",       "return 4",
					    "limit_", "secure_link", "modsecurity"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (memmem(snippet.ptr, snippet.len, words[i], strlen(words[i])) != NULL)
			return true;
	return false;
}

static void refuse(const struct found *found, struct annotation_verdict *verdict)
{
	bool guards = looks_like_a_guard(found->value);

	diagnostics_add(
		found->build->diagnostics, DIAGNOSTIC_ANNOTATION_REFUSED, &found->ingress->object,
		found->field,
		"Ingot never executes configuration snippets. Annotation \"%.*s\" was %s. See "
		"the migration guide for native replacements.%s",
		(int)found->name.len, found->name.ptr, guards ? "rejected" : "ignored",
		guards ? " It looks like protection, so the routes of this Ingress answer 503"
		       : "");
	verdict->denied |= guards;
}

static void obey(const struct found *found, const struct annotation *annotation,
		 struct annotation_verdict *verdict)
{
	bool *field = (bool *)((char *)verdict + annotation->field);

	if (!scalar_bool(found->value, field))
		diagnostics_add(found->build->diagnostics, DIAGNOSTIC_BAD_ANNOTATION,
				&found->ingress->object, found->field,
				"%s does not fit: it takes \"true\" or \"false\"; what the "
				"ConfigMap says holds",
				diagnostic_quote(found->value));
}

static void keep_text(const struct found *found, const struct annotation *annotation,
		      struct annotation_verdict *verdict)
{
	void *field = (char *)verdict + annotation->field;

	*(struct span *)field = found->value;
}

static void judge(const struct found *found, struct annotation_verdict *verdict)
{
	const struct annotation *annotation = find(found->family, found->name);
	const struct object *object = &found->ingress->object;

	if (annotation == NULL) {
		report_unknown(found);
		return;
	}
	if (is_inert(annotation, found->value))
		return;
	switch (annotation->class) {
	case CLASS_OBEYED:
		obey(found, annotation, verdict);
		break;
	case CLASS_TEXT:
		keep_text(found, annotation, verdict);
		break;
	case CLASS_GUARD:
		verdict->denied = true;
		diagnostics_add(found->build->diagnostics, DIAGNOSTIC_ANNOTATION_GUARD, object,
				found->field,
				"guards this Ingress and is not obeyed yet; its routes answer 503 "
				"until it is removed");
		break;
	case CLASS_CANARY:
		verdict->canary = true;
		diagnostics_add(
			found->build->diagnostics, DIAGNOSTIC_ANNOTATION_NOT_YET, object,
			found->field,
			"not obeyed yet; this Ingress is not served, all requests go to the "
			"main one");
		break;
	case CLASS_LATER:
		diagnostics_add(found->build->diagnostics, DIAGNOSTIC_ANNOTATION_NOT_YET, object,
				found->field, "not obeyed yet; it has no effect");
		break;
	case CLASS_REMOVED:
		diagnostics_add(found->build->diagnostics, DIAGNOSTIC_ANNOTATION_NOT_YET, object,
				found->field, "an annotation of old releases; it has no effect");
		break;
	case CLASS_REFUSED:
		refuse(found, verdict);
		break;
	case CLASS_NO_EFFECT:
		break;
	}
}

static struct span field_of(struct build *build, const char *prefix, const char *name)
{
	const struct span parts[] = {span_from(prefix), span_from(name)};
	struct buf field = {0};
	struct span text;

	buf_add(&field, S("metadata.annotations"));
	field_path_add(&field, build_join(&build->arena, parts, 2));
	text = arena_copy(&build->arena, buf_span(&field));
	buf_fini(&field);
	return text;
}

struct span annotation_field(struct build *build, const char *name)
{
	return field_of(build, PREFIX, name);
}

static void report(struct build *build, const struct ingress *ingress, enum diagnostic_id id,
		   struct span field, struct span value, const char *what)
{
	if (value.len == 0)
		diagnostics_add(build->diagnostics, id, &ingress->object, field, "%s", what);
	else
		diagnostics_add(build->diagnostics, id, &ingress->object, field, "%s %s",
				diagnostic_quote(value), what);
}

void annotation_report(struct build *build, const struct ingress *ingress, enum diagnostic_id id,
		       const char *name, struct span value, const char *what)
{
	report(build, ingress, id, field_of(build, PREFIX, name), value, what);
}

void annotation_report_own(struct build *build, const struct ingress *ingress,
			   enum diagnostic_id id, const char *name, struct span value,
			   const char *what)
{
	report(build, ingress, id, field_of(build, OWN_PREFIX, name), value, what);
}

bool annotation_secret(struct build *build, const struct ingress *ingress, struct span text,
		       struct span *secret)
{
	struct span name = text;
	bool has_namespace = span_find(text, '/') != SIZE_MAX;
	struct span namespace = has_namespace ? span_cut(&name, '/') : ingress->object.namespace;
	const struct span parts[] = {namespace, S("/"), name};

	*secret = build_join(&build->arena, parts, 3);
	return span_equals(namespace, ingress->object.namespace) && rule_text_is_dns_name(name);
}

/* The family of a key; NULL: it is not about us. */
static const struct family *family_of(struct span key)
{
	for (size_t i = 0; i < FAMILY_COUNT; i++)
		if (span_starts_with(key, families[i].prefix) && key.len > families[i].prefix.len)
			return &families[i];
	return NULL;
}

struct annotation_verdict annotation_read(struct build *build, const struct ingress *ingress)
{
	const struct pairs *pairs = &ingress->object.annotations;
	struct annotation_verdict verdict = {
		.ssl_redirect = build->model.settings.ssl_redirect,
		.force_ssl_redirect = build->model.settings.force_ssl_redirect,
	};
	struct buf field = {0};

	for (uint32_t i = 0; i < pairs->count; i++) {
		const struct family *family = family_of(pairs->items[i].key);
		struct found found = {.ingress = ingress,
				      .family = family,
				      .value = pairs->items[i].value,
				      .build = build};

		if (family == NULL)
			continue;
		found.name = span_skip(pairs->items[i].key, family->prefix.len);
		buf_clear(&field);
		buf_add(&field, S("metadata.annotations"));
		field_path_add(&field, pairs->items[i].key);
		found.field = buf_span(&field);
		judge(&found, &verdict);
	}
	buf_fini(&field);
	return verdict;
}
