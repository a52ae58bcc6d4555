/* SPDX-License-Identifier: Apache-2.0 */
/* Uses a segment that verify accepted as much as a worker could: if verify missed anything, a sanitizer sees it
 * here. For the fuzz target and for the unit test that corrupts segments. */
#pragma once

#include <stdlib.h>

#include "base/buf.h"
#include "base/bug.h"
#include "table/dump.h"

enum { TABLE_USE_MAX = 64 }; /* hosts and routes that are tried; a dump is for as small a segment */

static inline void table_use_match(const struct routes *routes, struct span host, struct span path)
{
	struct route_match match = routes_find(routes, host, path);

	if (match.route == NULL)
		return;
	BUG_ON(match.route < routes->routes || match.route >= routes->routes + routes->route_count);
	BUG_ON(match.route->host >= routes->host_count);
	BUG_ON(match.route->policy >= routes->policy_count);
}

/* The path, what lies under it, beside it and above it. */
static inline void table_use_paths(const struct routes *routes, struct span host, struct span path)
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

static inline void table_use_host(const struct routes *routes, struct span name)
{
	struct buf label = {0};

	buf_add_byte(&label, 'a');
	buf_add(&label, name);
	table_use_match(routes, name, S("/"));
	table_use_match(routes, buf_span(&label), S("/"));
	for (uint32_t i = 0; i < routes->route_count && i < TABLE_USE_MAX; i++) {
		struct span path = routes_text(routes, routes->routes[i].path);

		table_use_paths(routes, name, path);
		table_use_match(routes, buf_span(&label), path);
	}
	buf_fini(&label);
}

static inline void table_use_routes(const struct routes *routes)
{
	struct buf text = {0};

	for (uint32_t i = 0; i < routes->host_count && i < TABLE_USE_MAX; i++)
		table_use_host(routes, routes_text(routes, routes->hosts[i].name));
	table_use_match(routes, S("a.b.c.d.e"), S("/a/b/c//d/"));
	table_use_match(routes, S(""), S("/"));
	dump_routes(routes, DUMP_ALL, &text);
	dump_lookup(routes, NULL, S("shop.example"), S("/cart"), &text);
	buf_fini(&text);
}

static inline void table_use_endpoints(const struct endpoints *endpoints)
{
	struct buf text = {0};

	for (uint32_t i = 0; i <= endpoints->upstream_count && i < TABLE_USE_MAX; i++) {
		const struct upstream_record *upstream = endpoints_find(endpoints, i, 1);

		if (upstream == NULL)
			continue;
		for (uint32_t n = 0; n < upstream->endpoint_count; n++)
			BUG_ON(endpoints->endpoints[upstream->first_endpoint + n].slot >=
			       endpoints->slot_count);
	}
	dump_endpoints(endpoints, DUMP_ALL, &text);
	buf_fini(&text);
}
