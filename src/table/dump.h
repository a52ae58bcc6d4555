/* SPDX-License-Identifier: Apache-2.0 */
/* A table as readable JSON: for `ingot table` and for golden tests. All that is in it is in its dump, in an order that
 * depends on the content alone and not on the number of shards: hosts and paths by name, policies as the
 * routes mention them, upstreams by id.
 */
#pragma once

#include "base/buf.h"
#include "table/shards.h"

enum dump_detail {
	DUMP_ALL,
	DUMP_CONTENT, /* without generation, time, size and checksum: what golden tests compare */
};

/* Both append one JSON object with a line end behind it. Something is in effect. */
void dump_routes(const struct shards *routes, enum dump_detail detail, struct buf *out);
void dump_endpoints(const struct shards *endpoints, enum dump_detail detail, struct buf *out);

/* What a request would meet: the host, route, policy and upstream, or that nothing matches. host and path: as
 * routes_find has them. endpoints: NULL when only the routes are at hand. */
void dump_lookup(const struct shards *routes, const struct shards *endpoints, struct span host,
		 struct span path, struct buf *out);
