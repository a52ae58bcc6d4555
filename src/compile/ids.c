/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/ids.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"
#include "table/format.h"

struct ids_slot {
	struct numbered slot; /* first */
	struct ip_port at;    /* the key: its bytes */
	uint32_t holders;
};

struct ids_row {
	struct numbered row; /* first */
	uint64_t round;      /* last ids_begin_rows since which it was asked for */
	uint64_t gone_in;    /* where it is gone: the first generation of routes without it */
	struct list gone;
	char key[];
};

/* The key of a slot is memory: it may hold no byte that nobody sets. */
static_assert(sizeof(struct ip_port) == sizeof(struct ip) + sizeof(uint16_t), "no padding");

void ids_init(struct ids *ids)
{
	*ids = (struct ids){0};
	numbers_init(&ids->upstreams, 0, TABLE_UPSTREAMS_MAX);
	numbers_init(&ids->slots, 0, TABLE_SLOTS_MAX);
	numbers_init(&ids->rows, 1, TABLE_STAT_ROWS_MAX);
	list_init(&ids->gone_upstreams);
	list_init(&ids->gone_rows);
}

static void free_upstream(struct ids_upstream *upstream)
{
	if (upstream == NULL)
		return;
	diagnostics_free(upstream->diagnostics);
	free(upstream->records);
	free(upstream->text);
	free(upstream);
}

void ids_fini(struct ids *ids)
{
	for (uint32_t i = 0; i < ids->upstreams.end; i++)
		free_upstream((struct ids_upstream *)ids->upstreams.taken[i]);
	for (uint32_t i = 0; i < ids->slots.end; i++)
		free(ids->slots.taken[i]);
	for (uint32_t i = 0; i < ids->rows.end; i++)
		free(ids->rows.taken[i]);
	numbers_fini(&ids->upstreams);
	numbers_fini(&ids->slots);
	numbers_fini(&ids->rows);
}

void ids_begin(struct ids *ids)
{
	ids->round++;
}

static bool is_same_balance(const struct model_balance *a, const struct model_balance *b)
{
	return a->algorithm == b->algorithm && span_equals(a->hash_by, b->hash_by) &&
	       a->subset_size == b->subset_size && a->bound_percent == b->bound_percent;
}

/* What the key does not fix: it may change while the upstream lives. */
static bool is_same(const struct model_upstream *a, const struct model_upstream *b)
{
	return span_equals(a->port_name, b->port_name) && a->target_number == b->target_number &&
	       span_equals(a->external_name, b->external_name) &&
	       a->external_port == b->external_port && span_equals(a->name, b->name) &&
	       is_same_balance(&a->balance, &b->balance);
}

static size_t measure(const struct model_upstream *of)
{
	const struct model_upstream_tls *tls = &of->tls;

	return of->by_key.key.len + of->name.len + of->namespace.len + of->service.len +
	       of->port_name.len + of->external_name.len + tls->certificate.len +
	       tls->authorities.len + tls->server_name.len + tls->verify_name.len +
	       tls->ciphers.len + of->balance.hash_by.len;
}

static struct span put(char **at, struct span text)
{
	struct span copy = {*at, text.len};

	if (text.len > 0)
		memcpy(*at, text.ptr, text.len);
	*at += text.len;
	return copy;
}

static struct model_upstream_tls put_tls(char **at, const struct model_upstream_tls *tls)
{
	struct model_upstream_tls copy = *tls;

	copy.certificate = put(at, tls->certificate);
	copy.authorities = put(at, tls->authorities);
	copy.server_name = put(at, tls->server_name);
	copy.verify_name = put(at, tls->verify_name);
	copy.ciphers = put(at, tls->ciphers);
	return copy;
}

/* Copies all that a later endpoints segment needs. *key becomes the copy of the key. */
static void keep(struct ids_upstream *upstream, const struct model_upstream *of, struct span *key)
{
	char *at = memory_new(measure(of));

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
		.http2 = of->http2,
		.tls = put_tls(&at, &of->tls),
		.balance = of->balance,
	};
	upstream->kept.balance.hash_by = put(&at, of->balance.hash_by);
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
	list_init(&upstream->gone);
	list_init(&upstream->of_service);
	list_init(&upstream->asked);
	list_init(&upstream->starved);
	if (numbers_add(&ids->upstreams, &upstream->id))
		return upstream;
	free_upstream(upstream);
	return NULL;
}

struct ids_upstream *ids_name_upstream(struct ids *ids, const struct model_upstream *of,
				       bool *is_other)
{
	struct ids_upstream *upstream = ids_find_upstream(ids, of->by_key.key);

	*is_other = upstream == NULL || !is_same(&upstream->kept, of);
	if (upstream == NULL)
		upstream = add_upstream(ids, of);
	else if (*is_other)
		keep_anew(upstream, of);
	if (upstream == NULL)
		return NULL;
	*is_other = *is_other || !upstream->is_current;
	upstream->is_current = true;
	upstream->round = ids->round;
	list_remove(&upstream->gone);
	return upstream;
}

