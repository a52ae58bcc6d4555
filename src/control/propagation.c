/* SPDX-License-Identifier: Apache-2.0 */
#include "control/propagation.h"

#include <string.h>

/* Those of every histogram of seconds (user-experience spec, 8). */
const double propagation_bounds[PROPAGATION_BUCKETS - 1] = {
	0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
};

static void remove_first(struct propagation *propagation, uint32_t count)
{
	propagation->waiting_count -= count;
	memmove(propagation->waiting, propagation->waiting + count,
		propagation->waiting_count * sizeof(propagation->waiting[0]));
}

void propagation_begin(struct propagation *propagation, uint64_t generation, uint64_t seen_ns)
{
	if (propagation->waiting_count == PROPAGATION_WAITING_MAX)
		remove_first(propagation, 1);
	propagation->waiting[propagation->waiting_count++] = (struct propagation_waiting){
		generation, seen_ns};
}

static void observe(struct propagation *propagation, double seconds)
{
	uint32_t bucket = 0;

	while (bucket < PROPAGATION_BUCKETS - 1 && seconds > propagation_bounds[bucket])
		bucket++;
	propagation->buckets[bucket]++;
	propagation->sum += seconds;
}

void propagation_reach(struct propagation *propagation, uint64_t generation, uint64_t now_ns)
{
	uint32_t count = 0;

	while (count < propagation->waiting_count &&
	       propagation->waiting[count].generation <= generation) {
		uint64_t seen_ns = propagation->waiting[count++].seen_ns;

		observe(propagation, now_ns <= seen_ns ? 0 : (double)(now_ns - seen_ns) / 1e9);
	}
	remove_first(propagation, count);
}

void propagation_forget(struct propagation *propagation, uint64_t generation)
{
	for (uint32_t i = 0; i < propagation->waiting_count; i++) {
		if (propagation->waiting[i].generation != generation)
			continue;
		memmove(propagation->waiting + i, propagation->waiting + i + 1,
			(propagation->waiting_count - i - 1) * sizeof(propagation->waiting[0]));
		propagation->waiting_count--;
		return;
	}
}
