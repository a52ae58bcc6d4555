/* SPDX-License-Identifier: Apache-2.0 */
/* Balancing in a small world: clients that come as they will (Poisson), 16 workers that choose, endpoints that serve
 * one request after the other. Time is a number and chance has a seed, so that every run is the same.
 */
#include <math.h>

#include "given_loads.h"

enum { REQUESTS_MAX = 1 << 16, ENDPOINTS = 10 };

/* How an endpoint behaves. */
struct server {
	double service_us; /* mean; exponentially distributed */
	double fails_us;   /* above 0: fails after that long, always, whatever it has to do */
	uint64_t free_ns;  /* when all that it has is done */
};

struct request {
	uint64_t begun_ns;
	uint64_t done_ns;
	uint32_t worker;
	uint32_t endpoint;
	bool failed;
};

struct world {
	struct given_loads *given;
	struct server servers[GIVEN_ENDPOINTS_MAX];
	struct random random;
	struct request *open; /* heap by done_ns */
	uint32_t open_count;
	uint64_t counts[GIVEN_ENDPOINTS_MAX];
	float most_in_flight[GIVEN_ENDPOINTS_MAX];
	double *latencies_us; /* of those that did not fail */
	size_t latency_count;
};

static struct world *new_world(uint32_t count, enum upstream_algorithm algorithm)
{
	struct world *world = memory_new(sizeof(*world));

	world->given = given_loads(count, algorithm);
	world->open = memory_new_array(REQUESTS_MAX, sizeof(*world->open));
	world->latencies_us = memory_new_array(1 << 22, sizeof(*world->latencies_us));
	random_seed(&world->random, 42);
	for (uint32_t i = 0; i < count; i++)
		world->servers[i].service_us = 1000;
	return world;
}

static void end_world(struct world *world)
{
	given_loads_end(world->given);
	free(world->latencies_us);
	free(world->open);
	free(world);
}

static double exponential(struct world *world, double mean)
{
	double uniform = ((double)(random_next(&world->random) >> 11) + 1) / 9007199254740992.0;

	return -mean * log(uniform);
}

static void sift_up(struct request *heap, uint32_t at)
{
	while (at > 0 && heap[at].done_ns < heap[(at - 1) / 2].done_ns) {
		struct request moved = heap[at];

		heap[at] = heap[(at - 1) / 2];
		heap[(at - 1) / 2] = moved;
		at = (at - 1) / 2;
	}
}

static void sift_down(struct request *heap, uint32_t count)
{
	uint32_t at = 0;

	for (;;) {
		uint32_t least = at;

		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
			if (heap[child].done_ns < heap[least].done_ns)
				least = child;
		if (least == at)
			return;
		struct request moved = heap[at];

		heap[at] = heap[least];
		heap[least] = moved;
		at = least;
	}
}

static void finish_first(struct world *world)
{
	struct request done = world->open[0];
	double latency_us = (double)(done.done_ns - done.begun_ns) / 1000;

	world->open[0] = world->open[--world->open_count];
	sift_down(world->open, world->open_count);
	world->given->now_ns = done.done_ns;
	given_end(world->given, done.worker, done.endpoint,
		  done.failed ? LOAD_FAILED : LOAD_ANSWERED, (uint64_t)latency_us);
	if (!done.failed)
		world->latencies_us[world->latency_count++] = latency_us;
}

static void finish_until(struct world *world, uint64_t until_ns)
{
	while (world->open_count > 0 && world->open[0].done_ns <= until_ns)
		finish_first(world);
	world->given->now_ns = until_ns;
}

static void begin_request(struct world *world, uint32_t worker, uint64_t key)
{
	uint64_t now_ns = world->given->now_ns;
	struct request request = {.begun_ns = now_ns, .worker = worker};
	struct server *server;
	float in_flight;

	request.endpoint = given_pick(world->given, worker, key);
	server = &world->servers[request.endpoint];
	if (server->fails_us > 0) {
		request.failed = true;
		request.done_ns = now_ns + (uint64_t)(server->fails_us * 1000);
	} else {
		if (server->free_ns < now_ns)
			server->free_ns = now_ns;
		server->free_ns += (uint64_t)(exponential(world, server->service_us) * 1000);
		request.done_ns = server->free_ns;
	}
	given_begin(world->given, worker, request.endpoint);
	in_flight = given_load(world->given, request.endpoint).in_flight;
	if (in_flight > world->most_in_flight[request.endpoint])
		world->most_in_flight[request.endpoint] = in_flight;
	world->counts[request.endpoint]++;
	assert_in_range(world->open_count, 0, REQUESTS_MAX - 1);
	world->open[world->open_count++] = request;
	sift_up(world->open, world->open_count - 1);
}

