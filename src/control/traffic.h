/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of requests with the names of what they are about: the rows of the live figures, joined with the
 * present routes. Label values are from objects only.
 *
 * Counters belong to a row, and a row gets another meaning when control starts anew or the number is given again.
 * What was counted before does not belong to the new meaning: it is remembered and subtracted.
 */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"
#include "observe/word.h"
#include "stats/stats.h"
#include "table/shards.h"

/* So many series are made of rows in one answer; the rows that find no place are summed under this name. */
enum { TRAFFIC_SERIES_MAX = 10000 };
#define TRAFFIC_OVERFLOW "overflow"

struct traffic_meanings;

struct traffic_meanings *traffic_meanings_new(void);
void traffic_meanings_free(struct traffic_meanings *meanings);

/* A shard of routes is about to be sent: rows that mean something else by them begin at zero. */
void traffic_note_routes(struct traffic_meanings *meanings, const struct stats_map *stats,
			 const struct routes *routes);

struct traffic_cell {
	uint16_t status; /* 0: others */
	uint8_t method;  /* checked only by word.h */
	uint8_t protocol;
	uint64_t count;
};

/* What was counted under one set of names. */
struct traffic_row {
	struct span namespace;
	struct span ingress;
	struct span service;
	struct span host; /* "_": not that of an object */
	struct span path; /* empty: several, or not known */
	struct traffic_cell *cells;
	uint32_t cell_count;
	uint64_t duration_buckets[STATS_DURATION_BUCKETS]; /* not cumulative */
	uint64_t duration_sum_us;
	uint64_t request_bytes;
	uint64_t response_bytes;
	uint64_t response_size_buckets[STATS_SIZE_BUCKETS]; /* not cumulative */
};

/* The rows that counted anything, sorted by namespace, ingress, service, host. */
struct traffic {
	struct traffic_row
		*rows; /* names are borrowed from the shards, all else lies in the arena */
	uint32_t count;
	uint32_t overflowed; /* series that have no place of their own */
};

/* routes may be NULL. series_of_row: how many series the caller makes of a row besides those of its cells. */
void traffic_collect(const struct traffic_meanings *meanings, const struct stats_map *stats,
		     const struct shards *routes, uint32_t series_of_row, struct arena *arena,
		     struct traffic *traffic);

/* How many rows from `first` on agree in namespace, ingress and service. */
uint32_t traffic_same_service(const struct traffic *traffic, uint32_t first);

/* Sums of such rows, without cells. */
struct traffic_row traffic_sum(const struct traffic_row *rows, uint32_t count);
