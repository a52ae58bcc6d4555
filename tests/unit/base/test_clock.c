/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t ns_per_s = 1000000000;

static void the_three_texts_tell_the_same_moment(void **state)
{
	uint64_t moment_ns = 1795500752 * ns_per_s + 123999999;
	char text[CLOCK_RFC3339_SIZE];

	(void)state;
	assert_int_equal(clock_rfc3339(text, moment_ns), 24);
	assert_string_equal(text, "2026-11-24T06:12:32.123Z");
	assert_int_equal(clock_http_date(text, moment_ns), 29);
	assert_string_equal(text, "Tue, 24 Nov 2026 06:12:32 GMT");
	assert_int_equal(clock_log_time(text, moment_ns), 26);
	assert_string_equal(text, "24/Nov/2026:06:12:32 +0000");
}

static void single_digits_are_padded(void **state)
{
	uint64_t moment_ns = 981173106 * ns_per_s + 4000000;
	char text[CLOCK_RFC3339_SIZE];

	(void)state;
	clock_rfc3339(text, moment_ns);
	assert_string_equal(text, "2001-02-03T04:05:06.004Z");
	clock_http_date(text, moment_ns);
	assert_string_equal(text, "Sat, 03 Feb 2001 04:05:06 GMT");
	clock_log_time(text, moment_ns);
	assert_string_equal(text, "03/Feb/2001:04:05:06 +0000");
}

static void a_leap_day_is_a_day(void **state)
{
	char text[CLOCK_HTTP_SIZE];

	(void)state;
	clock_http_date(text, 951782400 * ns_per_s);
	assert_string_equal(text, "Tue, 29 Feb 2000 00:00:00 GMT");
}

static void the_beginning_of_time_has_a_text(void **state)
{
	char text[CLOCK_HTTP_SIZE];

	(void)state;
	clock_http_date(text, 0);
	assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void the_monotonic_clock_does_not_go_back(void **state)
{
	uint64_t before_ns = clock_monotonic_ns();

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t now_ns = clock_monotonic_ns();

		assert_true(now_ns >= before_ns);
		before_ns = now_ns;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_three_texts_tell_the_same_moment),
		cmocka_unit_test(single_digits_are_padded),
		cmocka_unit_test(a_leap_day_is_a_day),
		cmocka_unit_test(the_beginning_of_time_has_a_text),
		cmocka_unit_test(the_monotonic_clock_does_not_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
