/* SPDX-License-Identifier: Apache-2.0 */
/* Durations in nanoseconds, counted in slots whose width grows with the value, as HdrHistogram has them: exact below
 * 2,048 ns, then 1,024 steps for each doubling. A percentile is off by a thousandth at most.
 */
#pragma once

#include <stdint.h>

enum {
	HISTOGRAM_STEPS = 1024,
	HISTOGRAM_DOUBLINGS = 30, /* to half an hour; what is longer counts as that */
	HISTOGRAM_SLOTS = HISTOGRAM_STEPS * (2 + HISTOGRAM_DOUBLINGS)
};

struct histogram {
	uint64_t count;
	uint64_t sum_ns;
	uint64_t max_ns;
	uint64_t slots[HISTOGRAM_SLOTS]; /* private to histogram.c */
};

void histogram_add(struct histogram *histogram, uint64_t value_ns);

/* The value that this share (0 … 1) of all does not exceed; 0 without any. */
uint64_t histogram_at(const struct histogram *histogram, double share);
