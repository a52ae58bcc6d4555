/* SPDX-License-Identifier: Apache-2.0 */
/* Ingress → hosts and routes (compat spec, 3 and 4; Kubernetes API spec, 1). Oldest first, so that who
 * comes first wins; catch-alls before all rules, since they win whatever the ages.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "model/annotation.h"
#include "model/build.h"
#include "model/class.h"
#include "model/route.h"
#include "model/rule_text.h"

struct world {
	struct build *build;
	struct served *served; /* sorted, oldest first */
	uint32_t count;
	struct target default_target;
	const struct served *catch_all; /* NULL: none yet */
};

static int compare_served(const void *a, const void *b)
{
	return route_compare_age(&((const struct served *)a)->ingress->object,
				 &((const struct served *)b)->ingress->object);
}

/* All Ingresses of the namespaces that count, oldest first. */
static void gather(struct world *world)
{
	struct build *build = world->build;
	const struct map *all = &build->store->objects[OBJECT_INGRESS];
	struct span watched = build->options->watch_namespace;

	world->served = arena_take_zero(&build->arena, (all->count + 1) * sizeof(*world->served));
	for (struct map_entry *at = map_next(all, NULL); at != NULL; at = map_next(all, at)) {
		const struct object *object = container_of(at, struct object, by_name);

		if (watched.len == 0 || span_equals(watched, object->namespace))
			world->served[world->count++].ingress = (const struct ingress *)object;
	}
	qsort(world->served, world->count, sizeof(*world->served), compare_served);
}

static void resolve_default(struct world *world, struct served *served)
{
	const struct ingress *ingress = served->ingress;

	served->has_default = ingress->has_default_backend &&
			      upstream_resolve(world->build, ingress, &ingress->default_backend,
					       (struct span){NULL, 0}, &served->default_target);
}

/* Whether it is ours and to be served; annotations are judged. */
static bool is_served(struct world *world, const struct classes *classes, struct served *served)
{
	struct build *build = world->build;
	const struct ingress *ingress = served->ingress;
	struct annotation_verdict verdict;

	if (!class_is_ours(build, classes, ingress))
		return false;
	if (build->options->disable_catch_all && ingress->has_default_backend)
		return false;
	verdict = annotation_read(build, ingress);
	if (verdict.canary)
		return false;
	if (ingress->rule_count == 0 && !ingress->has_default_backend) {
		diagnostics_add(
			build->diagnostics, DIAGNOSTIC_NO_RULES, &ingress->object, S("spec"),
			"has neither rules nor a defaultBackend; there is nothing to serve");
		return false;
	}
	served->denied = verdict.denied;
	resolve_default(world, served);
	return true;
}

/* Leaves those that are served. */
static void select_served(struct world *world)
{
	struct classes classes = class_read(world->build);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < world->count; i++)
		if (is_served(world, &classes, &world->served[i]))
			world->served[kept++] = world->served[i];
	world->count = kept;
	world->build->model->ingress_count = kept;
}

static void add_catch_all(struct world *world, const struct served *served)
{
	struct build *build = world->build;
	struct claim claim = {
		.host = route_find_host(build, S("")),
		.served = served,
		.path = S("/"),
		.type = MODEL_PREFIX,
		.target = served->default_target,
		.field = S("spec.defaultBackend"),
	};

	if (served->ingress->rule_count > 0 || !served->has_default)
		return;
	if (world->catch_all != NULL) {
		diagnostics_add(build->diagnostics, DIAGNOSTIC_DUPLICATE_DEFAULT,
				&served->ingress->object, claim.field,
				"requests for every other host are already served by the catch-all "
				"%s, which is older; this one is ignored",
				world->catch_all->ingress->object.by_name.key.ptr);
		return;
	}
	world->catch_all = served;
	route_add(build, &claim);
}

static void report_path(struct build *build, const struct ingress *ingress, enum diagnostic_id id,
			struct span path_field, const char *part, struct span value,
			const char *fault)
{
	struct span field = arena_printf(&build->arena, "%s.%s", path_field.ptr, part);

	diagnostics_add(build->diagnostics, id, &ingress->object, field,
			"%s %s. This path is left out", diagnostic_quote(value), fault);
}

