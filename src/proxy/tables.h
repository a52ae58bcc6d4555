/* SPDX-License-Identifier: Apache-2.0 */
/* The tables a worker obeys, and which endpoints are in them. New shards are mapped, verified, and take effect between
 * two events by the swap of pointers; an old shard of routes stays mapped until its last request has ended.
 */
#pragma once

#include "table/shards.h"

/* Which endpoint a slot stands for, and how often it is in the table: once in each upstream that it belongs to. */
struct slot_use {
	uint32_t incarnation;
	uint32_t count;
};

struct tables {
	struct shards routes;
	struct shards endpoints;
	struct shards certificates;
	struct slot_use *slots; /* by slot */

	/* An endpoint is in no upstream any more. NULL: nobody wants to know. */
	void (*on_left)(void *owner, const struct endpoint_record *endpoint);
	void *owner;
	struct shards_change
		waiting[TABLE_KIND_COUNT]; /* private: prepared and not in effect yet */
};

/* on_left and owner are the caller's to set. */
void tables_init(struct tables *tables);
void tables_fini(struct tables *tables);

/* Both tables are there. */
static inline bool tables_are_complete(const struct tables *tables)
{
	return tables->routes.count > 0 && tables->endpoints.count > 0;
}

/* Maps and verifies the bundle behind fd (borrowed), to take effect with tables_commit. -1: it is refused with the
 * reason, and what is in effect serves on. A generation that is not newer is taken too: control may have started
 * anew. */
int tables_prepare(struct tables *tables, enum table_kind kind, int fd, struct error *err);

/* Puts what is prepared into effect. */
void tables_commit(struct tables *tables);

/* Forgets what is prepared. */
void tables_drop(struct tables *tables);

/* Whether the endpoint with that slot is in the table. */
static inline bool tables_have(const struct tables *tables, uint32_t slot, uint32_t incarnation)
{
	return slot < TABLE_SLOTS_MAX && tables->slots[slot].count > 0 &&
	       tables->slots[slot].incarnation == incarnation;
}

/* Shards that are mapped and may be used. */
static inline uint32_t tables_mapped(const struct tables *tables)
{
	return tables->routes.mapped + tables->endpoints.mapped + tables->certificates.mapped;
}
