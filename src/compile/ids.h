/* SPDX-License-Identifier: Apache-2.0 */
/* What has which number, from segment to segment: see compile.h. For compile alone.
 *
 * An upstream lives while the model names it, or while a worker may obey routes that do. A slot lives while an
 * endpoint of a shard has it. A row lives while a host has it, or while a worker may obey routes with it.
 */
#pragma once

#include "base/ip.h"
#include "base/list.h"
#include "compile/numbers.h"
#include "model/model.h"
#include "table/endpoints.h"

struct ids_upstream {
	struct numbered id; /* first */
	bool is_current;    /* the model names it; else it is there for routes of before */
	uint64_t round;     /* last ids_begin since which it was named */
	uint64_t gone_in; /* where it is not: the first generation of routes that do not name it */
	struct list gone;
	struct model_upstream kept; /* a copy, so that endpoints are found without the model */
	char *text;                 /* of kept and of the key */
	struct list of_service;     /* for services.c */
	/* for endpoints.c */
	struct endpoint_record *records; /* as compiled last, each with a slot */
	uint32_t record_count;
	struct list asked;
	struct list starved;
	struct diagnostics *diagnostics; /* NULL: there is nothing to tell */
};

struct ids {
	struct numbers upstreams; /* all private to ids.c */
	struct numbers slots;
	struct numbers rows;        /* from 1: row 0 is for what has none */
	struct list gone_upstreams; /* first those that go first */
	struct list gone_rows;
	uint64_t round;
	uint64_t row_round;
};

void ids_init(struct ids *ids);
void ids_fini(struct ids *ids);

/* Names of everything follow: see ids_is_left. */
void ids_begin(struct ids *ids);

/* The upstream with that key, with a number from here on; *is_other: it is new, or the model describes it otherwise
 * than before. NULL: numbers ran out. */
struct ids_upstream *ids_name_upstream(struct ids *ids, const struct model_upstream *of,
				       bool *is_other);

/* The model names it no more; routes of that generation will not. */
void ids_leave_upstream(struct ids *ids, struct ids_upstream *upstream, uint64_t generation);

/* It is current, but was not named since ids_begin. */
bool ids_is_left(const struct ids *ids, const struct ids_upstream *upstream);

/* NULL where there is none with that key; one that the model names no more is one. */
struct ids_upstream *ids_find_upstream(const struct ids *ids, struct span key);

/* Ids are below this. */
uint32_t ids_upstream_end(const struct ids *ids);

/* NULL: that id is free. */
struct ids_upstream *ids_upstream_at(const struct ids *ids, uint32_t id);

/* One that nobody names who obeys routes of that generation or later; NULL: there is none. */
struct ids_upstream *ids_find_gone(const struct ids *ids, uint64_t routes_generation);
void ids_free_upstream(struct ids *ids, struct ids_upstream *upstream);

/* A slot is held as often as endpoints have it. False: that address has none yet. */
bool ids_hold_slot(struct ids *ids, const struct ip_port *at, uint32_t *slot,
		   uint32_t *incarnation);

/* The same, but gives it one. False: none is left. */
bool ids_take_slot(struct ids *ids, const struct ip_port *at, uint32_t *slot,
		   uint32_t *incarnation);

/* Held once less; free when nobody does any more. */
void ids_leave_slot(struct ids *ids, uint32_t slot);

/* Whether ids_take_slot would find one. */
bool ids_has_slot(const struct ids *ids);

/* Rows of one host follow. */
void ids_begin_rows(struct ids *ids);

/* The row for a key: of its own or, when rows ran out, 0. *is_first: since ids_begin_rows. */
uint32_t ids_row(struct ids *ids, struct span key, bool *is_first);

/* A row that its host had before: unless it was asked for since ids_begin_rows, routes of that generation will not
 * have it. */
void ids_leave_row(struct ids *ids, uint32_t row, uint64_t generation);

/* Frees the rows that nobody has who obeys routes of that generation or later. */
void ids_release_rows(struct ids *ids, uint64_t routes_generation);
