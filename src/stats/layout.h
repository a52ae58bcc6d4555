/* SPDX-License-Identifier: Apache-2.0 */
/* The live figures: the one memory that processes share writable.
 *
 * A memfd made by run, mapped by every worker and by control. A worker's area has one writer, that
 * worker; loads of endpoints are written by all workers with atomics. Every reader treats everything here
 * as untrusted numbers: it clamps them, and takes no pointer, length or index from it. Untouched pages
 * cost nothing.
 *
 *     OFFSET                      SIZE                         FIELD
 *          0                      4096                         struct stats_header, written once by run
 *       4096                      64 × STATS_ENDPOINTS_MAX     struct endpoint_load, by endpoint slot
 *       … one after the other     STATS_WORKER_SIZE each       struct worker_area, by worker index
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STATS_VERSION = 2,
	STATS_WORKERS_MAX = 256,
	STATS_ENDPOINTS_MAX = 1 << 17,
	STATS_ROUTE_ROWS_MAX = 1 << 15, /* row 0: whatever has no row of its own */
	STATS_STATUS_CELLS = 16,
	STATS_DURATION_BUCKETS = 16,
	STATS_SIZE_BUCKETS = 8,
};

/* Upper bounds of the duration buckets in microseconds; the last bucket has none. And of sizes in bytes. */
extern const uint32_t stats_duration_bounds_us[STATS_DURATION_BUCKETS - 1];
extern const uint32_t stats_size_bounds[STATS_SIZE_BUCKETS - 1];

struct stats_header {
	char magic[8]; /* "INGOT-ST" */
	uint32_t version;
	uint32_t workers;
	uint64_t started_wall_ns;
};

/* What all workers know of an endpoint, by its slot. One cache line each, so that two endpoints never share one. A slot
 * is given to another endpoint in time: figures belong to the incarnation that stands beside in_flight. */
struct endpoint_load {
	_Atomic uint64_t in_flight; /* incarnation << 32 | attempts under way: see in_flight.h */
	_Atomic uint64_t
		latency; /* mean in microseconds << 32 | when it was learnt: see proxy/load.h */
	_Atomic uint64_t requests;
	_Atomic uint64_t failures;
	_Atomic uint64_t first_seen_ns; /* monotonic: its first request */
	_Atomic uint32_t failures_in_a_row;
	uint8_t reserved[20]; /* for ejection */
};

static_assert(sizeof(struct endpoint_load) == 64, "layout");

/* What a worker has added to the in_flight of an endpoint: its successor takes it back. */
struct ledger_row {
	uint32_t incarnation;
	uint32_t in_flight;
};

/* How many requests ended with that status, method and protocol; a cell with count 0 is free. */
struct status_cell {
	uint16_t status;
	uint8_t method;   /* enum method of http/head.h */
	uint8_t protocol; /* 10: HTTP/1.0, 11: HTTP/1.1, 20, 30 */
	uint32_t reserved;
	uint64_t count;
};

/* Figures of the requests of one rule: which, says the route's object in the table. */
struct route_row {
	struct status_cell
		cells[STATS_STATUS_CELLS]; /* taken in order; the last takes the rest: status 0 */
	uint64_t duration_buckets[STATS_DURATION_BUCKETS]; /* not cumulative */
	uint64_t duration_sum_us;
	uint64_t request_bytes;
	uint64_t response_bytes;
	uint64_t response_size_buckets[STATS_SIZE_BUCKETS]; /* not cumulative */
	uint64_t reserved[5];
};

static_assert(sizeof(struct route_row) == 512, "layout");

/* Counters that grow; gauges end with _now. Names as in metric.def. */
struct worker_counters {
#define COUNTER(name, help) uint64_t name;
#define GAUGE(name, help)   uint64_t name;
#include "stats/metric.def"
#undef COUNTER
#undef GAUGE
};

enum { STATS_FAULTS_MAX = 128 };

struct worker_area {
	union {
		struct worker_counters counters;
		uint8_t counters_size[1024];
	};
	uint64_t faults
		[STATS_FAULTS_MAX]; /* by enum fault: how exchanges ended; the first is "ok" */
	struct route_row routes[STATS_ROUTE_ROWS_MAX];
	uint32_t ledger_end; /* slots at and above have no row that was ever written */
	uint32_t reserved[15];
	struct ledger_row ledger[STATS_ENDPOINTS_MAX];
};

static_assert(sizeof(struct worker_counters) <= 1024, "layout");

enum { STATS_HEADER_SIZE = 4096 };

static inline size_t stats_size(uint32_t workers)
{
	return STATS_HEADER_SIZE + sizeof(struct endpoint_load) * (size_t)STATS_ENDPOINTS_MAX +
	       sizeof(struct worker_area) * workers;
}
