/* SPDX-License-Identifier: Apache-2.0 */
/* What control is for: objects come in, tables go out.
 *
 * The sink of a source. A batch of changes goes into the store; when it is complete, what depends on them is made
 * anew in the model and compiled. Shards that differ from the present ones are published. Nothing is published
 * before the source has listed everything once, but for what the state directory holds.
 */
#pragma once

#include <stdbool.h>

#include "control/publish.h"
#include "control/state.h"
#include "kube/source.h"
#include "kube/store.h"
#include "model/model.h"

struct reconcile;

struct reconcile_options {
	const struct model_options *model; /* kept */
	struct state *state;               /* kept; NULL: nothing is stored */
	uint64_t generation_floor;         /* generations are above it */
	/* What was compiled did not get through: reconcile_retry is to be called a little later. NULL: nobody does. */
	void (*on_behind)(void *owner);
	void *owner;
};

/* publisher is kept. Its on_obeyed must come to reconcile_on_obeyed. */
struct reconcile *reconcile_new(const struct reconcile_options *options,
				struct publisher *publisher);
void reconcile_free(struct reconcile *reconcile);

/* Offers and sends what the state directory holds. Before anything else. */
void reconcile_publish_stored(struct reconcile *reconcile);

/* What the source is to call. */
struct source_sink reconcile_sink(struct reconcile *reconcile);

/* Every worker obeys routes of that generation or later: what only older ones named goes. */
void reconcile_on_obeyed(struct reconcile *reconcile, uint64_t routes_generation);

/* Once more, where something did not get through. */
void reconcile_retry(struct reconcile *reconcile);

/* Session tickets are sealed with another key from now on. */
void reconcile_rotate_tickets(struct reconcile *reconcile);

/* The source has listed everything once. */
bool reconcile_is_listed(const struct reconcile *reconcile);

const struct store *reconcile_store(const struct reconcile *reconcile);

/* How many diagnostics there are, by id: DIAGNOSTIC_COUNT numbers. */
const uint32_t *reconcile_diagnostic_counts(const struct reconcile *reconcile);
