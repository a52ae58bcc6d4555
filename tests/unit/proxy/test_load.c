/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/load.h"

#include <math.h>

#include "base/random.h"
#include "given_loads.h"

static struct given_loads *given;

static int begin(void **state)
{
	(void)state;
	given = given_loads(4, UPSTREAM_EWMA);
	return 0;
}

static int end(void **state)
{
	(void)state;
	given_loads_end(given);
	return 0;
}

static struct endpoint_load *row(uint32_t index)
{
	return stats_endpoint(&given->stats, index);
}

/* An answer by worker 0 after so long, begun and ended now. */
static void answer(uint32_t index, uint64_t latency_us)
{
	given_begin(given, 0, index);
	given_end(given, 0, index, LOAD_ANSWERED, latency_us);
}

static void assert_near(double got, double expected, double off)
{
	if (fabs(got - expected) > off * expected)
		fail_msg("%f is not within %.0f %% of %f", got, off * 100, expected);
}

static void of_a_new_endpoint_nothing_is_known(void **state)
{
	struct load load = given_load(given, 0);

	(void)state;
	assert_true(load.in_flight == 0);
	assert_true(load.latency_us == 0);
	assert_true(load.strain == 1);
}

static void attempts_of_all_workers_are_counted_together(void **state)
{
	(void)state;
	given_begin(given, 0, 1);
	given_begin(given, 1, 1);
	given_begin(given, 1, 1);
	given_end(given, 0, 1, LOAD_ANSWERED, 10);

	assert_true(given_load(given, 1).in_flight == 2);
	assert_int_equal(row(1)->requests, 3);
}

static void an_end_too_many_does_not_count(void **state)
{
	(void)state;
	load_end(&given->books[0], given_key(given, 1));
	given_begin(given, 0, 1);

	assert_true(given_load(given, 1).in_flight == 1);
}

static void a_slot_given_to_another_endpoint_begins_afresh(void **state)
{
	struct load_key former = given_key(given, 2);

	(void)state;
	given_begin(given, 0, 2);
	given_end(given, 0, 2, LOAD_FAILED, 900);
	given_begin(given, 0, 2);
	answer(2, 5000);
	given->endpoints[2].incarnation++;

	assert_true(given_load(given, 2).in_flight == 0);
	assert_true(given_load(given, 2).latency_us == 0);
	given->now_ns += given_s;
	given_begin(given, 1, 2);
	assert_true(given_load(given, 2).in_flight == 1);
	assert_true(given_load(given, 2).latency_us == 0);
	assert_int_equal(row(2)->requests, 1);
	assert_int_equal(row(2)->failures, 0);
	assert_true(row(2)->first_seen_ns == given->now_ns);

	/* what the former one still has to say */
	load_learn(&given->books[0], former, LOAD_ANSWERED, 7, given->now_ns);
	load_end(&given->books[0], former);
	assert_true(given_load(given, 2).in_flight == 1);
	assert_true(given_load(given, 2).latency_us == 0);
}

static void workers_that_see_two_endpoints_in_a_slot_leave_nothing_behind(void **state)
{
	struct load_key keys[2] = {given_key(given, 3), given_key(given, 3)};

	(void)state;
	keys[1].incarnation++;
	for (unsigned i = 0; i < 20; i++)
		load_begin(&given->books[i % 2], keys[i % 2], given->now_ns);
	for (unsigned i = 0; i < 20; i++)
		load_end(&given->books[i % 2], keys[i % 2]);

	assert_true(load_read(&given->stats, keys[0], given->now_ns).in_flight == 0);
	assert_true(load_read(&given->stats, keys[1], given->now_ns).in_flight == 0);
}

static void a_latency_above_the_mean_is_taken_at_once(void **state)
{
	(void)state;
	answer(0, 1000);
	answer(0, 50000);

	assert_near(given_load(given, 0).latency_us, 50000, 0.001);
}

static void latencies_below_the_mean_pull_it_down_in_ten_seconds(void **state)
{
	(void)state;
	answer(0, 100000);
	for (unsigned i = 0; i < 1000; i++) {
		given->now_ns += 10 * given_ms;
		answer(0, 1000);
	}

	assert_near(given_load(given, 0).latency_us, 1000 + 99000 * exp(-1), 0.03);
}

