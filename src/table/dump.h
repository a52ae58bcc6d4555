/* SPDX-License-Identifier: Apache-2.0 */
/* Verified segments as readable JSON: for `ingot table` and for golden tests. All that is in a segment is in
 * its dump, in an order that depends on the content alone: hosts and paths by name, all else by number.
 */
#pragma once

#include "base/buf.h"
#include "table/endpoints.h"
#include "table/routes.h"

enum dump_detail {
	DUMP_ALL,
	DUMP_CONTENT, /* without generation, time, size and checksum: what golden tests compare */
};

/* Both append one JSON object with a line end behind it. */
void dump_routes(const struct routes *routes, enum dump_detail detail, struct buf *out);
void dump_endpoints(const struct endpoints *endpoints, enum dump_detail detail, struct buf *out);

/* What a request would meet: the host, route, policy and upstream, or that nothing matches. host and path: as
 * routes_find has them. endpoints: NULL when only the routes are at hand. */
void dump_lookup(const struct routes *routes, const struct endpoints *endpoints, struct span host,
		 struct span path, struct buf *out);
