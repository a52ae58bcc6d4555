/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/ids.h"

#include <stdlib.h>

#include "base/memory.h"
#include "table/format.h"

struct ids_slot {
	struct numbered slot; /* first */
	struct ip_port at;    /* the key: its bytes */
	uint64_t round;       /* last segment that had it */
};

struct ids_row {
	struct numbered row; /* first */
	uint64_t named_in;   /* newest `routes` generation that names it */
	char key[];
};

struct ids {
	struct numbers upstreams;
	struct numbers slots;
	struct numbers rows; /* from 1: row 0 is for what has none */
	uint64_t round;      /* of upstreams */
	uint64_t slot_round;
};

/* The key of a slot is memory: it may hold no byte that nobody sets. */
static_assert(sizeof(struct ip_port) == sizeof(struct ip) + sizeof(uint16_t), "no padding");

struct ids *ids_new(void)
{
	struct ids *ids = memory_new(sizeof(*ids));

	numbers_init(&ids->upstreams, 0, TABLE_UPSTREAMS_MAX);
	numbers_init(&ids->slots, 0, TABLE_SLOTS_MAX);
	numbers_init(&ids->rows, 1, TABLE_STAT_ROWS_MAX);
	return ids;
}

void ids_seed(struct ids *ids, uint32_t seed)
{
	ids->upstreams.seed = seed;
	ids->slots.seed = seed;
	ids->rows.seed = seed;
}

static void free_upstream(struct ids_upstream *upstream)
{
	if (upstream != NULL)
		free(upstream->text);
	free(upstream);
}

void ids_free(struct ids *ids)
{
	if (ids == NULL)
		return;
	for (uint32_t i = 0; i < ids->upstreams.end; i++)
		free_upstream((struct ids_upstream *)ids->upstreams.taken[i]);
	for (uint32_t i = 0; i < ids->slots.end; i++)
		free(ids->slots.taken[i]);
	for (uint32_t i = 0; i < ids->rows.end; i++)
		free(ids->rows.taken[i]);
	numbers_fini(&ids->upstreams);
	numbers_fini(&ids->slots);
	numbers_fini(&ids->rows);
	free(ids);
}

/* What the key does not fix: it may change while the upstream lives. */
static bool is_same(const struct model_upstream *a, const struct model_upstream *b)
{
	return span_equals(a->port_name, b->port_name) && a->target_number == b->target_number &&
	       span_equals(a->external_name, b->external_name) &&
	       a->external_port == b->external_port && span_equals(a->name, b->name);
}

static struct span put(char **at, struct span text)
{
	struct span copy = {*at, text.len};

	if (text.len > 0)
		memcpy(*at, text.ptr, text.len);
	*at += text.len;
	return copy;
}

/* Copies all that a later endpoints segment needs. *key becomes the copy of the key. */
static void keep(struct ids_upstream *upstream, const struct model_upstream *of, struct span *key)
{
	size_t size = of->by_key.key.len + of->name.len + of->namespace.len + of->service.len +
		      of->port_name.len + of->external_name.len;
	char *at = memory_new(size);

	upstream->text = at;
	*key = put(&at, of->by_key.key);
	upstream->kept = (struct model_upstream){
		.by_key.key = *key,
		.name = put(&at, of->name),
		.namespace = put(&at, of->namespace),
		.service = put(&at, of->service),
		.port_name = put(&at, of->port_name),
		.target_number = of->target_number,
		.external_name = put(&at, of->external_name),
		.external_port = of->external_port,
	};
}

/* The map's key moves with the text, so the entry is told. */
static void keep_anew(struct ids_upstream *upstream, const struct model_upstream *of)
{
	char *before = upstream->text;

	keep(upstream, of, &upstream->id.by_key.key);
	free(before);
}

static struct ids_upstream *add_upstream(struct ids *ids, const struct model_upstream *of)
{
	struct ids_upstream *upstream = memory_new(sizeof(*upstream));

	keep(upstream, of, &upstream->id.by_key.key);
	if (numbers_add(&ids->upstreams, &upstream->id))
		return upstream;
	free_upstream(upstream);
	return NULL;
}

static struct ids_upstream *name_upstream(struct ids *ids, const struct model_upstream *of)
{
	struct ids_upstream *known = (struct ids_upstream *)numbers_find(&ids->upstreams,
									 of->by_key.key);

	if (known == NULL)
		return add_upstream(ids, of);
	if (!is_same(&known->kept, of))
		keep_anew(known, of);
	return known;
}

