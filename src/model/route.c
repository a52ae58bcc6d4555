/* SPDX-License-Identifier: Apache-2.0 */
#include "model/route.h"

#include <stdio.h>

#include "base/list.h"

enum { PATH_SHOWN = 100 }; /* bytes of a path in a message; match form is ASCII */

/* A route and who made it: for those that come later. */
struct made {
	struct map_entry by_key; /* host, type and path */
	struct model_route route;
	const struct ingress *by;
};

int route_compare_age(const struct object *a, const struct object *b)
{
	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	return span_compare(b->by_name.key, a->by_name.key);
}

struct model_host *route_find_host(const struct build *build, struct span name)
{
	struct map_entry *entry = map_find(&build->model->hosts_by_name, name);

	return entry == NULL ? NULL : container_of(entry, struct model_host, by_name);
}

static void append_route(struct build *build, struct model_host *host, struct model_route *route)
{
	*host->last = route;
	host->last = &route->next;
	host->route_count++;
	build->model->route_count++;
}

static void fill_route(struct build *build, struct model_route *route, const struct served *served,
		       const struct target *target)
{
	bool denied = (served != NULL && served->denied) ||
		      (build->denied && target->answer == MODEL_PROXY);

	route->answer = denied ? MODEL_DENIED : target->answer;
	route->upstream = route->answer == MODEL_PROXY ? target->upstream : NULL;
	route->policy = build->policy;
	route->service = target->service;
	route->service_port = target->port;
	if (served != NULL) {
		route->namespace = served->ingress->object.namespace;
		route->ingress = served->ingress->object.name;
	}
}

struct model_host *route_add_host(struct build *build, struct span name, const struct served *by,
				  const struct target *target, bool is_default)
{
	struct model *model = build->model;
	struct model_host *host = arena_take_zero(&model->arena, sizeof(*host));
	struct model_route *root = arena_take_zero(&model->arena, sizeof(*root));

	host->by_name.key = name;
	host->name = name;
	host->last = &host->first;
	map_add(&model->hosts_by_name, &host->by_name);
	*model->last_host = host;
	model->last_host = &host->next;
	model->host_count++;
	root->path = S("/");
	root->type = MODEL_PREFIX;
	root->implicit = true;
	fill_route(build, root, by, target);
	root->default_backend = is_default && root->answer != MODEL_DENIED;
	append_route(build, host, root);
	return host;
}

/* The implicit root is the first route of a host while there is one. */
static void drop_implicit_root(struct build *build, struct model_host *host)
{
	struct model_route *root = host->first;

	if (root == NULL || !root->implicit)
		return;
	host->first = root->next;
	if (host->first == NULL)
		host->last = &host->first;
	host->route_count--;
	build->model->route_count--;
}

/* "created 3 days earlier" */
static const char *age_words(char text[static 64], const struct object *winner,
			     const struct object *loser)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	int64_t seconds = loser->created == INT64_MAX ? 0 : loser->created - winner->created;

	if (winner->created != INT64_MAX && loser->created == INT64_MAX)
		return "which has a creation time";
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t count = seconds / units[i].seconds;

		if (count == 0)
			continue;
		snprintf(text, 64, "created %lld %s%s earlier", (long long)count, units[i].name,
			 count == 1 ? "" : "s");
		return text;
	}
	return "of the same age; the name that sorts last wins";
}

static void report_duplicate(struct build *build, const struct claim *claim,
			     const struct made *first)
{
	const struct object *loser = &claim->served->ingress->object;
	const struct object *winner = &first->by->object;
	struct span host = claim->host->name.len == 0 ? S("every other host") : claim->host->name;
	struct span path = span_take(claim->path, PATH_SHOWN);
	char age[64];

	if (winner == loser)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_DUPLICATE_PATH, loser, claim->field,
				"%.*s %.*s is already served by %.*s of this Ingress; this path is "
				"ignored",
				(int)host.len, host.ptr, (int)path.len, path.ptr,
				(int)first->route.field.len, first->route.field.ptr);
	else
		diagnostics_add(build->diagnostics, DIAGNOSTIC_DUPLICATE_PATH, loser, claim->field,
				"%.*s %.*s is already served by %s (%s); this path is ignored",
				(int)host.len, host.ptr, (int)path.len, path.ptr,
				winner->by_name.key.ptr,
				first->by->rule_count == 0 ? "the catch-all"
							   : age_words(age, winner, loser));
}

void route_add(struct build *build, const struct claim *claim)
{
	const struct span parts[] = {claim->host->name,
				     claim->type == MODEL_EXACT ? S(" =") : S(" ^"), claim->path};
	struct span key = build_join(&build->arena, parts, 3);
	struct map_entry *entry = map_find(&build->routes, key);
	struct made *made;

	if (entry != NULL) {
		report_duplicate(build, claim, container_of(entry, struct made, by_key));
		return;
	}
	if (claim->type == MODEL_PREFIX && claim->path.len == 1)
		drop_implicit_root(build, claim->host);
	made = arena_take_zero(&build->model->arena, sizeof(*made));
	made->by_key.key = key;
	made->by = claim->served->ingress;
	map_add(&build->routes, &made->by_key);
	made->route.path = claim->path;
	made->route.type = claim->type;
	made->route.field = claim->field;
	fill_route(build, &made->route, claim->served, &claim->target);
	append_route(build, claim->host, &made->route);
}
