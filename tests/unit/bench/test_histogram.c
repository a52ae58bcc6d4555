/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct histogram *given_histogram(void)
{
	struct histogram *histogram = test_calloc(1, sizeof(*histogram));

	assert_non_null(histogram);
	return histogram;
}

static void short_times_are_counted_exactly(void **state)
{
	struct histogram *histogram = given_histogram();
	(void)state;

	for (uint64_t value_ns = 1; value_ns <= 1000; value_ns++)
		histogram_add(histogram, value_ns);

	assert_int_equal(histogram_at(histogram, 0.5), 500);
	assert_int_equal(histogram_at(histogram, 0.99), 990);
	assert_int_equal(histogram_at(histogram, 1), 1000);
	test_free(histogram);
}

static void a_time_of_any_length_is_off_by_a_thousandth_at_most(void **state)
{
	(void)state;

	for (uint64_t value_ns = 1; value_ns < UINT64_C(1) << 40; value_ns = value_ns * 3 + 1) {
		struct histogram *histogram = given_histogram();
		uint64_t found_ns;

		histogram_add(histogram, value_ns);
		histogram_add(histogram, value_ns * 4);
		found_ns = histogram_at(histogram, 0.5);

		assert_in_range(found_ns, value_ns, value_ns + value_ns / 1000);
		test_free(histogram);
	}
}

static void no_percentile_is_above_the_longest_time(void **state)
{
	struct histogram *histogram = given_histogram();
	(void)state;

	histogram_add(histogram, 1000001);

	assert_int_equal(histogram_at(histogram, 0.5), 1000001);
	assert_int_equal(histogram->max_ns, 1000001);
	test_free(histogram);
}

static void a_time_without_end_is_counted_in_the_last_slot(void **state)
{
	struct histogram *histogram = given_histogram();
	(void)state;

	histogram_add(histogram, UINT64_MAX);

	assert_int_equal(histogram->count, 1);
	assert_int_equal(histogram->slots[HISTOGRAM_SLOTS - 1], 1);
	test_free(histogram);
}

static void without_times_every_percentile_is_zero(void **state)
{
	struct histogram *histogram = given_histogram();
	(void)state;

	assert_int_equal(histogram_at(histogram, 0.99), 0);
	test_free(histogram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_times_are_counted_exactly),
		cmocka_unit_test(a_time_of_any_length_is_off_by_a_thousandth_at_most),
		cmocka_unit_test(no_percentile_is_above_the_longest_time),
		cmocka_unit_test(a_time_without_end_is_counted_in_the_last_slot),
		cmocka_unit_test(without_times_every_percentile_is_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
