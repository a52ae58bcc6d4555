/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of an endpoint's load by all workers together: attempts under way, how long it takes to answer, how
 * often it failed. A worker changes it as its attempts begin and end; balancing reads it.
 *
 * Everything lies in memory that other processes write (stats/layout.h): what is read is taken for a number and
 * clamped. Figures belong to an incarnation of the slot; of an endpoint that they do not belong to, nothing is known.
 *
 * The mean latency is a peak EWMA: a longer time than the mean is taken at once, shorter ones pull it down by and by
 * (time constant LOAD_DECAY_S), and so does time without news. Mean and the moment when it was learnt are one word.
 */
#pragma once

#include "stats/in_flight.h"
#include "stats/stats.h"
#include "table/format.h"

enum {
	LOAD_DECAY_S = 10,
	LOAD_MEMORY_S = 20,           /* a mean that is older is forgotten */
	LOAD_IN_FLIGHT_MAX = 1 << 20, /* more are taken for that */
	LOAD_STRAIN_MAX = 6,          /* failures in a row that count: 2^6 */
	LOAD_TICK_BITS = 20,          /* a tick of the moment: 2^20 ns, about a millisecond */
};

/* One endpoint; slot TABLE_NONE: an address whose load nobody counts. */
struct load_key {
	uint32_t slot;
	uint32_t incarnation;
};

/* Where a worker counts. */
struct load_book {
	const struct stats_map *stats; /* kept */
	struct worker_area *area;      /* its own, kept */
};

enum load_outcome {
	LOAD_ANSWERED,  /* a response head came, and it is not the endpoint's failure */
	LOAD_FAILED,    /* it refused, broke off, or said that it failed (5xx) */
	LOAD_TIMED_OUT, /* it would have taken longer than that */
	LOAD_ABANDONED, /* the client went before an answer came */
};

/* An attempt at the endpoint begins. */
void load_begin(const struct load_book *book, struct load_key key, uint64_t now_ns);

/* What came of it, which for a long response is known long before it ends. latency_us: until then.
 *
 * A failure says nothing about how fast answers are, however quick it was: the mean is kept fresh, raised if the
 * failure took longer, and the endpoint looks busier with each failure in a row (load_read). */
void load_learn(const struct load_book *book, struct load_key key, enum load_outcome outcome,
		uint64_t latency_us, uint64_t now_ns);

/* The attempt is over. */
void load_end(const struct load_book *book, struct load_key key);

/* An attempt that began and failed at once. */
void load_fail_at_once(const struct load_book *book, struct load_key key, uint64_t now_ns);

/* What balancing goes by. */
struct load {
	float in_flight; /* 0 … LOAD_IN_FLIGHT_MAX */
	float latency_us; /* mean, sunk with its age; 0: nothing is known, or it is too old to go by */
	float strain; /* 1; more after failures in a row, as if so many requests more were under way; sinks too */
};

static inline uint32_t load_tick(uint64_t now_ns)
{
	return (uint32_t)(now_ns >> LOAD_TICK_BITS);
}

/* 2^-x for any x from 0 on: a parabola that is right at both ends of each octave, and 0.3 % off between. */
static inline float load_half_to(float x)
{
	uint32_t octaves = x < 63 ? (uint32_t)x : 63;
	float rest = x < 63 ? x - (float)octaves : 0;

	return (1 - rest * (0.6725f - 0.1725f * rest)) / (float)(UINT64_C(1) << octaves);
}

/* What is left of a figure after so many ticks. */
static inline float load_decay(uint32_t ticks)
{
	const float halvings_per_tick = (float)(1 << LOAD_TICK_BITS) /
					((float)LOAD_DECAY_S * 1e9f) * 1.442695f;

	return load_half_to((float)ticks * halvings_per_tick);
}

static inline float load_strain(uint32_t failures, float decay)
{
	uint32_t counted = failures < LOAD_STRAIN_MAX ? failures : LOAD_STRAIN_MAX;

	return 1 + (float)((1U << counted) - 1) * decay;
}

/* A mean of long ago is none. */
static inline bool load_is_forgotten(uint32_t ticks)
{
	return ticks >= (uint32_t)(LOAD_MEMORY_S * UINT64_C(1000000000) >> LOAD_TICK_BITS);
}

static inline struct load load_read(const struct stats_map *stats, struct load_key key,
				    uint64_t now_ns)
{
	struct load load = {.strain = 1};
	const struct endpoint_load *row;
	uint64_t word;
	uint64_t learnt;
	uint32_t failures;
	uint32_t age;
	int32_t count;

	if (key.slot == TABLE_NONE)
		return load;
	row = stats_endpoint(stats, key.slot);
	word = atomic_load_explicit(&row->in_flight, memory_order_relaxed);
	if ((uint32_t)(word >> 32) != key.incarnation)
		return load;
	count = (uint32_t)word < LOAD_IN_FLIGHT_MAX ? (int32_t)word : LOAD_IN_FLIGHT_MAX;
	load.in_flight = (float)count;
	learnt = atomic_load_explicit(&row->latency, memory_order_relaxed);
	failures = atomic_load_explicit(&row->failures_in_a_row, memory_order_relaxed);
	age = load_tick(now_ns) - (uint32_t)learnt;
	if (!load_is_forgotten(age))
		load.latency_us = (float)(learnt >> 32) * load_decay(age);
	if (failures > 0)
		load.strain = load_strain(failures, load_decay(age));
	return load;
}
