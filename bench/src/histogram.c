/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

enum { STEP_BITS = 10 };

/* Below two times HISTOGRAM_STEPS a value is its slot. Above, it is halved until it is below; each
 * halving stands for HISTOGRAM_STEPS slots. */
static uint32_t slot_of(uint64_t value_ns)
{
	uint32_t halvings;
	uint64_t slot;

	if (value_ns < 2 * HISTOGRAM_STEPS)
		return (uint32_t)value_ns;
	halvings = 63 - (uint32_t)__builtin_clzll(value_ns) - STEP_BITS;
	slot = (uint64_t)halvings * HISTOGRAM_STEPS + (value_ns >> halvings);
	return slot < HISTOGRAM_SLOTS ? (uint32_t)slot : HISTOGRAM_SLOTS - 1;
}

/* The largest value of a slot. */
static uint64_t value_of(uint32_t slot)
{
	uint32_t halvings;

	if (slot < 2 * HISTOGRAM_STEPS)
		return slot;
	halvings = slot / HISTOGRAM_STEPS - 1;
	return (((uint64_t)slot - (uint64_t)halvings * HISTOGRAM_STEPS + 1) << halvings) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value_ns)
{
	histogram->slots[slot_of(value_ns)]++;
	histogram->count++;
	histogram->sum_ns += value_ns;
	if (value_ns > histogram->max_ns)
		histogram->max_ns = value_ns;
}

uint64_t histogram_at(const struct histogram *histogram, double share)
{
	double wanted = share * (double)histogram->count;
	uint64_t seen = 0;

	for (uint32_t slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
		seen += histogram->slots[slot];
		if (seen > 0 && (double)seen >= wanted)
			return value_of(slot) < histogram->max_ns ? value_of(slot)
								  : histogram->max_ns;
	}
	return histogram->max_ns;
}
