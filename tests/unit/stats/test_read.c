/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "stats/row.h"

enum { WORKERS = 3 };

static struct stats_map map;
static struct row_sum sum;

static int given_three_workers(void **state)
{
	struct error err;
	int fd = stats_new(WORKERS, &err);

	(void)state;
	if (fd == -1 || stats_map(&map, fd, STATS_WRITE, &err) == -1)
		return -1;
	close(fd);
	return 0;
}

static int end_workers(void **state)
{
	(void)state;
	stats_unmap(&map);
	return 0;
}

static struct route_row *row_of(uint32_t worker, uint32_t row)
{
	return &stats_worker(&map, worker)->routes[row];
}

static void counters_are_summed_over_all_workers(void **state)
{
	struct worker_counters counters;

	(void)state;
	for (uint32_t i = 0; i < WORKERS; i++) {
		stats_worker(&map, i)->counters.requests = 10 + i;
		stats_worker(&map, i)->counters.tunnels_now = i;
	}
	stats_sum_counters(&map, &counters);

	assert_int_equal(counters.requests, 33);
	assert_int_equal(counters.tunnels_now, 3);
	assert_int_equal(counters.retries, 0);
}

static void the_counters_of_one_worker_are_its_own(void **state)
{
	struct worker_counters counters;

	(void)state;
	stats_worker(&map, 1)->counters.routes_generation_now = 7;
	stats_worker(&map, 2)->counters.routes_generation_now = 8;
	stats_read_counters(&map, 1, &counters);

	assert_int_equal(counters.routes_generation_now, 7);
}

static void a_figure_that_cannot_be_is_clamped(void **state)
{
	struct worker_counters counters;

	(void)state;
	for (uint32_t i = 0; i < WORKERS; i++) {
		stats_worker(&map, i)->counters.requests = UINT64_MAX;
		stats_worker(&map, i)->counters.tunnels_now = (uint64_t)-1;
	}
	stats_sum_counters(&map, &counters);

	assert_int_equal(counters.requests, STATS_FIGURE_MAX);
	assert_int_equal(counters.tunnels_now, STATS_FIGURE_MAX);
}

static void faults_are_summed_over_all_workers(void **state)
{
	uint64_t faults[STATS_FAULTS_MAX];

	(void)state;
	stats_worker(&map, 0)->faults[0] = 1;
	stats_worker(&map, 0)->faults[STATS_FAULTS_MAX - 1] = 2;
	stats_worker(&map, 2)->faults[STATS_FAULTS_MAX - 1] = 3;
	stats_sum_faults(&map, faults);

	assert_int_equal(faults[0], 1);
	assert_int_equal(faults[1], 0);
	assert_int_equal(faults[STATS_FAULTS_MAX - 1], 5);
}

static void a_row_is_summed_and_equal_cells_meet(void **state)
{
	struct row_request found = {.status = 200, .method = 1, .protocol = 11, .duration_us = 600};
	struct row_request missing = {
		.status = 404, .method = 1, .protocol = 11, .response_bytes = 20};

	(void)state;
	row_count(row_of(0, 5), &found);
	row_count(row_of(0, 5), &missing);
	row_count(row_of(2, 5), &missing);
	row_count(row_of(2, 6), &missing);
	stats_sum_row(&map, 5, &sum);

	assert_int_equal(sum.cell_count, 2);
	assert_int_equal(sum.cells[0].status, 200);
	assert_int_equal(sum.cells[0].count, 1);
	assert_int_equal(sum.cells[1].status, 404);
	assert_int_equal(sum.cells[1].count, 2);
	assert_int_equal(sum.requests, 3);
	assert_int_equal(sum.duration_count, 3);
	assert_int_equal(sum.duration_buckets[1], 1);
	assert_int_equal(sum.duration_sum_us, 600);
	assert_int_equal(sum.response_bytes, 40);
	assert_int_equal(sum.response_size_buckets[1], 2);
	assert_int_equal(sum.response_size_count, 3);
}

static void a_row_too_high_gives_the_last_one(void **state)
{
	(void)state;
	row_of(0, STATS_ROUTE_ROWS_MAX - 1)->request_bytes = 5;
	stats_sum_row(&map, UINT32_MAX, &sum);

	assert_int_equal(sum.request_bytes, 5);
}

static void a_status_that_does_not_exist_becomes_none(void **state)
{
	const uint16_t statuses[] = {99, 600, 65535};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		row_of(0, 0)->cells[i] = (struct status_cell){
			.status = statuses[i], .method = 200, .protocol = 77, .count = 1};
	stats_sum_row(&map, 0, &sum);

	assert_int_equal(sum.cell_count, 1);
	assert_int_equal(sum.cells[0].status, 0);
	assert_int_equal(sum.cells[0].method, 0);
	assert_int_equal(sum.cells[0].protocol, 0);
	assert_int_equal(sum.cells[0].count, 3);
}

static void garbage_fills_no_more_than_the_cells_there_are(void **state)
{
	uint64_t in_cells = 0;

	(void)state;
	stats_unmap(&map);
	{
		struct error err;
		int fd = stats_new(12, &err);

		assert_int_equal(stats_map(&map, fd, STATS_WRITE, &err), 0);
		close(fd);
	}
	for (uint32_t worker = 0; worker < 12; worker++)
		for (uint16_t i = 0; i < STATS_STATUS_CELLS; i++)
			row_of(worker, 0)->cells[i] = (struct status_cell){
				.status = (uint16_t)(100 + i),
				.method = (uint8_t)worker,
				.count = 1};
	stats_sum_row(&map, 0, &sum);

	assert_int_equal(sum.cell_count, STATS_SUM_CELLS);
	for (uint32_t i = 0; i < sum.cell_count; i++)
		in_cells += sum.cells[i].count;
	assert_int_equal(in_cells, 12 * STATS_STATUS_CELLS);
	assert_int_equal(sum.requests, 12 * STATS_STATUS_CELLS);
	assert_int_equal(sum.cells[STATS_SUM_CELLS - 1].status, 0);
}

static void a_row_of_nothing_but_ones_stays_within_its_bounds(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WORKERS; i++)
		memset(row_of(i, 3), 0xff, sizeof(struct route_row));
	stats_sum_row(&map, 3, &sum);

	assert_int_equal(sum.requests, STATS_FIGURE_MAX);
	assert_int_equal(sum.duration_count, STATS_FIGURE_MAX);
	assert_int_equal(sum.response_size_buckets[7], STATS_FIGURE_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given_three_workers, end_workers)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counters_are_summed_over_all_workers),
		TEST(the_counters_of_one_worker_are_its_own),
		TEST(a_figure_that_cannot_be_is_clamped),
		TEST(faults_are_summed_over_all_workers),
		TEST(a_row_is_summed_and_equal_cells_meet),
		TEST(a_row_too_high_gives_the_last_one),
		TEST(a_status_that_does_not_exist_becomes_none),
		TEST(garbage_fills_no_more_than_the_cells_there_are),
		TEST(a_row_of_nothing_but_ones_stays_within_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