/* So many requests a second for so long, through all workers. */
static void run(struct world *world, double per_s, double seconds)
{
	uint64_t end_ns = world->given->now_ns + (uint64_t)(seconds * 1e9);
	uint64_t next_ns = world->given->now_ns;

	for (;;) {
		uint32_t worker = random_below(&world->random, GIVEN_WORKERS);

		next_ns += (uint64_t)exponential(world, 1e9 / per_s);
		if (next_ns >= end_ns)
			break;
		finish_until(world, next_ns);
		begin_request(world, worker, random_next(&world->random));
	}
	finish_until(world, end_ns);
}

static void forget(struct world *world)
{
	memset(world->counts, 0, sizeof(world->counts));
	memset(world->most_in_flight, 0, sizeof(world->most_in_flight));
	world->latency_count = 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile_us(struct world *world, double part)
{
	qsort(world->latencies_us, world->latency_count, sizeof(double), compare);
	return world->latencies_us[(size_t)(part * (double)(world->latency_count - 1))];
}

static double share(const struct world *world, uint32_t endpoint)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < world->given->choice.count; i++)
		all += world->counts[i];
	return (double)world->counts[endpoint] / (double)all;
}

static void assert_share(const struct world *world, uint32_t endpoint, double least, double most)
{
	double got = share(world, endpoint);

	if (got < least || got > most)
		fail_msg("endpoint %u has %.4f of all requests, not %.4f to %.4f", endpoint, got,
			 least, most);
}

/*
 * Fairness
 */

static void equal_endpoints_get_equal_shares(void **state)
{
	static const enum upstream_algorithm algorithms[] = {
		UPSTREAM_ROUND_ROBIN, UPSTREAM_LEAST_REQUESTS, UPSTREAM_EWMA};

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		struct world *world = new_world(ENDPOINTS, algorithms[n]);

		run(world, 7000, 20);
		for (uint32_t i = 0; i < ENDPOINTS; i++)
			assert_share(world, i, 0.08, 0.12);
		end_world(world);
	}
}

/* By latency less exactly: who is asked more often has more answers that are slow by chance, and those count. */
static void weights_are_kept_while_there_is_little_to_do(void **state)
{
	static const uint32_t weights[] = {1, 2, 3, 4, 10};
	static const enum upstream_algorithm algorithms[] = {
		UPSTREAM_ROUND_ROBIN, UPSTREAM_LEAST_REQUESTS, UPSTREAM_EWMA};
	static const double off[] = {0.01, 0.1, 0.75};

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		struct world *world = new_world(5, algorithms[n]);

		given_weights(world->given, weights);
		run(world, 200, 300);
		for (uint32_t i = 0; i < 5; i++)
			assert_share(world, i, weights[i] / 20.0 * (1 - off[n]),
				     weights[i] / 20.0 * (1 + off[n]));
		for (uint32_t i = 1; i < 5; i++)
			assert_true(share(world, i) > share(world, i - 1));
		assert_share(world, 4, 0.33, 0.6);
		end_world(world);
	}
}

static void weights_are_kept_by_endpoints_that_are_as_fast_as_heavy(void **state)
{
	static const uint32_t weights[] = {1, 2, 4, 8};
	static const enum upstream_algorithm algorithms[] = {
		UPSTREAM_ROUND_ROBIN, UPSTREAM_LEAST_REQUESTS, UPSTREAM_EWMA};

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		struct world *world = new_world(4, algorithms[n]);

		for (uint32_t i = 0; i < 4; i++)
			world->servers[i].service_us = 4000.0 / weights[i];
		given_weights(world->given, weights);
		run(world, 0.8 * 15 / 4000 * 1e6, 60);
		for (uint32_t i = 0; i < 4; i++)
			assert_share(world, i, weights[i] / 15.0 * 0.5, weights[i] / 15.0 * 1.5);
		end_world(world);
	}
}

/* However many turns there were, each endpoint has had what its weight gives it, to within four. */
static void weighted_turns_are_even_at_every_moment(void **state)
{
	static const uint32_t weights[][5] = {{1, 1, 1, 1, 2},
					      {1, 2, 3, 4, 5},
					      {5, 1, 1, 1, 1},
					      {1, 1, 1, 1, 100},
					      {7, 3, 3, 2, 1}};
	struct given_loads *given = given_loads(5, UPSTREAM_ROUND_ROBIN);

	(void)state;
	for (unsigned n = 0; n < 5; n++) {
		double counts[5] = {0};
		double all = 0;

		given_weights(given, weights[n]);
		for (unsigned i = 0; i < 5; i++)
			all += weights[n][i];
		for (unsigned turn = 1; turn <= 20000; turn++) {
			counts[given_pick(given, 0, 0)]++;
			for (unsigned i = 0; i < 5; i++)
				assert_true(fabs(counts[i] - turn * weights[n][i] / all) < 4);
		}
	}
	given_loads_end(given);
}

