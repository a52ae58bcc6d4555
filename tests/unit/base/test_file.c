/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/ingot-test-file-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void given_file(const char *name, struct span content)
{
	struct error err;

	assert_int_equal(file_replace(path_of(name), content, 0600, &err), 0);
}

static void a_file_is_read_as_it_was_written(void **state)
{
	struct buf buf = {0};
	struct error err;
	char *large = calloc(1, 100000);

	(void)state;
	memset(large, 'x', 100000);
	large[99999] = '\0';
	given_file("large", span_make(large, 100000));

	buf_add(&buf, S("before "));
	assert_int_equal(file_read(path_of("large"), 100000, &buf, &err), 0);
	assert_int_equal(buf.len, 100007);
	assert_memory_equal(buf.ptr, "before x", 8);
	assert_memory_equal(buf.ptr + 7, large, 100000);
	buf_fini(&buf);
	free(large);
}

static void a_file_of_a_pseudo_file_system_without_size_is_read(void **state)
{
	struct buf buf = {0};
	struct error err;

	(void)state;
	assert_int_equal(file_read("/proc/self/status", 65536, &buf, &err), 0);
	assert_true(buf.len > 0);
	buf_clear(&buf);
	assert_int_equal(file_read("/proc/self/status", 10, &buf, &err), -1);
	buf_fini(&buf);
}

static void a_file_larger_than_allowed_is_refused_with_both_numbers(void **state)
{
	struct buf buf = {0};
	struct error err;

	(void)state;
	given_file("eleven", S("hello world"));

	assert_int_equal(file_read(path_of("eleven"), 10, &buf, &err), -1);
	assert_non_null(strstr(err.text, "eleven has 11 bytes, more than the 10 allowed"));
	assert_int_equal(file_read(path_of("eleven"), 11, &buf, &err), 0);
	buf_fini(&buf);
}

static void what_is_no_regular_file_is_refused_at_once(void **state)
{
	struct buf buf = {0};
	struct error err;

	(void)state;
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);

	assert_int_equal(file_read(path_of("fifo"), 10, &buf, &err), -1);
	assert_non_null(strstr(err.text, "is not a regular file"));
	assert_int_equal(file_read(directory, 10, &buf, &err), -1);
	assert_non_null(strstr(err.text, "is not a regular file"));
	assert_int_equal(file_read(path_of("absent"), 10, &buf, &err), -1);
	assert_non_null(strstr(err.text, "(ENOENT)"));
	buf_fini(&buf);
}

static void a_secret_that_others_may_use_is_refused_with_its_mode(void **state)
{
	struct buf buf = {0};
	struct error err;

	(void)state;
	given_file("secret", S("hidden"));
	assert_int_equal(file_read_secret(path_of("secret"), 100, &buf, &err), 0);
	assert_int_equal(buf.len, 6);
	assert_int_equal(chmod(path_of("secret"), 0644), 0);

	assert_int_equal(file_read_secret(path_of("secret"), 100, &buf, &err), -1);

	assert_int_equal(buf.len, 6);
	assert_non_null(strstr(err.text, "644"));
	buf_fini(&buf);
}

static void replacing_swaps_the_content_and_leaves_no_temporary_file(void **state)
{
	struct buf buf = {0};
	struct error err;
	struct stat st;

	(void)state;
	given_file("state", S("a longer first content"));
	given_file("state", S("second"));

	assert_int_equal(file_read(path_of("state"), 100, &buf, &err), 0);
	assert_string_equal(buf_text(&buf), "second");
	assert_int_equal(stat(path_of("state"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(access(path_of("state.tmp"), F_OK), -1);
	buf_fini(&buf);
}

static void a_replacement_that_fails_says_why_and_leaves_nothing(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(file_replace(path_of("no/such"), S("x"), 0600, &err), -1);
	assert_non_null(strstr(err.text, "(ENOENT)"));
	assert_int_equal(mkdir(path_of("taken"), 0700), 0);
	assert_int_equal(file_replace(path_of("taken"), S("x"), 0600, &err), -1);
	assert_non_null(strstr(err.text, "cannot rename"));
	assert_int_equal(access(path_of("taken.tmp"), F_OK), -1);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	char path[5000];
	struct error err;

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';

	assert_int_equal(file_replace(path, S("x"), 0600, &err), -1);
	assert_non_null(strstr(err.text, "too long"));
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int remove_directory(void **state)
{
	(void)state;
	return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_as_it_was_written),
		cmocka_unit_test(a_file_of_a_pseudo_file_system_without_size_is_read),
		cmocka_unit_test(a_file_larger_than_allowed_is_refused_with_both_numbers),
		cmocka_unit_test(what_is_no_regular_file_is_refused_at_once),
		cmocka_unit_test(a_secret_that_others_may_use_is_refused_with_its_mode),
		cmocka_unit_test(replacing_swaps_the_content_and_leaves_no_temporary_file),
		cmocka_unit_test(a_replacement_that_fails_says_why_and_leaves_nothing),
		cmocka_unit_test(a_path_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
