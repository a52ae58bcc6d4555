/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts under way at an endpoint, counted by all workers together and by each for itself (its ledger), so that what
 * a worker leaves behind when it dies is taken back.
 *
 * Incarnation and count are one word, so that a change is of the one that was meant: an endpoint that has got the slot
 * begins at zero, and ends of attempts at the former one do not count. Where two workers see different endpoints in a
 * slot for the moments that a table takes to get to both, the count may be too low for as long as those attempts take;
 * it is never below zero, and never stays too high.
 */
#pragma once

#include <stdbool.h>

#include "stats/layout.h"

static inline uint64_t in_flight_word(uint32_t incarnation, uint32_t count)
{
	return (uint64_t)incarnation << 32 | count;
}

/* 0 where the figures are of another endpoint. */
static inline uint32_t in_flight_count(uint64_t word, uint32_t incarnation)
{
	return (uint32_t)(word >> 32) == incarnation ? (uint32_t)word : 0;
}

/* One more. True: the slot was another endpoint's, and the rest of the row is to begin afresh. */
static inline bool in_flight_add(struct endpoint_load *load, uint32_t incarnation)
{
	uint64_t seen = atomic_load_explicit(&load->in_flight, memory_order_relaxed);
	uint32_t count;

	do {
		count = in_flight_count(seen, incarnation);
		count += count < UINT32_MAX;
	} while (!atomic_compare_exchange_weak_explicit(
		&load->in_flight, &seen, in_flight_word(incarnation, count), memory_order_relaxed,
		memory_order_relaxed));
	return (uint32_t)(seen >> 32) != incarnation;
}

/* So many less, down to zero; none where the slot is another endpoint's by now. */
static inline void in_flight_remove(struct endpoint_load *load, uint32_t incarnation,
				    uint32_t count)
{
	uint64_t seen = atomic_load_explicit(&load->in_flight, memory_order_relaxed);
	uint32_t had;

	do {
		had = in_flight_count(seen, incarnation);
		if (had == 0)
			return;
	} while (!atomic_compare_exchange_weak_explicit(
		&load->in_flight, &seen, in_flight_word(incarnation, had > count ? had - count : 0),
		memory_order_relaxed, memory_order_relaxed));
}

/* Before in_flight_add, as ledger_remove is after in_flight_remove: whenever the worker is killed, its successor takes
 * back as much as was added or one too many, and what is too low mends itself. */
static inline void ledger_add(struct worker_area *area, uint32_t slot, uint32_t incarnation)
{
	struct ledger_row *row = &area->ledger[slot];

	if (slot >= area->ledger_end)
		area->ledger_end = slot + 1;
	if (row->incarnation != incarnation)
		*row = (struct ledger_row){.incarnation = incarnation};
	row->in_flight++;
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void ledger_remove(struct worker_area *area, uint32_t slot, uint32_t incarnation)
{
	struct ledger_row *row = &area->ledger[slot];

	atomic_signal_fence(memory_order_seq_cst);
	if (row->incarnation == incarnation && row->in_flight > 0)
		row->in_flight--;
}