static void an_idle_mean_sinks_and_is_forgotten(void **state)
{
	(void)state;
	answer(0, 8000);

	given->now_ns += 10 * given_s;
	assert_near(given_load(given, 0).latency_us, 8000 * exp(-1), 0.01);
	given->now_ns += 9 * given_s;
	assert_near(given_load(given, 0).latency_us, 8000 * exp(-1.9), 0.01);
	given->now_ns += 2 * given_s;
	assert_true(given_load(given, 0).latency_us == 0);
}

static void halving_is_right_to_half_a_percent(void **state)
{
	(void)state;
	for (double x = 0; x < 40; x += 0.013)
		assert_near(load_half_to((float)x), pow(2, -x), 0.005);
	assert_true(load_half_to(1e9f) < 1e-15f);
}

static void a_quick_failure_is_no_quick_answer(void **state)
{
	(void)state;
	answer(0, 4000);
	given->now_ns += 5 * given_s;
	given_begin(given, 0, 0);
	given_end(given, 0, 0, LOAD_FAILED, 10);

	assert_near(given_load(given, 0).latency_us, 4000, 0.001);
	assert_near(given_load(given, 0).strain, 2, 0.001);
	given_begin(given, 0, 1);
	given_end(given, 0, 1, LOAD_FAILED, 10);
	assert_true(given_load(given, 1).latency_us == 0);
	assert_near(given_load(given, 1).strain, 2, 0.001);
}

static void failures_in_a_row_strain_up_to_a_limit_until_one_answer(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		given_begin(given, 0, 0);
		given_end(given, 0, 0, LOAD_FAILED, 10);
	}

	assert_near(given_load(given, 0).strain, 64, 0.001);
	given->now_ns += 10 * given_s;
	assert_near(given_load(given, 0).strain, 1 + 63 * exp(-1), 0.01);
	answer(0, 10);
	assert_true(given_load(given, 0).strain == 1);
	assert_int_equal(row(0)->failures, 40);
}

static void a_timeout_counts_as_its_time(void **state)
{
	(void)state;
	answer(0, 1000);
	given_begin(given, 0, 0);
	given_end(given, 0, 0, LOAD_TIMED_OUT, 5000000);
	given_begin(given, 0, 1);
	given_end(given, 0, 1, LOAD_TIMED_OUT, 5000000);

	assert_near(given_load(given, 0).latency_us, 5000000, 0.001);
	assert_near(given_load(given, 1).latency_us, 5000000, 0.001);
}

static void a_client_that_goes_tells_only_of_long_waits(void **state)
{
	(void)state;
	answer(0, 1000);
	given->now_ns += 5 * given_s;
	given_begin(given, 0, 0);
	given_end(given, 0, 0, LOAD_ABANDONED, 10);
	assert_near(given_load(given, 0).latency_us, 1000 * exp(-0.5), 0.01);

	given_begin(given, 0, 0);
	given_end(given, 0, 0, LOAD_ABANDONED, 700000);
	given_begin(given, 0, 1);
	given_end(given, 0, 1, LOAD_ABANDONED, 700000);
	assert_near(given_load(given, 0).latency_us, 700000, 0.001);
	assert_true(given_load(given, 1).latency_us == 0);
}

static void an_address_without_a_slot_has_no_figures(void **state)
{
	struct load_key none = {.slot = TABLE_NONE};
	struct load load;

	(void)state;
	load_begin(&given->books[0], none, given->now_ns);
	load_learn(&given->books[0], none, LOAD_FAILED, 10, given->now_ns);
	load = load_read(&given->stats, none, given->now_ns);

	assert_true(load.in_flight == 0 && load.strain == 1);
	load_end(&given->books[0], none);
}

/*
 * The ledger
 */

static void a_successor_takes_back_what_a_killed_worker_left(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		given_begin(given, 0, 1);
	given_begin(given, 0, 3);
	given_begin(given, 2, 1);
	given_end(given, 0, 1, LOAD_ANSWERED, 10);

	stats_begin(&given->stats, given->books[0].area);

	assert_true(given_load(given, 1).in_flight == 1);
	assert_true(given_load(given, 3).in_flight == 0);
	stats_begin(&given->stats, given->books[0].area);
	assert_true(given_load(given, 1).in_flight == 1);
}

