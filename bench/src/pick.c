/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to choose an endpoint, by each algorithm.
 *
 *   usage: pick ALGORITHM ENDPOINTS COUNT    picks that often; prints nanoseconds for each
 *
 * ALGORITHM is round_robin, ewma, least_requests, hash, bounded (hash with a bound) or subset; with "-weighted"
 * behind it every second endpoint has twice the weight. Endpoints have load to be compared, and keys differ from pick
 * to pick.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "compile/ring.h"
#include "compile/shares.h"
#include "program.h"
#include "proxy/balance/balance.h"
#include "proxy/load.h"
#include "table/hash.h"

enum { ENDPOINTS_MAX = 100000, SEED = 20260101 };

struct bench {
	struct stats_map stats;
	struct balance balance;
	struct endpoint_record *records;
	struct upstream_record upstream;
	struct buf segment;
	struct endpoints endpoints;
	struct balance_choice choice;
};

static bool has_ending(const char *text, const char *ending)
{
	size_t length = strlen(text);
	size_t tail = strlen(ending);

	return length >= tail && strcmp(text + length - tail, ending) == 0;
}

static void set_algorithm(struct bench *bench, const char *name)
{
	static const struct {
		const char *name;
		struct upstream_record record;
	} algorithms[] = {
		{"round_robin", {.algorithm = UPSTREAM_ROUND_ROBIN}},
		{"ewma", {.algorithm = UPSTREAM_EWMA}},
		{"least_requests", {.algorithm = UPSTREAM_LEAST_REQUESTS}},
		{"hash", {.algorithm = UPSTREAM_HASH}},
		{"bounded", {.algorithm = UPSTREAM_HASH, .bound_percent = 125}},
		{"subset", {.algorithm = UPSTREAM_HASH, .subset_size = 3}},
	};

	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (strncmp(name, algorithms[i].name, strlen(algorithms[i].name)) != 0)
			continue;
		bench->upstream = algorithms[i].record;
		return;
	}
	program_fail("%s is no algorithm", name);
}

/* As compile builds it. */
static void make_table(struct bench *bench, uint32_t count, bool is_weighted)
{
	struct table_stamp stamp = {.generation = 1, .shard_count = 1};
	struct builder builder;
	struct error err;

	builder_init(&builder, TABLE_ENDPOINTS);
	bench->records = memory_new_array(count, sizeof(*bench->records));
	for (uint32_t i = 0; i < count; i++) {
		bench->records[i] = (struct endpoint_record){.port = 8080,
							     .weight = is_weighted ? 1 + i % 2 : 1,
							     .slot = i,
							     .incarnation = 1};
		memcpy(bench->records[i].ip.bytes, &i, sizeof(i));
		builder_add(&builder, ENDPOINTS_ENDPOINTS, &bench->records[i]);
	}
	bench->upstream.incarnation = 1;
	bench->upstream.endpoint_count = count;
	bench->upstream.tls = TABLE_NONE;
	bench->upstream.first_share = shares_add(&builder, bench->records, count);
	if (bench->upstream.algorithm == UPSTREAM_HASH)
		ring_add(&builder, bench->records, &bench->upstream);
	builder_add(&builder, ENDPOINTS_UPSTREAMS, &bench->upstream);
	builder_finish(&builder, &stamp, &bench->segment);
	builder_fini(&builder);
	if (endpoints_verify(buf_span(&bench->segment), &bench->endpoints, &err) == -1)
		program_fail("%s", err.text);
	bench->choice.upstream = 0;
	balance_offer(&bench->choice,
		      &(struct upstream_match){bench->endpoints.upstreams, &bench->endpoints});
}

/* Two requests under way at each, more or less, and latencies of all kinds. */
static void make_load(struct bench *bench, uint32_t count)
{
	struct load_book book = {&bench->stats, stats_worker(&bench->stats, 0)};
	struct random random;

	random_seed(&random, SEED);
	for (uint32_t i = 0; i < 3 * count; i++) {
		struct load_key key = {.slot = random_below(&random, count), .incarnation = 1};

		load_begin(&book, key, bench->choice.now_ns);
		load_learn(&book, key, LOAD_ANSWERED, random_below(&random, 5000),
			   bench->choice.now_ns);
		if (i % 3 == 0)
			load_end(&book, key);
	}
}

/* Of the processor, whatever else runs. */
static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void pick(struct bench *bench, uint64_t count)
{
	uint64_t began_ns = cpu_ns();
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum += balance_pick(&bench->balance, &bench->choice, i * 0x9e3779b97f4a7c15)->slot;
	printf("{\"ns\": %.1f, \"sum\": %llu}\n", (double)(cpu_ns() - began_ns) / (double)count,
	       (unsigned long long)sum);
}

int main(int argc, char **argv)
{
	struct bench bench = {.choice.now_ns = clock_monotonic_ns()};
	struct error err;
	uint32_t endpoints;
	int fd;

	if (argc != 4)
		program_fail("usage: pick ALGORITHM ENDPOINTS COUNT");
	endpoints = (uint32_t)program_number(argv[2], 1, ENDPOINTS_MAX);
	fd = stats_new(1, &err);
	if (fd == -1 || stats_map(&bench.stats, fd, STATS_WRITE, &err) == -1)
		program_fail("%s", err.text);
	balance_init(&bench.balance, &bench.stats, SEED);
	set_algorithm(&bench, argv[1]);
	make_table(&bench, endpoints, has_ending(argv[1], "-weighted"));
	make_load(&bench, endpoints);
	pick(&bench, program_number(argv[3], 1, 100000000));
	return 0;
}