/* A heavy one is not asked many times in a row where others have as much together. */
static void weighted_turns_of_one_endpoint_do_not_come_in_a_row(void **state)
{
	static const uint32_t weights[] = {4, 1, 1, 1, 1};
	struct given_loads *given = given_loads(5, UPSTREAM_ROUND_ROBIN);
	unsigned in_a_row = 0;

	(void)state;
	given_weights(given, weights);
	for (unsigned turn = 0; turn < 10000; turn++) {
		in_a_row = given_pick(given, 0, 0) == 0 ? in_a_row + 1 : 0;
		assert_in_range(in_a_row, 0, 2);
	}
	given_loads_end(given);
}

/*
 * Load
 */

static void workers_that_choose_at_the_same_moment_do_not_herd(void **state)
{
	static const enum upstream_algorithm algorithms[] = {UPSTREAM_LEAST_REQUESTS,
							     UPSTREAM_EWMA};

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		struct world *world = new_world(ENDPOINTS, algorithms[n]);

		/* one of them was the fastest of late: everybody knows it */
		run(world, 500, 5);
		finish_until(world, world->given->now_ns + given_s);
		forget(world);
		for (uint32_t i = 0; i < 20 * ENDPOINTS; i++)
			begin_request(world, i % GIVEN_WORKERS, 0);
		for (uint32_t i = 0; i < ENDPOINTS; i++)
			assert_true(world->most_in_flight[i] <= 40);
		if (algorithms[n] == UPSTREAM_LEAST_REQUESTS)
			for (uint32_t i = 0; i < ENDPOINTS; i++)
				assert_in_range(world->most_in_flight[i], 17, 23);
		end_world(world);
	}
}

/* The slow one could serve a hundredth of the load. */
static void a_slow_endpoint_gets_its_due_and_no_more(void **state)
{
	static const enum upstream_algorithm algorithms[] = {UPSTREAM_LEAST_REQUESTS,
							     UPSTREAM_EWMA};
	const double due = 0.1 / 9.1;

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		struct world *world = new_world(ENDPOINTS, algorithms[n]);

		world->servers[3].service_us = 10000;
		run(world, 0.7 * 9100, 20);
		forget(world);
		run(world, 0.7 * 9100, 60);
		assert_share(world, 3, due / 20, due * 2.2);
		end_world(world);
	}
}

static double slow_p99_us(enum upstream_algorithm algorithm)
{
	struct world *world = new_world(ENDPOINTS, algorithm);
	double p99;

	world->servers[3].service_us = 10000;
	run(world, 0.5 * 9100, 30);
	p99 = percentile_us(world, 0.99);
	end_world(world);
	return p99;
}

static void load_spares_clients_what_turns_do_not(void **state)
{
	double turns = slow_p99_us(UPSTREAM_ROUND_ROBIN);

	(void)state;
	assert_true(slow_p99_us(UPSTREAM_EWMA) < turns / 10);
	assert_true(slow_p99_us(UPSTREAM_LEAST_REQUESTS) < turns / 10);
}

static void an_endpoint_that_fails_at_once_does_not_attract(void **state)
{
	static const enum upstream_algorithm algorithms[] = {UPSTREAM_LEAST_REQUESTS,
							     UPSTREAM_EWMA};

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		struct world *world = new_world(ENDPOINTS, algorithms[n]);

		/* one that never was well, and later one that was */
		world->servers[4].fails_us = 50;
		run(world, 6000, 20);
		assert_share(world, 4, 0.0001, 0.01);
		world->servers[5].fails_us = 50;
		forget(world);
		run(world, 5000, 20);
		/* one of them is taken where both are drawn, which is 1 time in 45 */
		assert_share(world, 4, 0.0001, 0.015);
		assert_share(world, 5, 0.0001, 0.015);

		/* and recovers */
		world->servers[4].fails_us = 0;
		run(world, 6000, 60);
		forget(world);
		run(world, 6000, 20);
		assert_share(world, 4, 0.06, 0.15);
		end_world(world);
	}
}

static void of_two_endpoints_the_one_that_fails_gets_next_to_nothing(void **state)
{
	struct world *world = new_world(2, UPSTREAM_EWMA);

	(void)state;
	world->servers[1].fails_us = 50;
	run(world, 300, 120);

	assert_share(world, 1, 0.0005, 0.02);
	end_world(world);
}

static void new_endpoint_beside(uint32_t count, enum upstream_algorithm algorithm, double per_s)
{
	struct world *world = new_world(count, algorithm);
	float most = 0;

	world->given->choice.count = count - 1;
	run(world, per_s, 10);
	forget(world);
	world->given->choice.count = count;
	run(world, per_s, 0.1);
	for (uint32_t i = 0; i < count - 1; i++)
		most = world->most_in_flight[i] > most ? world->most_in_flight[i] : most;

	/* not drowned by those who find it at the same moment, nor left alone */
	assert_true(world->most_in_flight[count - 1] <= 2 * most + 2);
	assert_share(world, count - 1, 0.4 / count, 1.8 / count);
	forget(world);
	run(world, per_s, 10);
	assert_share(world, count - 1, 0.6 / count, 1.5 / count);
	end_world(world);
}

