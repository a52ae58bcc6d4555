/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/stats.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct stats_map given_map(int fd, enum stats_access access)
{
	struct stats_map map;
	struct error err;

	assert_int_equal(stats_map(&map, fd, access, &err), 0);
	return map;
}

static int given_figures(uint32_t workers)
{
	struct error err;
	int fd = stats_new(workers, &err);

	assert_int_not_equal(fd, -1);
	return fd;
}

static void assert_refused(int fd, const char *words)
{
	struct stats_map map;
	struct error err;

	assert_int_equal(stats_map(&map, fd, STATS_READ, &err), -1);
	assert_non_null(strstr(err.text, words));
	assert_null(map.base);
}

static void new_figures_have_a_header_and_are_zero(void **state)
{
	int fd = given_figures(3);
	struct stats_map map = given_map(fd, STATS_READ);
	const struct stats_header *header = (const void *)map.base;
	struct stat st;

	(void)state;
	assert_memory_equal(header->magic, "INGOT-ST", 8);
	assert_int_equal(header->version, STATS_VERSION);
	assert_int_equal(header->workers, 3);
	assert_true(header->started_wall_ns > 0);
	assert_int_equal(map.workers, 3);
	assert_int_equal(stats_worker(&map, 2)->routes[STATS_ROUTE_ROWS_MAX - 1].reserved[4], 0);
	assert_int_equal(fstat(fd, &st), 0);
	/* untouched pages cost nothing */
	assert_true(st.st_blocks * 512 < 64 * 1024);
	stats_unmap(&map);
	assert_null(map.base);
	close(fd);
}

static void what_a_worker_writes_others_read(void **state)
{
	int fd = given_figures(2);
	struct stats_map writer = given_map(fd, STATS_WRITE);
	struct stats_map reader = given_map(fd, STATS_READ);

	(void)state;
	stats_worker(&writer, 1)->counters.requests = 5;
	stats_endpoint(&writer, 9)->in_flight = 4;

	assert_int_equal(stats_worker(&reader, 1)->counters.requests, 5);
	assert_int_equal(stats_worker(&reader, 0)->counters.requests, 0);
	assert_int_equal(stats_endpoint(&reader, 9)->in_flight, 4);
	stats_unmap(&writer);
	stats_unmap(&reader);
	close(fd);
}

static void areas_lie_where_the_layout_says(void **state)
{
	int fd = given_figures(2);
	struct stats_map map = given_map(fd, STATS_READ);
	size_t loads_end = 4096 + 64UL * STATS_ENDPOINTS_MAX;

	(void)state;
	assert_ptr_equal(stats_endpoint(&map, 0), map.base + 4096);
	assert_ptr_equal(stats_endpoint(&map, 2), map.base + 4096 + 128);
	assert_ptr_equal(stats_worker(&map, 0), map.base + loads_end);
	assert_ptr_equal(stats_worker(&map, 1), map.base + loads_end + sizeof(struct worker_area));
	stats_unmap(&map);
	close(fd);
}

static void an_index_beyond_the_end_gives_the_last_one(void **state)
{
	int fd = given_figures(2);
	struct stats_map map = given_map(fd, STATS_READ);

	(void)state;
	assert_ptr_equal(stats_worker(&map, 2), stats_worker(&map, 1));
	assert_ptr_equal(stats_worker(&map, UINT32_MAX), stats_worker(&map, 1));
	assert_ptr_equal(stats_endpoint(&map, STATS_ENDPOINTS_MAX),
			 stats_endpoint(&map, STATS_ENDPOINTS_MAX - 1));
	assert_ptr_equal(stats_endpoint(&map, UINT32_MAX),
			 stats_endpoint(&map, STATS_ENDPOINTS_MAX - 1));
	stats_unmap(&map);
	close(fd);
}

static void the_size_can_never_change(void **state)
{
	int fd = given_figures(1);

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), -1);
	assert_int_equal(ftruncate(fd, (off_t)stats_size(2)), -1);
	close(fd);
}

static void a_scribbled_header_changes_nothing(void **state)
{
	int fd = given_figures(2);
	struct stats_map writer = given_map(fd, STATS_WRITE);
	struct stats_map map;

	(void)state;
	memset(writer.base, 0xff, STATS_HEADER_SIZE);
	map = given_map(fd, STATS_READ);

	assert_int_equal(map.workers, 2);
	stats_unmap(&map);
	stats_unmap(&writer);
	close(fd);
}

static void a_descriptor_of_another_kind_is_refused(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_refused(fds[0], "is not the memory of the live figures");
	assert_refused(-1, "is not the memory of the live figures");
	close(fds[0]);
	close(fds[1]);
}

static void a_size_that_is_not_sealed_is_refused(void **state)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)stats_size(1)), 0);
	assert_refused(fd, "not sealed");
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	assert_refused(fd, "not sealed");
	close(fd);
}

static void a_size_that_fits_no_number_of_workers_is_refused(void **state)
{
	const size_t sizes[] = {0,
				4096,
				stats_size(0),
				stats_size(1) - 1,
				stats_size(1) + 1,
				stats_size(STATS_WORKERS_MAX + 1)};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd = memfd_create("test", MFD_ALLOW_SEALING);

		assert_int_equal(ftruncate(fd, (off_t)sizes[i]), 0);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
		assert_refused(fd, "fits no number of workers");
		close(fd);
	}
}

static void a_worker_that_begins_keeps_counters_and_zeroes_gauges(void **state)
{
	int fd = given_figures(1);
	struct stats_map map = given_map(fd, STATS_WRITE);
	struct worker_area *area = stats_worker(&map, 0);

	(void)state;
	area->counters.requests = 10;
	area->counters.downstream_active_now = 3;
	area->counters.upstream_idle_now = 2;
	area->routes[0].request_bytes = 99;
	stats_begin(&map, area);

	assert_int_equal(area->counters.requests, 10);
	assert_int_equal(area->routes[0].request_bytes, 99);
	assert_int_equal(area->counters.downstream_active_now, 0);
	assert_int_equal(area->counters.upstream_idle_now, 0);
	stats_unmap(&map);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_figures_have_a_header_and_are_zero),
		cmocka_unit_test(what_a_worker_writes_others_read),
		cmocka_unit_test(areas_lie_where_the_layout_says),
		cmocka_unit_test(an_index_beyond_the_end_gives_the_last_one),
		cmocka_unit_test(the_size_can_never_change),
		cmocka_unit_test(a_scribbled_header_changes_nothing),
		cmocka_unit_test(a_descriptor_of_another_kind_is_refused),
		cmocka_unit_test(a_size_that_is_not_sealed_is_refused),
		cmocka_unit_test(a_size_that_fits_no_number_of_workers_is_refused),
		cmocka_unit_test(a_worker_that_begins_keeps_counters_and_zeroes_gauges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
