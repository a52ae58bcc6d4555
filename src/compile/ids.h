/* SPDX-License-Identifier: Apache-2.0 */
/* What has which number, from segment to segment: see compile.h. For compile alone.
 *
 * An upstream lives while the model of the last call names it, or while a worker may obey routes that do. A slot
 * lives while an endpoint of the last `endpoints` segment has it. A row lives while a worker may obey routes with it.
 */
#pragma once

#include "base/ip.h"
#include "compile/compile.h"
#include "compile/numbers.h"

struct ids_upstream {
	struct numbered id; /* first */
	uint64_t named_in;  /* newest `routes` generation that names it */
	uint64_t round;     /* last round in which the model had it */
	struct model_upstream
		kept; /* a copy, so that endpoints are found when the model has it no more */
	char *text;   /* of kept and of the key */
};

/* Begins a round: each upstream of the model has an id from here on, where numbers are left. generation: of the
 * `routes` segment that is made of the model, or 0 when another segment is. */
void ids_name_upstreams(struct ids *ids, const struct model *model, uint64_t generation);

/* NULL where numbers ran out. */
const struct ids_upstream *ids_find_upstream(const struct ids *ids, struct span key);

/* Ids are below this. */
uint32_t ids_upstream_end(const struct ids *ids);

/* NULL: that id is free. */
const struct ids_upstream *ids_upstream_at(const struct ids *ids, uint32_t id);

/* Whether the model of this round has it; else it is there for routes of before. */
bool ids_upstream_is_current(const struct ids *ids, const struct ids_upstream *upstream);

/* Slots of one `endpoints` segment: first all that are known are marked, then the others become free, then
 * new ones are taken. */
void ids_slots_begin(struct ids *ids);
bool ids_slots_mark(struct ids *ids, const struct ip_port *at, uint32_t *slot,
		    uint32_t *incarnation);
void ids_slots_sweep(struct ids *ids);
bool ids_slots_take(struct ids *ids, const struct ip_port *at, uint32_t *slot,
		    uint32_t *incarnation);

/* Slots are below this. Incarnation of each, 0 where it is free. */
uint32_t ids_slot_end(const struct ids *ids);
uint32_t ids_slot_incarnation(const struct ids *ids, uint32_t slot);

/* The row for a key: of its own or, when rows ran out, 0. generation: of the `routes` segment that names it. */
uint32_t ids_row(struct ids *ids, struct span key, uint64_t generation);
