/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_words_are_kept_and_failure_is_returned(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(error_set(&err, "line %d is odd", 7), -1);
	assert_string_equal(err.text, "line 7 is odd");
}

static void an_error_of_the_system_names_its_number_and_keeps_errno(void **state)
{
	struct error err;

	(void)state;
	errno = ENOENT;
	assert_int_equal(error_sys(&err, "cannot open %s", "web.yaml"), -1);
	assert_string_equal(err.text, "cannot open web.yaml: No such file or directory (ENOENT)");
	assert_int_equal(errno, ENOENT);
}

static void a_number_without_name_is_told_all_the_same(void **state)
{
	struct error err;

	(void)state;
	errno = 9999;
	error_sys(&err, "odd");
	assert_string_equal(err.text, "odd: Unknown error 9999 (?)");
}

static void words_are_put_before_those_that_are_there(void **state)
{
	struct error err;

	(void)state;
	error_set(&err, "no port");
	assert_int_equal(error_prefix(&err, "%s/%s: ", "shop", "web"), -1);
	assert_string_equal(err.text, "shop/web: no port");
}

static void what_is_too_long_is_cut_and_terminated(void **state)
{
	char text[2000];
	struct error err;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';

	error_set(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	errno = ENOENT;
	error_sys(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	error_prefix(&err, "before ");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "before xxx", 10);
	error_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_words_are_kept_and_failure_is_returned),
		cmocka_unit_test(an_error_of_the_system_names_its_number_and_keeps_errno),
		cmocka_unit_test(a_number_without_name_is_told_all_the_same),
		cmocka_unit_test(words_are_put_before_those_that_are_there),
		cmocka_unit_test(what_is_too_long_is_cut_and_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
