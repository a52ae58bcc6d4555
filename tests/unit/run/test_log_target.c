/* SPDX-License-Identifier: Apache-2.0 */
#include "run/log_target.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Standard output becomes that descriptor for the time of a test. */
static int kept_stdout = -1;

static void given_standard_output(int fd)
{
	fflush(stdout);
	kept_stdout = dup(STDOUT_FILENO);
	dup2(fd, STDOUT_FILENO);
}

static int end_standard_output(void **state)
{
	(void)state;
	if (kept_stdout != -1) {
		dup2(kept_stdout, STDOUT_FILENO);
		close(kept_stdout);
		kept_stdout = -1;
	}
	return 0;
}

static void off_is_no_descriptor(void **state)
{
	struct error err;
	int fd = 99;

	(void)state;
	assert_int_equal(log_target_open("off", &fd, &err), 0);

	assert_int_equal(fd, -1);
	assert_false(log_target_is_file("off"));
}

static void a_file_is_made_and_appended_to(void **state)
{
	char path[] = "/tmp/ingot-log-XXXXXX";
	struct error err;
	struct stat st;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "old\n", 4), 4);
	close(fd);
	assert_int_equal(log_target_open(path, &fd, &err), 0);
	assert_int_equal(write(fd, "new\n", 4), 4);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 8);
	close(fd);
	unlink(path);
	assert_int_equal(log_target_open(path, &fd, &err), 0);

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0640U, 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(log_target_is_file(path));
	close(fd);
	unlink(path);
}

static void a_pipe_does_not_block_and_our_own_end_stays_as_it_was(void **state)
{
	struct error err;
	int fds[2];
	int fd;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	given_standard_output(fds[1]);
	assert_int_equal(log_target_open("-", &fd, &err), 0);

	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

static void a_file_that_standard_error_shares_is_not_written_over(void **state)
{
	char path[] = "/tmp/ingot-log-XXXXXX";
	char content[16] = {0};
	struct error err;
	int file = mkstemp(path);
	int fd;

	(void)state;
	given_standard_output(file);
	assert_int_equal(log_target_open("-", &fd, &err), 0);
	assert_int_equal(write(file, "a\n", 2), 2);
	assert_int_equal(write(fd, "b\n", 2), 2);
	assert_int_equal(write(file, "c\n", 2), 2);

	assert_int_equal(pread(file, content, sizeof(content), 0), 6);
	assert_string_equal(content, "a\nb\nc\n");
	assert_false(log_target_is_file("-"));
	close(fd);
	close(file);
	unlink(path);
}

static void a_path_that_cannot_be_opened_is_named(void **state)
{
	struct error err;
	int fd;

	(void)state;
	assert_int_equal(log_target_open("/nowhere/access.log", &fd, &err), -1);

	assert_non_null(strstr(err.text, "cannot open the access log /nowhere/access.log"));
	assert_int_equal(fd, -1);
}

#define TEST(name) cmocka_unit_test_teardown(name, end_standard_output)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(off_is_no_descriptor),
		TEST(a_file_is_made_and_appended_to),
		TEST(a_pipe_does_not_block_and_our_own_end_stays_as_it_was),
		TEST(a_file_that_standard_error_shares_is_not_written_over),
		TEST(a_path_that_cannot_be_opened_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