static void a_new_endpoint_neither_starves_nor_drowns(void **state)
{
	(void)state;
	new_endpoint_beside(ENDPOINTS, UPSTREAM_EWMA, 7000);
	new_endpoint_beside(ENDPOINTS, UPSTREAM_LEAST_REQUESTS, 7000);
	new_endpoint_beside(2, UPSTREAM_EWMA, 500);
	new_endpoint_beside(2, UPSTREAM_LEAST_REQUESTS, 900);
}

/* A new one that is slow has no more under way than others, though nobody knows it yet. */
static void a_new_endpoint_that_stalls_is_found_out_at_once(void **state)
{
	struct world *world = new_world(ENDPOINTS, UPSTREAM_EWMA);

	(void)state;
	world->servers[9].service_us = 500000;
	world->given->choice.count = 9;
	run(world, 5000, 10);
	world->given->choice.count = ENDPOINTS;
	forget(world);
	run(world, 5000, 2);

	assert_share(world, 9, 0, 0.01);
	end_world(world);
}

/*
 * Figures that are wrong
 */

static void an_endpoint_whose_figures_are_stuck_is_asked_now_and_then(void **state)
{
	static const enum upstream_algorithm algorithms[] = {UPSTREAM_LEAST_REQUESTS,
							     UPSTREAM_EWMA};

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		struct given_loads *given = given_loads(ENDPOINTS, algorithms[n]);
		struct endpoint_load *row = stats_endpoint(&given->stats, 6);
		unsigned asked = 0;

		for (unsigned i = 0; i < 256 * ENDPOINTS * 20; i++) {
			row->in_flight = in_flight_word(7, UINT32_MAX);
			row->latency = UINT64_MAX << 32 | load_tick(given->now_ns);
			row->failures_in_a_row = UINT32_MAX;
			asked += given_pick(given, i % GIVEN_WORKERS, i) == 6;
		}
		assert_in_range(asked, 5, 60);
		given_loads_end(given);
	}
}

static void garbage_in_every_row_starves_nobody(void **state)
{
	static const enum upstream_algorithm algorithms[] = {
		UPSTREAM_ROUND_ROBIN, UPSTREAM_LEAST_REQUESTS, UPSTREAM_EWMA, UPSTREAM_HASH};

	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		struct given_loads *given = given_loads(ENDPOINTS, algorithms[n]);
		unsigned counts[ENDPOINTS] = {0};
		struct random random;

		random_seed(&random, 99);
		given_compiled(given, 0, algorithms[n] == UPSTREAM_HASH ? 125 : 0);
		for (unsigned i = 0; i < 20000; i++) {
			uint64_t *words = (uint64_t *)(void *)stats_endpoint(&given->stats,
									     i % ENDPOINTS);

			for (unsigned word = 0; word < 8; word++)
				words[word] = random_next(&random);
			if (random_next(&random) % 2 == 0)
				words[0] = in_flight_word(7, (uint32_t)random_next(&random));
			counts[given_pick(given, i % GIVEN_WORKERS, random_next(&random))]++;
		}
		for (unsigned i = 0; i < ENDPOINTS; i++)
			assert_in_range(counts[i], 100, 10000);
		given_loads_end(given);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_endpoints_get_equal_shares),
		cmocka_unit_test(weights_are_kept_while_there_is_little_to_do),
		cmocka_unit_test(weights_are_kept_by_endpoints_that_are_as_fast_as_heavy),
		cmocka_unit_test(weighted_turns_are_even_at_every_moment),
		cmocka_unit_test(weighted_turns_of_one_endpoint_do_not_come_in_a_row),
		cmocka_unit_test(workers_that_choose_at_the_same_moment_do_not_herd),
		cmocka_unit_test(a_slow_endpoint_gets_its_due_and_no_more),
		cmocka_unit_test(load_spares_clients_what_turns_do_not),
		cmocka_unit_test(an_endpoint_that_fails_at_once_does_not_attract),
		cmocka_unit_test(of_two_endpoints_the_one_that_fails_gets_next_to_nothing),
		cmocka_unit_test(a_new_endpoint_neither_starves_nor_drowns),
		cmocka_unit_test(a_new_endpoint_that_stalls_is_found_out_at_once),
		cmocka_unit_test(an_endpoint_whose_figures_are_stuck_is_asked_now_and_then),
		cmocka_unit_test(garbage_in_every_row_starves_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
