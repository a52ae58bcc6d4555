/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tables.h"

#include <stdlib.h>

#include "base/memory.h"
#include "table/seal.h"

void tables_init(struct tables *tables)
{
	*tables = (struct tables){0};
	shards_init(&tables->routes, TABLE_ROUTES);
	shards_init(&tables->endpoints, TABLE_ENDPOINTS);
	shards_init(&tables->certificates, TABLE_CERTIFICATES);
	/* cleared pages that nobody touches cost nothing */
	tables->slots = memory_new_array(TABLE_SLOTS_MAX, sizeof(*tables->slots));
}

void tables_fini(struct tables *tables)
{
	tables_drop(tables);
	shards_fini(&tables->routes);
	shards_fini(&tables->endpoints);
	shards_fini(&tables->certificates);
	free(tables->slots);
}

static struct shards *shards_of(struct tables *tables, enum table_kind kind)
{
	struct shards *all[TABLE_KIND_COUNT] = {
		[TABLE_ROUTES] = &tables->routes,
		[TABLE_ENDPOINTS] = &tables->endpoints,
		[TABLE_CERTIFICATES] = &tables->certificates,
	};

	return all[kind];
}

int tables_prepare(struct tables *tables, enum table_kind kind, int fd, struct error *err)
{
	struct span bundle;

	shards_drop(&tables->waiting[kind]);
	if (seal_map(fd, &bundle, err) == -1)
		return -1;
	if (table_is_secret(kind))
		seal_hide(bundle);
	return shards_prepare(shards_of(tables, kind), bundle, seal_unmap, &tables->waiting[kind],
			      err);
}

static void count_in(struct tables *tables, const struct endpoints *endpoints)
{
	for (uint32_t i = 0; i < endpoints->endpoint_count; i++) {
		const struct endpoint_record *endpoint = &endpoints->endpoints[i];
		struct slot_use *slot = &tables->slots[endpoint->slot];

		slot->incarnation = endpoint->incarnation;
		slot->count++;
	}
}

static void count_out(struct tables *tables, const struct endpoints *endpoints)
{
	for (uint32_t i = 0; i < endpoints->endpoint_count; i++)
		tables->slots[endpoints->endpoints[i].slot].count--;
}

static void tell_left(struct tables *tables, const struct endpoints *before)
{
	for (uint32_t i = 0; tables->on_left != NULL && i < before->endpoint_count; i++) {
		const struct endpoint_record *endpoint = &before->endpoints[i];

		if (!tables_have(tables, endpoint->slot, endpoint->incarnation))
			tables->on_left(tables->owner, endpoint);
	}
}

/* Calls for each shard that is about to be replaced. */
static void for_replaced(struct tables *tables, const struct shards_change *change,
			 void (*visit)(struct tables *tables, const struct endpoints *endpoints))
{
	const struct shards *present = &tables->endpoints;

	if (change->count == change->shard_count)
		for (uint32_t i = 0; i < present->count; i++)
			visit(tables, &present->at[i]->endpoints);
	else
		for (uint32_t i = 0; i < change->count; i++)
			visit(tables, &present->at[change->fresh[i]->header->shard]->endpoints);
}

/* All that leave are counted out before the first of those that come is counted in: a slot may go from one endpoint
 * to another at once. */
static void commit_endpoints(struct tables *tables)
{
	struct shards_change *change = &tables->waiting[TABLE_ENDPOINTS];

	for_replaced(tables, change, count_out);
	for (uint32_t i = 0; i < change->count; i++)
		count_in(tables, &change->fresh[i]->endpoints);
	for_replaced(tables, change, tell_left);
	shards_commit(&tables->endpoints, change);
}

void tables_commit(struct tables *tables)
{
	if (tables->waiting[TABLE_ENDPOINTS].count > 0)
		commit_endpoints(tables);
	if (tables->waiting[TABLE_CERTIFICATES].count > 0)
		shards_commit(&tables->certificates, &tables->waiting[TABLE_CERTIFICATES]);
	if (tables->waiting[TABLE_ROUTES].count > 0)
		shards_commit(&tables->routes, &tables->waiting[TABLE_ROUTES]);
}

void tables_drop(struct tables *tables)
{
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		shards_drop(&tables->waiting[kind]);
}
