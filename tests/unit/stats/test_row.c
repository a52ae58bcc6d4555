/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct route_row row;

static int given_empty_row(void **state)
{
	(void)state;
	memset(&row, 0, sizeof(row));
	return 0;
}

static unsigned bucket_by_walking(const uint32_t *bounds, unsigned count, uint64_t value)
{
	unsigned at = 0;

	while (at < count && value > bounds[at])
		at++;
	return at;
}

static void a_duration_falls_into_the_bucket_of_its_upper_bound(void **state)
{
	unsigned bounds = STATS_DURATION_BUCKETS - 1;

	(void)state;
	assert_int_equal(row_duration_bucket(0), 0);
	assert_int_equal(row_duration_bucket(UINT64_MAX), bounds);
	for (unsigned i = 0; i < bounds; i++) {
		assert_int_equal(row_duration_bucket(stats_duration_bounds_us[i]), i);
		assert_int_equal(row_duration_bucket(stats_duration_bounds_us[i] - 1U), i);
		assert_int_equal(row_duration_bucket(stats_duration_bounds_us[i] + 1U), i + 1);
	}
}

static void a_size_falls_into_the_bucket_of_its_upper_bound(void **state)
{
	unsigned bounds = STATS_SIZE_BUCKETS - 1;

	(void)state;
	assert_int_equal(row_size_bucket(0), 0);
	assert_int_equal(row_size_bucket(UINT64_MAX), bounds);
	for (unsigned i = 0; i < bounds; i++) {
		assert_int_equal(row_size_bucket(stats_size_bounds[i]), i);
		assert_int_equal(row_size_bucket(stats_size_bounds[i] + 1U), i + 1);
	}
}

static void the_search_finds_what_a_walk_over_the_bounds_finds(void **state)
{
	unsigned seed = 4711;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (int i = 0; i < 100000; i++) {
		uint64_t value = (uint64_t)random() >> (random() % 31);

		assert_int_equal(row_duration_bucket(value),
				 bucket_by_walking(stats_duration_bounds_us, 15, value));
		assert_int_equal(row_size_bucket(value),
				 bucket_by_walking(stats_size_bounds, 7, value));
	}
}

static void a_request_counts_in_every_part_of_its_row(void **state)
{
	struct row_request request = {.status = 200,
				      .method = 1,
				      .protocol = 11,
				      .duration_us = 700,
				      .request_bytes = 90,
				      .response_bytes = 5000};

	(void)state;
	row_count(&row, &request);
	row_count(&row, &request);

	assert_int_equal(row.cells[0].status, 200);
	assert_int_equal(row.cells[0].method, 1);
	assert_int_equal(row.cells[0].protocol, 11);
	assert_int_equal(row.cells[0].count, 2);
	assert_int_equal(row.cells[1].count, 0);
	assert_int_equal(row.duration_buckets[1], 2);
	assert_int_equal(row.duration_sum_us, 1400);
	assert_int_equal(row.request_bytes, 180);
	assert_int_equal(row.response_bytes, 10000);
	assert_int_equal(row.response_size_buckets[3], 2);
}

static void status_method_and_protocol_each_make_a_cell_of_their_own(void **state)
{
	struct row_request requests[] = {{.status = 200, .method = 1, .protocol = 11},
					 {.status = 404, .method = 1, .protocol = 11},
					 {.status = 200, .method = 2, .protocol = 11},
					 {.status = 200, .method = 1, .protocol = 10}};

	(void)state;
	for (int twice = 0; twice < 2; twice++)
		for (unsigned i = 0; i < 4; i++)
			row_count(&row, &requests[i]);

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(row.cells[i].count, 2);
	assert_int_equal(row.cells[4].count, 0);
}

static void what_finds_no_cell_is_counted_in_the_last_without_a_status(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < STATS_STATUS_CELLS + 4; i++)
		row_count(&row, &(struct row_request){.status = (uint16_t)(200 + i)});

	assert_int_equal(row.cells[STATS_STATUS_CELLS - 2].status, 200 + STATS_STATUS_CELLS - 2);
	assert_int_equal(row.cells[STATS_STATUS_CELLS - 2].count, 1);
	assert_int_equal(row.cells[STATS_STATUS_CELLS - 1].status, 0);
	assert_int_equal(row.cells[STATS_STATUS_CELLS - 1].count, 5);
}

#define TEST(name) cmocka_unit_test_setup(name, given_empty_row)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_duration_falls_into_the_bucket_of_its_upper_bound),
		TEST(a_size_falls_into_the_bucket_of_its_upper_bound),
		TEST(the_search_finds_what_a_walk_over_the_bounds_finds),
		TEST(a_request_counts_in_every_part_of_its_row),
		TEST(status_method_and_protocol_each_make_a_cell_of_their_own),
		TEST(what_finds_no_cell_is_counted_in_the_last_without_a_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