/* False: the path is left out, and was reported. */
static bool read_path(struct build *build, const struct ingress *ingress,
		      const struct ingress_path *path, struct claim *claim)
{
	bool exact = span_equals(path->path_type, S("Exact"));
	bool prefix = span_equals(path->path_type, S("Prefix"));
	bool free_form = path->path_type.len == 0 ||
			 span_equals(path->path_type, S("ImplementationSpecific"));
	const char *fault;

	if (!exact && !prefix && !free_form) {
		report_path(build, ingress, DIAGNOSTIC_BAD_PATH_TYPE, claim->field, "pathType",
			    path->path_type,
			    "does not exist; it is Exact, Prefix or ImplementationSpecific");
		return false;
	}
	claim->type = exact ? MODEL_EXACT : MODEL_PREFIX;
	claim->path = S("/");
	if (path->path.len == 0 && free_form)
		return true;
	fault = path->path.len == 0
			? "must begin with '/'"
			: rule_text_path_fault(path->path,
					       free_form ? RULE_TEXT_FREE : RULE_TEXT_STRICT);
	if (fault != NULL) {
		report_path(build, ingress, DIAGNOSTIC_BAD_PATH, claim->field, "path", path->path,
			    fault);
		return false;
	}
	claim->path = rule_text_match_path(path->path, &build->model->arena);
	return true;
}

static struct span path_field(struct build *build, uint32_t rule, uint32_t index)
{
	char text[64];
	int length = snprintf(text, sizeof(text), "spec.rules[%u].http.paths[%u]", rule, index);

	return arena_copy(&build->model->arena, span_make(text, (size_t)length));
}

static void add_path(struct build *build, const struct served *served, struct model_host *host,
		     uint32_t rule, uint32_t index)
{
	const struct ingress *ingress = served->ingress;
	const struct ingress_path *path = &ingress->rules[rule].paths[index];
	struct claim claim = {
		.host = host,
		.served = served,
		.field = path_field(build, rule, index),
	};

	if (read_path(build, ingress, path, &claim) &&
	    upstream_resolve(build, ingress, &path->backend, claim.field, &claim.target))
		route_add(build, &claim);
}

static bool check_host(struct build *build, const struct ingress *ingress, uint32_t rule)
{
	struct span host = ingress->rules[rule].host;
	const char *fault = host.len == 0 ? NULL : rule_text_host_fault(host);

	if (fault == NULL)
		return true;
	diagnostics_add(build->diagnostics, DIAGNOSTIC_BAD_HOST, &ingress->object,
			arena_printf(&build->arena, "spec.rules[%u].host", rule),
			"%s %s. This rule is left out", diagnostic_quote(host), fault);
	return false;
}

static void add_rule(struct world *world, const struct served *served, uint32_t index)
{
	struct build *build = world->build;
	const struct ingress_rule *rule = &served->ingress->rules[index];
	struct model_host *host;

	if (!check_host(build, served->ingress, index))
		return;
	host = route_find_host(build, rule->host);
	if (host == NULL)
		host = route_add_host(build, rule->host, served,
				      served->has_default ? &served->default_target
							  : &world->default_target,
				      !served->has_default);
	if (rule->has_http && rule->path_count == 0)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_MISSING_FIELD,
				&served->ingress->object,
				arena_printf(&build->arena, "spec.rules[%u].http", index),
				"has no paths; it takes at least one");
	for (uint32_t i = 0; i < rule->path_count; i++)
		add_path(build, served, host, index, i);
}

void build_from_ingresses(struct build *build)
{
	struct world world = {.build = build, .default_target = upstream_default(build)};

	gather(&world);
	select_served(&world);
	route_add_host(build, S(""), NULL, &world.default_target, true);
	for (uint32_t i = 0; i < world.count; i++)
		add_catch_all(&world, &world.served[i]);
	for (uint32_t i = 0; i < world.count; i++)
		for (uint32_t rule = 0; rule < world.served[i].ingress->rule_count; rule++)
			add_rule(&world, &world.served[i], rule);
}
