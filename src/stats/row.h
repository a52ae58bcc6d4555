/* SPDX-License-Identifier: Apache-2.0 */
/* Counting into a worker's own rows: on the path of every request, so plain adds to memory that has no
 * other writer. No lock, no call, no loop but over the few status cells of a row.
 */
#pragma once

#include <stdbool.h>

#include "stats/layout.h"

/* What is counted of a request that ended. */
struct row_request {
	uint16_t status;
	uint8_t method;   /* enum method of http/head.h */
	uint8_t protocol; /* 10, 11, 20, 30 */
	uint64_t duration_us;
	uint64_t request_bytes;
	uint64_t response_bytes;
};

/* How many of the 15 bounds lie below the value: the bucket that holds it, upper bound included. A binary
 * search whose steps are additions, since its branches could not be predicted. */
static inline unsigned row_duration_bucket(uint64_t us)
{
	const uint32_t *bounds = stats_duration_bounds_us;
	unsigned at = us > bounds[7] ? 8 : 0;

	at += us > bounds[at + 3] ? 4 : 0;
	at += us > bounds[at + 1] ? 2 : 0;
	return at + (us > bounds[at] ? 1 : 0);
}

/* The same over the 7 bounds of sizes. */
static inline unsigned row_size_bucket(uint64_t bytes)
{
	const uint32_t *bounds = stats_size_bounds;
	unsigned at = bytes > bounds[3] ? 4 : 0;

	at += bytes > bounds[at + 1] ? 2 : 0;
	return at + (bytes > bounds[at] ? 1 : 0);
}

static_assert(STATS_DURATION_BUCKETS == 16 && STATS_SIZE_BUCKETS == 8, "steps of the searches");

/* The cell of that status, method and protocol, taken if need be; the last one when all are taken. Nearly always
 * the first or second. */
struct status_cell *row_cell(struct route_row *row, const struct row_request *request);

static inline void row_count(struct route_row *row, const struct row_request *request)
{
	row_cell(row, request)->count++;
	row->duration_buckets[row_duration_bucket(request->duration_us)]++;
	row->duration_sum_us += request->duration_us;
	row->request_bytes += request->request_bytes;
	row->response_bytes += request->response_bytes;
	row->response_size_buckets[row_size_bucket(request->response_bytes)]++;
}