static void what_a_killed_worker_left_of_a_former_endpoint_is_not_taken_from_the_next(void **state)
{
	(void)state;
	given_begin(given, 0, 1);
	given->endpoints[1].incarnation++;
	given_begin(given, 2, 1);

	stats_begin(&given->stats, given->books[0].area);

	assert_true(given_load(given, 1).in_flight == 1);
}

static void a_scribbled_ledger_takes_back_no_more_than_there_is(void **state)
{
	struct worker_area *area = given->books[0].area;

	(void)state;
	given_begin(given, 2, 1);
	area->ledger_end = UINT32_MAX;
	for (uint32_t i = 0; i < STATS_ENDPOINTS_MAX; i++)
		area->ledger[i] = (struct ledger_row){7, UINT32_MAX - i};

	stats_begin(&given->stats, area);

	for (uint32_t i = 0; i < 4; i++)
		assert_true(given_load(given, i).in_flight == 0);
	assert_int_equal(area->ledger_end, 0);
}

static void a_worker_that_begins_touches_no_page_of_an_unused_ledger(void **state)
{
	struct worker_area *area = given->books[5].area;
	unsigned char resident[8] = {0};
	void *page = (void *)(((uintptr_t)&area->ledger[STATS_ENDPOINTS_MAX / 2] + 4095) & ~4095UL);

	(void)state;
	stats_begin(&given->stats, area);

	assert_int_equal(mincore(page, sizeof(resident) * 4096, resident), 0);
	for (unsigned i = 0; i < sizeof(resident); i++)
		assert_int_equal(resident[i] & 1, 0);
}

/*
 * Rows that others have scribbled over
 */

static void garbage_is_read_as_numbers_in_range(void **state)
{
	struct random random;

	(void)state;
	random_seed(&random, 4711);
	for (unsigned i = 0; i < 100000; i++) {
		struct load load;

		row(0)->in_flight = in_flight_word(7, (uint32_t)random_next(&random));
		row(0)->latency = random_next(&random);
		row(0)->failures_in_a_row = (uint32_t)random_next(&random);
		load = given_load(given, 0);

		assert_true(load.in_flight >= 0 && load.in_flight <= LOAD_IN_FLIGHT_MAX);
		assert_true(load.latency_us >= 0 && load.latency_us <= 4294967296.0f);
		assert_true(load.strain >= 1 && load.strain <= 64);
	}
}

static void garbage_is_counted_in_without_harm(void **state)
{
	struct random random;

	(void)state;
	random_seed(&random, 4712);
	for (unsigned i = 0; i < 100000; i++) {
		row(0)->in_flight = in_flight_word(7, (uint32_t) - (int)(random_next(&random) % 3));
		row(0)->latency = random_next(&random);
		row(0)->failures_in_a_row = (uint32_t) - (int)(random_next(&random) % 3);
		given_begin(given, 0, 0);
		given_end(given, 0, 0, (enum load_outcome)(i % 4), random_next(&random));

		assert_int_equal(row(0)->in_flight >> 32, 7);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(of_a_new_endpoint_nothing_is_known),
		TEST(attempts_of_all_workers_are_counted_together),
		TEST(an_end_too_many_does_not_count),
		TEST(a_slot_given_to_another_endpoint_begins_afresh),
		TEST(workers_that_see_two_endpoints_in_a_slot_leave_nothing_behind),
		TEST(a_latency_above_the_mean_is_taken_at_once),
		TEST(latencies_below_the_mean_pull_it_down_in_ten_seconds),
		TEST(an_idle_mean_sinks_and_is_forgotten),
		TEST(halving_is_right_to_half_a_percent),
		TEST(a_quick_failure_is_no_quick_answer),
		TEST(failures_in_a_row_strain_up_to_a_limit_until_one_answer),
		TEST(a_timeout_counts_as_its_time),
		TEST(a_client_that_goes_tells_only_of_long_waits),
		TEST(an_address_without_a_slot_has_no_figures),
		TEST(a_successor_takes_back_what_a_killed_worker_left),
		TEST(what_a_killed_worker_left_of_a_former_endpoint_is_not_taken_from_the_next),
		TEST(a_scribbled_ledger_takes_back_no_more_than_there_is),
		TEST(a_worker_that_begins_touches_no_page_of_an_unused_ledger),
		TEST(garbage_is_read_as_numbers_in_range),
		TEST(garbage_is_counted_in_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
