/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the live figures while their writers go on: every figure is loaded once and clamped, and no index
 * or length is taken from them. A worker that lies can only make its own figures wrong.
 */
#pragma once

#include "stats/stats.h"

/* Above it a figure is taken for this: what a double holds exactly. Sums stop here too. */
#define STATS_FIGURE_MAX (UINT64_C(1) << 53)

enum { STATS_SUM_CELLS = 128 };

/* A row, summed over all workers. */
struct row_sum {
	/* status 100 … 599, or 0: all others. method and protocol are as found: check them before use as an index. */
	struct status_cell cells[STATS_SUM_CELLS];
	uint32_t cell_count;
	uint64_t requests;                                 /* over all cells */
	uint64_t duration_buckets[STATS_DURATION_BUCKETS]; /* not cumulative */
	uint64_t duration_count;                           /* sum of the buckets */
	uint64_t duration_sum_us;
	uint64_t request_bytes;
	uint64_t response_bytes;
	uint64_t response_size_buckets[STATS_SIZE_BUCKETS]; /* not cumulative */
	uint64_t response_size_count;                       /* sum of the buckets */
};

/* What one worker counted. */
void stats_read_counters(const struct stats_map *map, uint32_t worker,
			 struct worker_counters *counters);

/* The sum over all workers; of use for counters and for gauges that count things, not for generations. */
void stats_sum_counters(const struct stats_map *map, struct worker_counters *sum);

void stats_sum_faults(const struct stats_map *map, uint64_t faults[static STATS_FAULTS_MAX]);

/* row: below STATS_ROUTE_ROWS_MAX; a row too high gives the last one. */
void stats_sum_row(const struct stats_map *map, uint32_t row, struct row_sum *sum);
