/* SPDX-License-Identifier: Apache-2.0 */
/* From an upstream to the addresses that may get requests now (Kubernetes API spec, 4.2 and 4.3; compat spec,
 * 5.2).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "model/model.h"

struct candidate {
	struct model_endpoint endpoint;
	const struct slice_endpoint *from;
};

struct search {
	const struct model_options *options;
	const struct model_upstream *upstream;
	struct arena *arena;
	struct diagnostics *diagnostics;
	struct candidate *candidates;
	uint32_t count;
	uint32_t total; /* endpoints of any state */
};

/* The port of the endpoints of one slice; 0: none of them can be used. */
static uint16_t port_of(const struct endpoint_slice *slice, const struct model_upstream *upstream)
{
	for (uint32_t i = 0; i < slice->port_count; i++) {
		const struct endpoint_port *port = &slice->ports[i];

		if (port->protocol == SERVICE_TCP && span_equals(port->name, upstream->port_name))
			return port->port;
	}
	return upstream->target_number;
}

static bool is_allowed(struct search *search, const struct endpoint_slice *slice,
		       const struct slice_endpoint *endpoint)
{
	const char *special = search->options->tenant_destinations_free
				      ? NULL
				      : ip_special_kind(&endpoint->ip);
	char text[IP_TEXT_SIZE];
	char field[64];

	if (special == NULL)
		return true;
	ip_write(text, &endpoint->ip);
	snprintf(field, sizeof(field), "endpoints[%u].addresses[0]", endpoint->index);
	diagnostics_add(search->diagnostics, DIAGNOSTIC_BAD_ENDPOINT, &slice->object,
			span_from(field),
			"\"%s\" is a %s address, which an endpoint may not have; this endpoint is "
			"left out",
			text, special);
	return false;
}

static void add_slice(struct search *search, const struct endpoint_slice *slice)
{
	uint16_t port = port_of(slice, search->upstream);

	search->total += slice->endpoint_count;
	for (uint32_t i = 0; i < slice->endpoint_count && port != 0; i++) {
		const struct slice_endpoint *endpoint = &slice->endpoints[i];
		bool last_resort = endpoint->serving && endpoint->terminating;

		if ((!endpoint->ready && !last_resort) || !is_allowed(search, slice, endpoint))
			continue;
		search->candidates[search->count++] = (struct candidate){
			.endpoint = {.at = {.ip = endpoint->ip, .port = port},
				     .state = endpoint->ready ? MODEL_ENDPOINT_READY
							      : MODEL_ENDPOINT_TERMINATING},
			.from = endpoint,
		};
	}
}

/* By state, then address and port: the ready ones first. */
static int compare(const void *a, const void *b)
{
	const struct candidate *one = a;
	const struct candidate *other = b;
	int order = (int)one->endpoint.state - (int)other->endpoint.state;

	if (order == 0)
		order = memcmp(&one->endpoint.at.ip, &other->endpoint.at.ip, sizeof(struct ip));
	if (order == 0)
		order = (int)one->endpoint.at.port - (int)other->endpoint.at.port;
	return order;
}

static bool is_same_place(const struct candidate *a, const struct candidate *b)
{
	return a->endpoint.at.port == b->endpoint.at.port &&
	       ip_equals(&a->endpoint.at.ip, &b->endpoint.at.ip);
}

/* Keeps the best state alone, each address and port once. They are sorted. */
static void keep_best(struct search *search)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct candidate *each = &search->candidates[i];

		if (each->endpoint.state != search->candidates[0].endpoint.state)
			break;
		if (kept == 0 || !is_same_place(&search->candidates[kept - 1], each))
			search->candidates[kept++] = *each;
	}
	search->count = kept;
}

struct pod {
	struct map_entry by_name;
};

static struct span pod_name(struct search *search, const struct candidate *candidate)
{
	const struct slice_endpoint *from = candidate->from;

	return arena_printf(search->arena, "%.*s/%.*s/%.*s", (int)from->target_kind.len,
			    from->target_kind.ptr == NULL ? "" : from->target_kind.ptr,
			    (int)from->target_namespace.len,
			    from->target_namespace.ptr == NULL ? "" : from->target_namespace.ptr,
			    (int)from->target_name.len, from->target_name.ptr);
}

/* Dual stack: a pod that has an IPv4 address is not served by its IPv6 one as well. */
static void keep_one_family(struct search *search)
{
	struct map pods;
	uint32_t v4 = 0;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < search->count; i++)
		v4 += ip_is_v4(&search->candidates[i].endpoint.at.ip);
	if (v4 == 0 || v4 == search->count)
		return;
	map_init(&pods);
	for (uint32_t i = 0; i < search->count; i++) {
		const struct candidate *each = &search->candidates[i];
		struct pod *pod;

		if (!ip_is_v4(&each->endpoint.at.ip) || each->from->target_name.len == 0)
			continue;
		pod = arena_take_zero(search->arena, sizeof(*pod));
		pod->by_name.key = pod_name(search, each);
		if (map_find(&pods, pod->by_name.key) == NULL)
			map_add(&pods, &pod->by_name);
	}
	for (uint32_t i = 0; i < search->count; i++) {
		const struct candidate *each = &search->candidates[i];

		if (ip_is_v4(&each->endpoint.at.ip) || each->from->target_name.len == 0 ||
		    map_find(&pods, pod_name(search, each)) == NULL)
			search->candidates[kept++] = *each;
	}
	search->count = kept;
	map_fini(&pods);
}

static void report_none(struct search *search, const struct store *store)
{
	const struct model_upstream *upstream = search->upstream;
	const struct service *service = store_find_service(store, upstream->namespace,
							   upstream->service);

	if (service == NULL)
		return;
	diagnostics_add(search->diagnostics, DIAGNOSTIC_NO_ENDPOINTS, &service->object,
			(struct span){NULL, 0},
			"0 of %u endpoints are ready%s%.*s; requests get 503", search->total,
			upstream->port_name.len == 0 ? "" : " on port ",
			(int)upstream->port_name.len,
			upstream->port_name.ptr == NULL ? "" : upstream->port_name.ptr);
}

uint32_t model_endpoints(const struct store *store, const struct model_options *options,
			 const struct model_upstream *upstream, struct arena *arena,
			 const struct model_endpoint **endpoints, struct diagnostics *diagnostics)
{
	struct search search = {.options = options,
				.upstream = upstream,
				.arena = arena,
				.diagnostics = diagnostics};
	const struct endpoint_slice *slices;
	struct model_endpoint *found;
	size_t most = 0;

	*endpoints = NULL;
	if (upstream->external_name.len > 0)
		return 0;
	slices = store_find_slices(store, upstream->namespace, upstream->service);
	for (const struct endpoint_slice *at = slices; at != NULL; at = at->next_of_service)
		most += at->endpoint_count;
	search.candidates = arena_take(arena, (most + 1) * sizeof(*search.candidates));
	for (const struct endpoint_slice *at = slices; at != NULL; at = at->next_of_service)
		if (at->usable)
			add_slice(&search, at);
	if (search.count == 0) {
		report_none(&search, store);
		return 0;
	}
	qsort(search.candidates, search.count, sizeof(*search.candidates), compare);
	keep_best(&search);
	keep_one_family(&search);
	found = arena_take(arena, search.count * sizeof(*found));
	for (uint32_t i = 0; i < search.count; i++)
		found[i] = search.candidates[i].endpoint;
	*endpoints = found;
	return search.count;
}
