/* SPDX-License-Identifier: Apache-2.0 */
/* The segments a worker obeys. A new one is mapped, verified, and takes effect between two events by the
 * swap of a pointer; an old `routes` stays mapped until its last request has ended.
 */
#pragma once

#include "base/error.h"
#include "base/list.h"
#include "table/endpoints.h"
#include "table/routes.h"

/* A mapped `routes` segment. */
struct routes_table {
	struct list link;     /* private to tables.c: old ones that are still pinned */
	struct routes routes; /* verified; routes.pins counts the exchanges */
	struct span segment;
};

struct tables {
	struct routes_table *routes; /* in effect; NULL until the first came */
	struct endpoints endpoints;  /* in effect; header is NULL until the first came */
	struct span endpoints_segment;
	struct list old_routes; /* private to tables.c */
	uint32_t mapped;        /* segments mapped now */
};

void tables_init(struct tables *tables);
void tables_fini(struct tables *tables);

/* Both segments are there. */
bool tables_are_complete(const struct tables *tables);

/* Maps and verifies the segment behind fd (borrowed) and makes it the one in effect. -1: it is refused with the reason,
 * and the old one serves on. A generation that is not newer is taken too: control may have started anew. */
int tables_apply(struct tables *tables, enum table_kind kind, int fd, struct error *err);

/* The routes in effect, held until routes_unpin. */
struct routes_table *routes_pin(struct tables *tables);
void routes_unpin(struct tables *tables, struct routes_table *table);
