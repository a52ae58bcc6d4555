/* SPDX-License-Identifier: Apache-2.0 */
/* How long changes take: from the moment when the source saw one to the last worker that obeys it.
 *
 * A segment waits here from its publishing until every worker acknowledged it or a later one. At most
 * PROPAGATION_WAITING_MAX wait; where workers lag further behind, the oldest are forgotten unmeasured.
 */
#pragma once

#include <stdint.h>

enum { PROPAGATION_BUCKETS = 17, PROPAGATION_WAITING_MAX = 64 };

/* Upper bounds in seconds; the last bucket has none. */
extern const double propagation_bounds[PROPAGATION_BUCKETS - 1];

struct propagation_waiting {
	uint64_t generation;
	uint64_t seen_ns;
};

struct propagation {
	uint64_t buckets[PROPAGATION_BUCKETS]; /* not cumulative */
	double sum;                            /* seconds */
	/* private to propagation.c: oldest first, generations ascend */
	struct propagation_waiting waiting[PROPAGATION_WAITING_MAX];
	uint32_t waiting_count;
};

/* That generation was published for a change seen at seen_ns; later than all before. */
void propagation_begin(struct propagation *propagation, uint64_t generation, uint64_t seen_ns);

/* Every worker obeys that generation or a later one since now_ns. */
void propagation_reach(struct propagation *propagation, uint64_t generation, uint64_t now_ns);

/* A worker refused that generation: it will never be obeyed everywhere. */
void propagation_forget(struct propagation *propagation, uint64_t generation);
