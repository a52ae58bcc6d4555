/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a `routes` segment that have a shape: trees of paths and the table of hosts. The caller fills the
 * flat sections (settings, networks, policies, objects) through builder.h.
 */
#pragma once

#include "table/builder.h"
#include "table/routes.h"

struct path_piece;
struct node_range;

struct routes_builder {
	struct builder segment;
	struct path_piece *pieces; /* private to routes_builder.c, with all that follows */
	size_t piece_room;
	struct node_range *ranges;
	size_t range_count;
	size_t range_room;
};

/* One route of a host. path begins with '/'. In route, all is set but host and path. */
struct routes_entry {
	struct span path;
	struct route route;
};

void routes_builder_init(struct routes_builder *builder);
void routes_builder_fini(struct routes_builder *builder);

/* A host with its routes; its index. name: as host_record has it, of no other host. Of entries with the same
 * path and type the first counts, but an implicit one gives way to one that is not. */
uint32_t routes_builder_add_host(struct routes_builder *builder, struct span name,
				 enum host_wildcard wildcard, const struct routes_entry *entries,
				 uint32_t count);

/* What the host says about TLS; texts of it are the segment's (builder_text). */
void routes_builder_set_tls(struct routes_builder *builder, uint32_t host,
			    const struct host_tls *tls);

/* TLS to the host goes to the endpoints of its root (routes_root), which it has. */
void routes_builder_set_passthrough(struct routes_builder *builder, uint32_t host);

/* So many buckets may be searched for one host before the names are taken for made to collide: they do not under
 * another host_seed. */
enum { ROUTES_CHAIN_LONG = 128 };

/* The segment, as builder_finish. Exactly one element of ROUTES_SETTINGS was added, with the host_seed of the set, and
 * the hosts are those of the shard. How many buckets are searched for one host at most. */
uint32_t routes_builder_finish(struct routes_builder *builder, const struct table_stamp *stamp,
			       struct buf *out);
