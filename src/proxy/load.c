/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/load.h"

static bool is_of(const struct endpoint_load *load, uint32_t incarnation)
{
	return (uint32_t)(atomic_load_explicit(&load->in_flight, memory_order_relaxed) >> 32) ==
	       incarnation;
}

static void begin_afresh(struct endpoint_load *load, uint64_t now_ns)
{
	atomic_store_explicit(&load->latency, 0, memory_order_relaxed);
	atomic_store_explicit(&load->requests, 0, memory_order_relaxed);
	atomic_store_explicit(&load->failures, 0, memory_order_relaxed);
	atomic_store_explicit(&load->failures_in_a_row, 0, memory_order_relaxed);
	atomic_store_explicit(&load->first_seen_ns, now_ns, memory_order_relaxed);
}

void load_begin(const struct load_book *book, struct load_key key, uint64_t now_ns)
{
	struct endpoint_load *load;

	if (key.slot == TABLE_NONE)
		return;
	load = stats_endpoint(book->stats, key.slot);
	ledger_add(book->area, key.slot, key.incarnation);
	if (in_flight_add(load, key.incarnation))
		begin_afresh(load, now_ns);
	atomic_fetch_add_explicit(&load->requests, 1, memory_order_relaxed);
}

void load_end(const struct load_book *book, struct load_key key)
{
	if (key.slot == TABLE_NONE)
		return;
	in_flight_remove(stats_endpoint(book->stats, key.slot), key.incarnation, 1);
	ledger_remove(book->area, key.slot, key.incarnation);
}

/* 0: still nothing is known. */
static uint32_t mean_after(enum load_outcome outcome, uint32_t mean, uint32_t latency,
			   uint32_t ticks)
{
	uint32_t raised = latency > mean ? latency : mean;
	float kept;

	switch (outcome) {
	case LOAD_ANSWERED:
		if (latency >= mean)
			return latency;
		kept = load_decay(ticks);
		return (uint32_t)((float)latency + (float)(mean - latency) * kept);
	case LOAD_TIMED_OUT:
		return raised;
	case LOAD_FAILED:
	case LOAD_ABANDONED:
		break;
	}
	return mean == 0 ? 0 : raised;
}

static void learn_latency(struct endpoint_load *load, enum load_outcome outcome, uint32_t latency,
			  uint32_t tick)
{
	uint64_t seen = atomic_load_explicit(&load->latency, memory_order_relaxed);
	uint32_t mean;

	do {
		mean = mean_after(outcome, (uint32_t)(seen >> 32), latency, tick - (uint32_t)seen);
		/* a client that goes is no news of an endpoint that had time left */
		if (outcome == LOAD_ABANDONED && mean == (uint32_t)(seen >> 32))
			return;
	} while (!atomic_compare_exchange_weak_explicit(
		&load->latency, &seen, (uint64_t)mean << 32 | tick, memory_order_relaxed,
		memory_order_relaxed));
}

static void count_failure(struct endpoint_load *load)
{
	atomic_fetch_add_explicit(&load->failures, 1, memory_order_relaxed);
	if (atomic_load_explicit(&load->failures_in_a_row, memory_order_relaxed) < UINT32_MAX / 2)
		atomic_fetch_add_explicit(&load->failures_in_a_row, 1, memory_order_relaxed);
}

void load_learn(const struct load_book *book, struct load_key key, enum load_outcome outcome,
		uint64_t latency_us, uint64_t now_ns)
{
	uint32_t latency = latency_us < UINT32_MAX ? (uint32_t)latency_us : UINT32_MAX;
	struct endpoint_load *load;

	if (key.slot == TABLE_NONE)
		return;
	load = stats_endpoint(book->stats, key.slot);
	if (!is_of(load, key.incarnation))
		return;
	learn_latency(load, outcome, latency > 0 ? latency : 1, load_tick(now_ns));
	if (outcome == LOAD_FAILED || outcome == LOAD_TIMED_OUT)
		count_failure(load);
	else if (outcome == LOAD_ANSWERED &&
		 atomic_load_explicit(&load->failures_in_a_row, memory_order_relaxed) != 0)
		atomic_store_explicit(&load->failures_in_a_row, 0, memory_order_relaxed);
}

void load_fail_at_once(const struct load_book *book, struct load_key key, uint64_t now_ns)
{
	load_begin(book, key, now_ns);
	load_learn(book, key, LOAD_FAILED, 0, now_ns);
	load_end(book, key);
}
