/* SPDX-License-Identifier: Apache-2.0 */
#include "control/propagation.h"

#include "given.h"

static const uint64_t ms = 1000000;

static uint64_t count(const struct propagation *propagation)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PROPAGATION_BUCKETS; i++)
		sum += propagation->buckets[i];
	return sum;
}

static void a_change_is_measured_from_being_seen_to_being_obeyed(void **state)
{
	struct propagation propagation = {0};

	(void)state;
	propagation_begin(&propagation, 7, 100 * ms);
	propagation_reach(&propagation, 6, 101 * ms);
	assert_int_equal(count(&propagation), 0);

	propagation_reach(&propagation, 7, 103 * ms);

	assert_int_equal(count(&propagation), 1);
	assert_int_equal(propagation.buckets[3], 1); /* 2.5 ms to 5 ms */
	assert_true(propagation.sum > 0.00299 && propagation.sum < 0.00301);
}

static void a_duration_that_is_a_bound_falls_into_its_bucket(void **state)
{
	struct propagation propagation = {0};

	(void)state;
	propagation_begin(&propagation, 1, 0);

	propagation_reach(&propagation, 1, 5 * ms);

	assert_int_equal(propagation.buckets[3], 1);
}

static void a_worker_that_skips_generations_obeys_them_too(void **state)
{
	struct propagation propagation = {0};

	(void)state;
	propagation_begin(&propagation, 1, 0);
	propagation_begin(&propagation, 2, 0);
	propagation_begin(&propagation, 3, 0);

	propagation_reach(&propagation, 2, ms);

	assert_int_equal(count(&propagation), 2);
	assert_int_equal(propagation.waiting_count, 1);
}

static void nothing_is_measured_twice(void **state)
{
	struct propagation propagation = {0};

	(void)state;
	propagation_begin(&propagation, 1, 0);
	propagation_reach(&propagation, 1, ms);

	propagation_reach(&propagation, 1, 2 * ms);

	assert_int_equal(count(&propagation), 1);
}

static void a_refused_generation_is_not_measured(void **state)
{
	struct propagation propagation = {0};

	(void)state;
	propagation_begin(&propagation, 1, 0);
	propagation_begin(&propagation, 2, 0);

	propagation_forget(&propagation, 1);
	propagation_reach(&propagation, 2, ms);

	assert_int_equal(count(&propagation), 1);
}

static void workers_that_never_answer_cost_no_memory(void **state)
{
	struct propagation propagation = {0};

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		propagation_begin(&propagation, i, 0);

	propagation_reach(&propagation, 1000, ms);

	assert_int_equal(count(&propagation), PROPAGATION_WAITING_MAX);
}

static void a_clock_that_goes_back_gives_no_negative_time(void **state)
{
	struct propagation propagation = {0};

	(void)state;
	propagation_begin(&propagation, 1, 100 * ms);

	propagation_reach(&propagation, 1, 50 * ms);

	assert_int_equal(propagation.buckets[0], 1);
	assert_true(propagation.sum >= 0 && propagation.sum <= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_measured_from_being_seen_to_being_obeyed),
		cmocka_unit_test(a_duration_that_is_a_bound_falls_into_its_bucket),
		cmocka_unit_test(a_worker_that_skips_generations_obeys_them_too),
		cmocka_unit_test(nothing_is_measured_twice),
		cmocka_unit_test(a_refused_generation_is_not_measured),
		cmocka_unit_test(workers_that_never_answer_cost_no_memory),
		cmocka_unit_test(a_clock_that_goes_back_gives_no_negative_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
