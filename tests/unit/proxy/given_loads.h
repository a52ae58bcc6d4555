/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints with live figures in a memory of its own, workers that balance over them, and a clock that stands until it
 * is moved. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "compile/ring.h"
#include "compile/shares.h"
#include "proxy/balance/balance.h"
#include "proxy/load.h"

enum { GIVEN_ENDPOINTS_MAX = 1024, GIVEN_WORKERS = 16 };

static const uint64_t given_ms = 1000000;
static const uint64_t given_s = 1000000000;

struct given_loads {
	int fd;
	struct stats_map stats;
	struct balance workers[GIVEN_WORKERS];
	struct load_book books[GIVEN_WORKERS];
	struct endpoint_record endpoints[GIVEN_ENDPOINTS_MAX];
	struct buf segment;
	struct endpoints compiled;
	struct balance_choice choice;
	uint64_t now_ns;
};

/* All of weight 1, in slots of their own, and of them nothing is known. */
static inline struct given_loads *given_loads(uint32_t count, enum upstream_algorithm algorithm)
{
	struct given_loads *given = memory_new(sizeof(*given));
	struct error err;

	given->fd = stats_new(GIVEN_WORKERS, &err);
	assert_int_not_equal(given->fd, -1);
	assert_int_equal(stats_map(&given->stats, given->fd, STATS_WRITE, &err), 0);
	for (uint32_t i = 0; i < GIVEN_WORKERS; i++) {
		balance_init(&given->workers[i], &given->stats, 1000 + i);
		given->books[i] = (struct load_book){&given->stats, stats_worker(&given->stats, i)};
	}
	for (uint32_t i = 0; i < count; i++) {
		given->endpoints[i] = (struct endpoint_record){
			.port = 8080, .weight = 1, .slot = i, .incarnation = 7};
		given->endpoints[i].ip.bytes[14] = (uint8_t)(i >> 8);
		given->endpoints[i].ip.bytes[15] = (uint8_t)i;
	}
	given->now_ns = 1000 * given_s;
	given->choice = (struct balance_choice){
		.endpoints = given->endpoints, .count = count, .algorithm = (uint8_t)algorithm};
	return given;
}

static inline void given_loads_end(struct given_loads *given)
{
	for (uint32_t i = 0; i < GIVEN_WORKERS; i++)
		balance_fini(&given->workers[i]);
	buf_fini(&given->segment);
	stats_unmap(&given->stats);
	close(given->fd);
	free(given);
}

static inline struct load_key given_key(const struct given_loads *given, uint32_t index)
{
	return (struct load_key){given->endpoints[index].slot, given->endpoints[index].incarnation};
}

static inline struct load given_load(const struct given_loads *given, uint32_t index)
{
	return load_read(&given->stats, given_key(given, index), given->now_ns);
}

static inline uint32_t given_pick(struct given_loads *given, uint32_t worker, uint64_t key)
{
	const struct endpoint_record *picked;

	given->choice.now_ns = given->now_ns;
	picked = balance_pick(&given->workers[worker], &given->choice, key);
	assert_in_range(picked - given->choice.endpoints, 0, given->choice.count - 1);
	return (uint32_t)(picked - given->choice.endpoints);
}

static inline void given_begin(struct given_loads *given, uint32_t worker, uint32_t index)
{
	load_begin(&given->books[worker], given_key(given, index), given->now_ns);
}

static inline void given_end(struct given_loads *given, uint32_t worker, uint32_t index,
			     enum load_outcome outcome, uint64_t latency_us)
{
	load_learn(&given->books[worker], given_key(given, index), outcome, latency_us,
		   given->now_ns);
	load_end(&given->books[worker], given_key(given, index));
}

/* The choice becomes what compile makes of the endpoints and their weights, and a worker of that. */
static inline void given_compiled(struct given_loads *given, uint32_t subset_size,
				  uint32_t bound_percent)
{
	struct upstream_record record = {.incarnation = 1,
					 .endpoint_count = given->choice.count,
					 .tls = TABLE_NONE,
					 .algorithm = given->choice.algorithm,
					 .subset_size = subset_size,
					 .bound_percent = bound_percent};
	struct table_stamp stamp = {.generation = 1, .shard_count = 1};
	struct builder builder;
	struct error err;

	builder_init(&builder, TABLE_ENDPOINTS);
	for (uint32_t i = 0; i < given->choice.count; i++)
		builder_add(&builder, ENDPOINTS_ENDPOINTS, &given->endpoints[i]);
	record.first_share = shares_add(&builder, given->endpoints, given->choice.count);
	if (record.algorithm == UPSTREAM_HASH)
		ring_add(&builder, given->endpoints, &record);
	builder_add(&builder, ENDPOINTS_UPSTREAMS, &record);
	buf_clear(&given->segment);
	builder_finish(&builder, &stamp, &given->segment);
	builder_fini(&builder);
	if (endpoints_verify(buf_span(&given->segment), &given->compiled, &err) == -1)
		fail_msg("%s", err.text);
	balance_offer(&given->choice,
		      &(struct upstream_match){given->compiled.upstreams, &given->compiled});
}

static inline void given_weights(struct given_loads *given, const uint32_t *weights)
{
	for (uint32_t i = 0; i < given->choice.count; i++)
		given->endpoints[i].weight = weights[i];
	given_compiled(given, 0, 0);
}