void ids_name_upstreams(struct ids *ids, const struct model *model, uint64_t generation)
{
	ids->round++;
	for (const struct model_upstream *of = model->first_upstream; of != NULL; of = of->next) {
		struct ids_upstream *upstream = name_upstream(ids, of);

		if (upstream == NULL)
			continue;
		upstream->round = ids->round;
		if (upstream->named_in < generation)
			upstream->named_in = generation;
	}
}

const struct ids_upstream *ids_find_upstream(const struct ids *ids, struct span key)
{
	return (const struct ids_upstream *)numbers_find(&ids->upstreams, key);
}

uint32_t ids_upstream_end(const struct ids *ids)
{
	return ids->upstreams.end;
}

const struct ids_upstream *ids_upstream_at(const struct ids *ids, uint32_t id)
{
	return (const struct ids_upstream *)ids->upstreams.taken[id];
}

bool ids_upstream_is_current(const struct ids *ids, const struct ids_upstream *upstream)
{
	return upstream->round == ids->round;
}

static struct span slot_key(const struct ip_port *at)
{
	return (struct span){(const char *)at, sizeof(*at)};
}

static void use_slot(struct ids *ids, struct ids_slot *slot, uint32_t *number,
		     uint32_t *incarnation)
{
	slot->round = ids->slot_round;
	*number = slot->slot.number;
	*incarnation = slot->slot.incarnation;
}

void ids_slots_begin(struct ids *ids)
{
	ids->slot_round++;
}

bool ids_slots_mark(struct ids *ids, const struct ip_port *at, uint32_t *slot,
		    uint32_t *incarnation)
{
	struct ids_slot *known = (struct ids_slot *)numbers_find(&ids->slots, slot_key(at));

	if (known == NULL)
		return false;
	use_slot(ids, known, slot, incarnation);
	return true;
}

void ids_slots_sweep(struct ids *ids)
{
	for (uint32_t i = 0; i < ids->slots.end; i++) {
		struct ids_slot *slot = (struct ids_slot *)ids->slots.taken[i];

		if (slot == NULL || slot->round == ids->slot_round)
			continue;
		numbers_remove(&ids->slots, &slot->slot);
		free(slot);
	}
}

bool ids_slots_take(struct ids *ids, const struct ip_port *at, uint32_t *slot,
		    uint32_t *incarnation)
{
	struct ids_slot *fresh;

	if (ids_slots_mark(ids, at, slot, incarnation))
		return true;
	fresh = memory_new(sizeof(*fresh));
	fresh->at = *at;
	fresh->slot.by_key.key = slot_key(&fresh->at);
	if (!numbers_add(&ids->slots, &fresh->slot)) {
		free(fresh);
		return false;
	}
	use_slot(ids, fresh, slot, incarnation);
	return true;
}

uint32_t ids_slot_end(const struct ids *ids)
{
	return ids->slots.end;
}

uint32_t ids_slot_incarnation(const struct ids *ids, uint32_t slot)
{
	const struct numbered *taken = ids->slots.taken[slot];

	return taken == NULL ? 0 : taken->incarnation;
}

static struct ids_row *add_row(struct ids *ids, struct span key)
{
	struct ids_row *row = memory_new(sizeof(*row) + key.len);

	memcpy(row->key, key.ptr, key.len);
	row->row.by_key.key = span_make(row->key, key.len);
	if (numbers_add(&ids->rows, &row->row))
		return row;
	free(row);
	return NULL;
}

uint32_t ids_row(struct ids *ids, struct span key, uint64_t generation)
{
	struct ids_row *row = (struct ids_row *)numbers_find(&ids->rows, key);

	if (row == NULL)
		row = add_row(ids, key);
	if (row == NULL)
		return 0;
	if (row->named_in < generation)
		row->named_in = generation;
	return row->row.number;
}

static void release_upstreams(struct ids *ids, uint64_t routes_generation)
{
	for (uint32_t i = 0; i < ids->upstreams.end; i++) {
		struct ids_upstream *upstream = (struct ids_upstream *)ids->upstreams.taken[i];

		if (upstream == NULL || upstream->named_in >= routes_generation ||
		    ids_upstream_is_current(ids, upstream))
			continue;
		numbers_remove(&ids->upstreams, &upstream->id);
		free_upstream(upstream);
	}
}

static void release_rows(struct ids *ids, uint64_t routes_generation)
{
	for (uint32_t i = 0; i < ids->rows.end; i++) {
		struct ids_row *row = (struct ids_row *)ids->rows.taken[i];

		if (row == NULL || row->named_in >= routes_generation)
			continue;
		numbers_remove(&ids->rows, &row->row);
		free(row);
	}
}

void ids_release(struct ids *ids, uint64_t routes_generation)
{
	release_upstreams(ids, routes_generation);
	release_rows(ids, routes_generation);
}
