/* SPDX-License-Identifier: Apache-2.0 */
#include "model/host.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "model/annotation.h"
#include "model/certificate.h"
#include "model/client_certificate.h"
#include "model/host_tls.h"
#include "model/passthrough.h"
#include "model/upstream.h"

enum { PATH_SHOWN = 100 }; /* bytes of a path in a message; match form is ASCII */
enum { FIELD_SIZE = 64 };

/* A path of the host in the making, and who has it: for those that come later. */
struct taken {
	struct map_entry by_path; /* type and path */
	const struct mention *by;
	const struct claim *claim;
};

struct making {
	struct build *build;
	struct host *host;
	struct map taken;
	const struct mention *catch_all; /* NULL: none yet */
	uint32_t count;                  /* of routes so far */
};

int host_compare_age(const struct object *a, const struct object *b)
{
	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	return span_compare(b->by_name.key, a->by_name.key);
}

static struct host *host_of(const struct map_entry *entry)
{
	return entry == NULL ? NULL : container_of(entry, struct host, model.by_name);
}

static struct host *find(const struct build *build, struct span name)
{
	return host_of(map_find(&build->model.hosts_by_name, name));
}

static void make_old(struct build *build, struct host *host)
{
	list_remove(&host->old);
	list_add_last(&build->old_hosts, &host->old);
}

static struct host *add(struct build *build, struct span name)
{
	struct host *host = memory_new(sizeof(*host) + name.len);

	if (name.len > 0)
		memcpy(host->name, name.ptr, name.len);
	host->model.by_name.key = span_make(host->name, name.len);
	list_init(&host->mentions);
	list_init(&host->old);
	map_add(&build->model.hosts_by_name, &host->model.by_name);
	list_add_last(&build->model.hosts, &host->model.link);
	return host;
}

void host_add_other(struct build *build)
{
	make_old(build, add(build, S("")));
}

void host_add_mention(struct build *build, struct span name, struct mention *mention)
{
	struct host *host = find(build, name);

	if (host == NULL)
		host = add(build, name);
	mention->host = host;
	list_add_last(&host->mentions, &mention->of_host);
	make_old(build, host);
}

void host_remove_mention(struct build *build, struct mention *mention)
{
	if (mention->host == NULL)
		return;
	list_remove(&mention->of_host);
	make_old(build, mention->host);
}

