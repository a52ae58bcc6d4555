/* SPDX-License-Identifier: Apache-2.0 */
#include "control/process.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "given.h"

static void this_process_is_described(void **state)
{
	struct process_figures figures;
	double now = (double)clock_wall_ns() / 1e9;

	(void)state;

	assert_true(process_read(getpid(), &figures));

	assert_true(figures.start_seconds > now - 3600 && figures.start_seconds <= now + 1);
	assert_in_range(figures.resident_bytes, 1 << 18, UINT64_C(1) << 40);
	assert_true(figures.virtual_bytes >= figures.resident_bytes);
	assert_in_range(figures.private_bytes, 4096, figures.resident_bytes);
	assert_true(figures.cpu_seconds >= 0 && figures.cpu_seconds < 3600);
}

static void the_descriptor_that_counts_is_not_counted(void **state)
{
	struct process_figures before;
	struct process_figures after;
	int fd;

	(void)state;
	assert_true(process_read(getpid(), &before));
	fd = open("/dev/null", O_RDONLY);

	assert_true(process_read(getpid(), &after));

	assert_true(before.has_descriptors);
	assert_int_equal(after.descriptors, before.descriptors + 1);
	assert_int_equal(before.descriptors + 1, count_descriptors() - 1);
	close(fd);
}

static void a_process_that_does_not_exist_is_not_described(void **state)
{
	struct process_figures figures;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);

	assert_false(process_read(child, &figures));
}

static void used_time_is_counted(void **state)
{
	struct process_figures before;
	struct process_figures after;
	volatile uint64_t work = 0;

	(void)state;
	assert_true(process_read(getpid(), &before));

	/* a tick of the kernel's clock is 10 ms */
	do {
		for (int i = 0; i < 1000000; i++)
			work = work + 1;
		assert_true(process_read(getpid(), &after));
	} while (after.cpu_seconds < before.cpu_seconds + 0.02);

	assert_true(after.cpu_seconds < before.cpu_seconds + 60);
}

static void a_name_full_of_parentheses_shifts_nothing(void **state)
{
	struct process_figures figures;
	char name[16] = {0};

	(void)state;
	prctl(PR_GET_NAME, name);
	prctl(PR_SET_NAME, "a) R 1 (b) 7 8");

	assert_true(process_read(getpid(), &figures));

	prctl(PR_SET_NAME, name);
	assert_in_range(figures.resident_bytes, 1 << 18, UINT64_C(1) << 40);
	assert_true(figures.start_seconds > 1e9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_process_is_described),
		cmocka_unit_test(the_descriptor_that_counts_is_not_counted),
		cmocka_unit_test(a_process_that_does_not_exist_is_not_described),
		cmocka_unit_test(used_time_is_counted),
		cmocka_unit_test(a_name_full_of_parentheses_shifts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
