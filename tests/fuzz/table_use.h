/* SPDX-License-Identifier: Apache-2.0 */
/* Uses a bundle that verify accepted as much as a worker could: if verify missed anything, a sanitizer sees it
 * here. For the fuzz target and for the unit tests that corrupt segments. */
#pragma once

#include <stdlib.h>

#include "base/buf.h"
#include "base/bug.h"
#include "table/dump.h"

enum { TABLE_USE_MAX = 64 }; /* hosts and routes that are tried; a dump is for as small a segment */

static inline void table_use_match(const struct shards *shards, struct span host, struct span path)
{
	struct route_match match = routes_find(shards, host, path);
	const struct routes *routes = &match.shard->routes;

	if (match.route == NULL)
		return;
	BUG_ON(match.route < routes->routes || match.route >= routes->routes + routes->route_count);
	BUG_ON(match.route->host >= routes->host_count);
	BUG_ON(match.route->policy >= routes->policy_count);
	match = routes_find_beside(match.shard, match.route, S("/a/b"));
	BUG_ON(match.route != NULL && match.route >= routes->routes + routes->route_count);
}

/* The path, what lies under it, beside it and above it. */
static inline void table_use_paths(const struct shards *routes, struct span host, struct span path)
{
	struct buf longer = {0};
	struct span parent = path;

	buf_add(&longer, path);
	buf_add(&longer, S("/x/"));
	table_use_match(routes, host, path);
	table_use_match(routes, host, buf_span(&longer));
	table_use_match(routes, host, span_take(buf_span(&longer), path.len + 1));
	while (parent.len > 1) {
		parent.len--;
		table_use_match(routes, host, parent);
	}
	buf_fini(&longer);
}

static inline void table_use_host(const struct shards *shards, const struct routes *routes,
				  struct span name)
{
	struct buf label = {0};

	buf_add_byte(&label, 'a');
	buf_add(&label, name);
	table_use_match(shards, name, S("/"));
	table_use_match(shards, buf_span(&label), S("/"));
	for (uint32_t i = 0; i < routes->route_count && i < TABLE_USE_MAX; i++) {
		struct span path = routes_text(routes, routes->routes[i].path);

		table_use_paths(shards, name, path);
		table_use_match(shards, buf_span(&label), path);
	}
	buf_fini(&label);
}

static inline void table_use_routes(const struct shards *shards)
{
	struct buf text = {0};

	for (uint32_t n = 0; n < shards->count; n++) {
		const struct routes *routes = &shards->at[n]->routes;

		for (uint32_t i = 0; i < routes->host_count && i < TABLE_USE_MAX; i++)
			table_use_host(shards, routes, routes_text(routes, routes->hosts[i].name));
	}
	table_use_match(shards, S("a.b.c.d.e"), S("/a/b/c//d/"));
	table_use_match(shards, S(""), S("/"));
	dump_routes(shards, DUMP_ALL, &text);
	dump_lookup(shards, NULL, S("shop.example"), S("/cart"), &text);
	buf_fini(&text);
}

static inline void table_use_endpoints(const struct shards *shards)
{
	struct buf text = {0};

	for (uint32_t i = 0; i <= TABLE_USE_MAX; i++) {
		struct upstream_match match = endpoints_find(shards, i, 1);

		if (match.upstream == NULL)
			continue;
		for (uint32_t n = 0; n < match.upstream->endpoint_count; n++)
			BUG_ON(match.endpoints->endpoints[match.upstream->first_endpoint + n]
				       .slot >= TABLE_SLOTS_MAX);
	}
	dump_endpoints(shards, DUMP_ALL, &text);
	buf_fini(&text);
}

static inline void table_use(struct span bundle, enum table_kind kind)
{
	struct shards shards;
	struct error err;

	shards_init(&shards, kind);
	if (shards_apply(&shards, bundle, NULL, &err) == 0 && kind == TABLE_ROUTES)
		table_use_routes(&shards);
	else if (shards.count > 0)
		table_use_endpoints(&shards);
	shards_fini(&shards);
}