/* "spec.rules[0].http.paths[1]" */
static const char *write_field(char text[static FIELD_SIZE], const struct mention *mention,
			       const struct claim *claim)
{
	if (mention->kind == MENTION_CATCH_ALL)
		return "spec.defaultBackend";
	snprintf(text, FIELD_SIZE, "spec.rules[%u].http.paths[%u]", mention->rule, claim->index);
	return text;
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

static void report_duplicate(const struct making *making, const struct mention *mention,
			     const struct claim *claim, const struct taken *first)
{
	const struct object *loser = &mention->intent->ingress->object;
	const struct object *winner = &first->by->intent->ingress->object;
	struct span name = making->host->model.by_name.key;
	struct span host = name.len == 0 ? S("every other host") : name;
	struct span path = span_take(claim->path, PATH_SHOWN);
	char loser_field[FIELD_SIZE];
	char winner_field[FIELD_SIZE];
	struct span field = span_from(write_field(loser_field, mention, claim));
	char age[64];

	if (winner == loser)
		diagnostics_add(making->build->diagnostics, DIAGNOSTIC_DUPLICATE_PATH, loser, field,
				"%.*s %.*s is already served by %s of this Ingress; this path is "
				"ignored",
				(int)host.len, host.ptr, (int)path.len, path.ptr,
				write_field(winner_field, first->by, first->claim));
	else
		diagnostics_add(
			making->build->diagnostics, DIAGNOSTIC_DUPLICATE_PATH, loser, field,
			"%.*s %.*s is already served by %s (%s); this path is ignored",
			(int)host.len, host.ptr, (int)path.len, path.ptr, winner->by_name.key.ptr,
			first->by->kind == MENTION_CATCH_ALL ? "the catch-all"
							     : age_words(age, winner, loser));
}

static void report_catch_all(const struct making *making, const struct mention *mention)
{
	diagnostics_add(making->build->diagnostics, DIAGNOSTIC_DUPLICATE_DEFAULT,
			&mention->intent->ingress->object, S("spec.defaultBackend"),
			"requests for every other host are already served by the catch-all "
			"%s, which is older; this one is ignored",
			making->catch_all->intent->ingress->object.by_name.key.ptr);
}

/* by: the Ingress that it stems from; NULL: none. */
static void fill_route(const struct build *build, struct model_route *route,
		       const struct intent *by, const struct target *target)
{
	bool denied = (by != NULL && by->denied) ||
		      (build->denied && target->answer == MODEL_PROXY);

	route->answer = denied ? MODEL_DENIED : target->answer;
	route->upstream = route->answer == MODEL_PROXY ? &target->upstream->model : NULL;
	route->policy = build->policy;
	route->service = target->service;
	route->service_port = target->port;
	if (by != NULL) {
		route->namespace = by->ingress->object.namespace;
		route->ingress = by->ingress->object.name;
	}
}

static void shut(struct model_route *route)
{
	route->answer = MODEL_DENIED;
	route->upstream = NULL;
}

/* The oldest Ingress that says something about TLS decides for the host (compat spec, 17.1). */
static void decide_tls(struct build *build, struct host *host)
{
	const struct mention *decider = NULL;

	list_for_each (link, &host->mentions) {
		decider = container_of(link, struct mention, of_host);
		if (decider->decides_tls)
			break;
		decider = NULL;
	}
	host->model.has_tls = decider != NULL && decider->has_tls;
	for (unsigned kind = 0; kind < MODEL_KEY_KIND_COUNT; kind++) {
		const struct certificate *certificate = decider == NULL
								? NULL
								: decider->certificates[kind];

		if (host->model.by_name.key.len == 0)
			certificate = build->default_certificates[kind];
		host->model.certificates[kind] = certificate == NULL ? NULL : &certificate->model;
	}
}

bool host_is_of(const struct host *host, const struct intent *intent)
{
	const struct mention *first = container_of(list_first(&host->mentions), struct mention,
						   of_host);

	return span_equals(first->intent->ingress->object.namespace,
			   intent->ingress->object.namespace);
}

void host_report_foreign(struct build *build, const struct host *host, const struct intent *intent,
			 const char *annotation, const char *consequence)
{
	const struct mention *first = container_of(list_first(&host->mentions), struct mention,
						   of_host);
	struct span name = host->model.by_name.key;
	struct span shown = name.len == 0 ? S("every other host") : name;

	diagnostics_add(build->diagnostics, DIAGNOSTIC_FOREIGN_HOST, &intent->ingress->object,
			annotation_field(build, annotation),
			"TLS of %.*s is for Ingresses of namespace %.*s to decide, which names "
			"the host first (%s); %s",
			(int)shown.len, shown.ptr,
			(int)first->intent->ingress->object.namespace.len,
			first->intent->ingress->object.namespace.ptr,
			first->intent->ingress->object.by_name.key.ptr, consequence);
}

static void report_client(struct build *build, const struct host *host, const struct mention *loser,
			  const struct mention *winner)
{
	struct span name = host->model.by_name.key;
	struct span shown = name.len == 0 ? S("every other host") : name;

	diagnostics_add(build->diagnostics, DIAGNOSTIC_DUPLICATE_CLIENT,
			&loser->intent->ingress->object, annotation_field(build, "auth-tls-secret"),
			"what clients of %.*s must show is decided by %s, which is older; the "
			"auth-tls-* of this Ingress are ignored there",
			(int)shown.len, shown.ptr, winner->intent->ingress->object.by_name.key.ptr);
}

/* The oldest Ingress that says something about client certificates decides for the host (compat spec, 7.9). Where it
 * cannot be obeyed nobody gets in, for a younger one would let in others; and to the routes of one that is not heard,
 * since its namespace is not the host's, nobody gets. */
static void decide_client(struct build *build, struct host *host)
{
	const struct mention *decider = NULL;

	host->model.client = (struct model_client_tls){0};
	list_for_each (link, &host->mentions) {
		struct mention *mention = container_of(link, struct mention, of_host);
		const struct intent *intent = mention->intent;

		mention->is_shut = intent->decides_client && !host_is_of(host, intent);
		if (mention->is_shut)
			host_report_foreign(build, host, intent, "auth-tls-secret",
					    "the routes of this Ingress there answer 503");
		if (!intent->decides_client || mention->is_shut)
			continue;
		if (decider == NULL)
			decider = mention;
		else if (!client_certificate_is_same(&decider->intent->client, &intent->client))
			report_client(build, host, mention, decider);
	}
	if (decider != NULL)
		host->model.client = decider->intent->client;
}

/* Whether plain requests under the path are left alone (no-tls-redirect-locations). */
static bool is_exempt(const struct build *build, struct span path)
{
	struct span rest = build->model.settings.no_tls_redirect;

	while (rest.len > 0)
		if (span_starts_with(path, span_trim(span_cut(&rest, ','))))
			return true;
	return false;
}

/* Compat spec, 14. by: NULL: no Ingress. */
static bool is_https_only(const struct build *build, const struct host *host,
			  const struct intent *by, struct span path)
{
	bool force = by != NULL && by->force_ssl_redirect;
	bool redirect = by != NULL && by->ssl_redirect && host->model.has_tls;

	return (force || redirect) && !is_exempt(build, path);
}

/* Leads to the default backend of the Ingress that names the host first, or to that of everybody. */
static void fill_implicit_root(const struct build *build, struct model_route *root,
			       const struct host *host)
{
	const struct list *first = list_first(&host->mentions);
	const struct intent *by = NULL;

	if (host->model.by_name.key.len > 0)
		by = container_of(first, struct mention, of_host)->intent;
	root->path = S("/");
	root->type = MODEL_PREFIX;
	root->implicit = true;
	fill_route(build, root, by,
		   by != NULL && by->has_default ? &by->default_target : &build->default_target);
	root->https_only = is_https_only(build, host, by, root->path);
	root->plain_anyway = is_exempt(build, root->path);
	root->default_backend = !(by != NULL && by->has_default) && root->answer != MODEL_DENIED;
}

/* Whether the path was free. */
static bool take_path(struct making *making, const struct mention *mention,
		      const struct claim *claim)
{
	struct arena *arena = &making->build->arena;
	const struct span parts[] = {claim->type == MODEL_EXACT ? S("=") : S("^"), claim->path};
	struct span key = build_join(arena, parts, 2);
	struct map_entry *entry = map_find(&making->taken, key);
	struct taken *taken;

	if (entry != NULL) {
		report_duplicate(making, mention, claim,
				 container_of(entry, struct taken, by_path));
		return false;
	}
	taken = arena_take_zero(arena, sizeof(*taken));
	taken->by_path.key = key;
	taken->by = mention;
	taken->claim = claim;
	map_add(&making->taken, &taken->by_path);
	return true;
}

static void add_route(struct making *making, const struct mention *mention,
		      const struct claim *claim)
{
	struct host *host = making->host;
	struct model_route *route = &host->routes[making->count];

	if (!take_path(making, mention, claim))
		return;
	route->path = claim->path;
	route->type = claim->type;
	fill_route(making->build, route, mention->intent, &claim->target);
	if (mention->is_shut)
		shut(route);
	route->https_only = is_https_only(making->build, host, mention->intent, claim->path);
	route->plain_anyway = is_exempt(making->build, claim->path);
	host->routes[making->count - 1].next = route;
	/* a Prefix "/" takes the place of the implicit root, which is the first */
	if (claim->type == MODEL_PREFIX && claim->path.len == 1) {
		host->model.first = host->routes[0].next;
		host->model.route_count--;
	}
	host->model.route_count++;
	making->count++;
}

static void add_mention(struct making *making, const struct mention *mention)
{
	if (mention->kind == MENTION_CATCH_ALL && making->catch_all != NULL) {
		report_catch_all(making, mention);
		return;
	}
	if (mention->kind == MENTION_CATCH_ALL)
		making->catch_all = mention;
	for (uint32_t i = 0; i < mention->claim_count; i++)
		add_route(making, mention, &mention->claims[i]);
}

static struct mention *mention_of(const struct list *link)
{
	return container_of(link, struct mention, of_host);
}

/* <0: a counts before b. */
static int compare(const struct mention *a, const struct mention *b)
{
	int age;

	if (a->kind != b->kind)
		return (int)a->kind - (int)b->kind;
	age = host_compare_age(&a->intent->ingress->object, &b->intent->ingress->object);
	return age != 0 ? age : (a->rule > b->rule) - (a->rule < b->rule);
}

static int compare_mentions(const void *a, const void *b)
{
	return compare(*(struct mention *const *)a, *(struct mention *const *)b);
}

/* How many there are; 0 where they are in order already. */
static size_t count_out_of_order(const struct host *host)
{
	bool in_order = true;
	size_t count = 0;

	list_for_each (link, &host->mentions) {
		in_order = in_order &&
			   (count == 0 || compare(mention_of(link->prev), mention_of(link)) < 0);
		count++;
	}
	return in_order ? 0 : count;
}

/* All at once: to find the place of each as it comes would cost the square of their number, which is a user's to
 * choose. */
static void sort_mentions(struct build *build, struct host *host)
{
	size_t count = count_out_of_order(host);
	struct mention **sorted;
	size_t next = 0;

	if (count == 0)
		return;
	sorted = arena_take(&build->arena, count * sizeof(*sorted));
	list_for_each (link, &host->mentions)
		sorted[next++] = mention_of(link);
	qsort(sorted, count, sizeof(*sorted), compare_mentions);
	for (size_t i = 0; i < count; i++) {
		list_remove(&sorted[i]->of_host);
		list_add_last(&host->mentions, &sorted[i]->of_host);
	}
}

static size_t count_claims(const struct host *host)
{
	size_t count = 0;

	list_for_each (link, &host->mentions)
		count += container_of(link, struct mention, of_host)->claim_count;
	return count;
}

static void make_routes(struct build *build, struct host *host)
{
	struct making making = {.build = build, .host = host};

	map_init(&making.taken);
	decide_tls(build, host);
	decide_client(build, host);
	host_tls_decide(build, host);
	free(host->routes);
	host->routes = memory_new_array(count_claims(host) + 1, sizeof(*host->routes));
	fill_implicit_root(build, &host->routes[0], host);
	host->model.first = &host->routes[0];
	host->model.route_count = making.count = 1;
	list_for_each (link, &host->mentions)
		add_mention(&making, container_of(link, struct mention, of_host));
	passthrough_decide(build, host);
	map_fini(&making.taken);
}

static void make(struct build *build, struct host *host)
{
	build->model.route_count -= host->model.route_count;
	build->diagnostics = diagnostics_new();
	sort_mentions(build, host);
	make_routes(build, host);
	diagnostics_replace(&host->duplicates, build->diagnostics, build->sink);
	build->model.route_count += host->model.route_count;
}

/* It is there in name alone until the next update. */
static void leave(struct build *build, struct host *host)
{
	build->model.route_count -= host->model.route_count;
	map_remove(&build->model.hosts_by_name, &host->model.by_name);
	list_remove(&host->model.link);
	diagnostics_drop(&host->duplicates, build->sink);
	list_add_last(&build->gone_hosts, &host->old);
}

void host_make_old(struct build *build)
{
	list_for_each_safe (link, &build->old_hosts) {
		struct host *host = container_of(link, struct host, old);

		list_remove(&host->old);
		if (list_is_empty(&host->mentions) && host->model.by_name.key.len > 0)
			leave(build, host);
		else
			make(build, host);
		build_note_host(build, host->model.by_name.key);
	}
}

static void free_host(struct host *host)
{
	diagnostics_free(host->duplicates);
	free(host->routes);
	free(host);
}

void host_free_gone(struct build *build)
{
	list_for_each_safe (link, &build->gone_hosts) {
		list_remove(link);
		free_host(container_of(link, struct host, old));
	}
}

void host_free_all(struct build *build)
{
	list_for_each_safe (link, &build->model.hosts) {
		struct host *host = container_of(link, struct host, model.link);

		list_remove(&host->old);
		leave(build, host);
	}
	host_free_gone(build);
}