void ids_leave_upstream(struct ids *ids, struct ids_upstream *upstream, uint64_t generation)
{
	if (!upstream->is_current)
		return;
	upstream->is_current = false;
	upstream->gone_in = generation;
	list_add_last(&ids->gone_upstreams, &upstream->gone);
}

bool ids_is_left(const struct ids *ids, const struct ids_upstream *upstream)
{
	return upstream->is_current && upstream->round != ids->round;
}

struct ids_upstream *ids_find_upstream(const struct ids *ids, struct span key)
{
	return (struct ids_upstream *)numbers_find(&ids->upstreams, key);
}

uint32_t ids_upstream_end(const struct ids *ids)
{
	return ids->upstreams.end;
}

struct ids_upstream *ids_upstream_at(const struct ids *ids, uint32_t id)
{
	return (struct ids_upstream *)ids->upstreams.taken[id];
}

struct ids_upstream *ids_find_gone(const struct ids *ids, uint64_t routes_generation)
{
	struct list *link = list_first(&ids->gone_upstreams);
	struct ids_upstream *upstream;

	if (link == NULL)
		return NULL;
	upstream = container_of(link, struct ids_upstream, gone);
	return upstream->gone_in <= routes_generation ? upstream : NULL;
}

void ids_free_upstream(struct ids *ids, struct ids_upstream *upstream)
{
	list_remove(&upstream->gone);
	numbers_remove(&ids->upstreams, &upstream->id);
	free_upstream(upstream);
}

static struct span slot_key(const struct ip_port *at)
{
	return (struct span){(const char *)at, sizeof(*at)};
}

static bool hold(struct ids_slot *slot, uint32_t *number, uint32_t *incarnation)
{
	slot->holders++;
	*number = slot->slot.number;
	*incarnation = slot->slot.incarnation;
	return true;
}

bool ids_hold_slot(struct ids *ids, const struct ip_port *at, uint32_t *slot, uint32_t *incarnation)
{
	struct ids_slot *known = (struct ids_slot *)numbers_find(&ids->slots, slot_key(at));

	return known != NULL && hold(known, slot, incarnation);
}

bool ids_take_slot(struct ids *ids, const struct ip_port *at, uint32_t *slot, uint32_t *incarnation)
{
	struct ids_slot *fresh;

	if (ids_hold_slot(ids, at, slot, incarnation))
		return true;
	fresh = memory_new(sizeof(*fresh));
	fresh->at = *at;
	fresh->slot.by_key.key = slot_key(&fresh->at);
	if (!numbers_add(&ids->slots, &fresh->slot)) {
		free(fresh);
		return false;
	}
	return hold(fresh, slot, incarnation);
}

void ids_leave_slot(struct ids *ids, uint32_t slot)
{
	struct ids_slot *held = (struct ids_slot *)ids->slots.taken[slot];

	BUG_ON(held == NULL || held->holders == 0);
	if (--held->holders > 0)
		return;
	numbers_remove(&ids->slots, &held->slot);
	free(held);
}

bool ids_has_slot(const struct ids *ids)
{
	return ids->slots.free_count > 0 || ids->slots.end < ids->slots.limit;
}

void ids_begin_rows(struct ids *ids)
{
	ids->row_round++;
}

static struct ids_row *add_row(struct ids *ids, struct span key)
{
	struct ids_row *row = memory_new(sizeof(*row) + key.len);

	memcpy(row->key, key.ptr, key.len);
	row->row.by_key.key = span_make(row->key, key.len);
	list_init(&row->gone);
	if (numbers_add(&ids->rows, &row->row))
		return row;
	free(row);
	return NULL;
}

uint32_t ids_row(struct ids *ids, struct span key, bool *is_first)
{
	struct ids_row *row = (struct ids_row *)numbers_find(&ids->rows, key);

	*is_first = false;
	if (row == NULL)
		row = add_row(ids, key);
	if (row == NULL)
		return 0;
	*is_first = row->round != ids->row_round;
	row->round = ids->row_round;
	list_remove(&row->gone);
	return row->row.number;
}

void ids_leave_row(struct ids *ids, uint32_t row, uint64_t generation)
{
	struct ids_row *left = (struct ids_row *)ids->rows.taken[row];

	if (left->round == ids->row_round)
		return;
	left->gone_in = generation;
	list_add_last(&ids->gone_rows, &left->gone);
}

void ids_release_rows(struct ids *ids, uint64_t routes_generation)
{
	list_for_each_safe (link, &ids->gone_rows) {
		struct ids_row *row = container_of(link, struct ids_row, gone);

		if (row->gone_in > routes_generation)
			return;
		list_remove(&row->gone);
		numbers_remove(&ids->rows, &row->row);
		free(row);
	}
}
