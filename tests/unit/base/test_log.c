/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int before = -1; /* what standard error was */
static int ends[2];

static void capture(void)
{
	before = dup(STDERR_FILENO);
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	dup2(ends[1], STDERR_FILENO);
	log_init("test", LOG_LEVEL_INFO);
}

/* What was written to standard error since capture. */
static const char *captured(void)
{
	static char line[4096];
	ssize_t got;

	dup2(before, STDERR_FILENO);
	got = read(ends[0], line, sizeof(line) - 1);
	line[got > 0 ? got : 0] = '\0';
	close(before);
	close(ends[0]);
	close(ends[1]);
	return line;
}

/* Compares from the level on: what stands before is the time. */
static void assert_line(const char *line, const char *expected)
{
	const char *level = strstr(line, "level=");

	assert_non_null(level);
	assert_memory_equal(line, "time=2", 6);
	assert_string_equal(level, expected);
}

static void a_line_tells_time_level_role_text_and_fields(void **state)
{
	(void)state;
	capture();
	log_warn("worker ended", "worker=%d signal=%d", 0, 11);

	assert_line(captured(), "level=warn role=test msg=\"worker ended\" worker=0 signal=11\n");
}

static void a_line_without_fields_ends_behind_its_text(void **state)
{
	(void)state;
	capture();
	log_error("no memory", "");

	assert_line(captured(), "level=error role=test msg=\"no memory\"\n");
}

static void what_is_below_the_level_is_not_written(void **state)
{
	(void)state;
	capture();
	log_debug("why", "a=%d", 1);

	assert_string_equal(captured(), "");
}

static void fields_that_are_too_long_are_cut_and_the_line_still_ends(void **state)
{
	char value[5000];
	const char *line;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';

	capture();
	log_info("long", "value=%s", value);

	line = captured();
	assert_in_range(strlen(line), 1500, 2048);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void levels_are_read_by_their_names_alone(void **state)
{
	enum log_level level = LOG_LEVEL_WARN;

	(void)state;
	assert_false(log_level_parse(S("Error"), &level));
	assert_false(log_level_parse(S(""), &level));
	assert_false(log_level_parse(S("warning"), &level));
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_true(log_level_parse(S("debug"), &level));
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_true(log_level_parse(S("error"), &level));
	assert_int_equal(level, LOG_LEVEL_ERROR);
}

static void a_quoted_value_cannot_leave_its_quotes_or_its_line(void **state)
{
	(void)state;
	assert_string_equal(log_quote(S("a\"b\\c")), "a\\\"b\\\\c");
	assert_string_equal(log_quote(S("a\nb\r\x1b\x7f")), "a\\x0ab\\x0d\\x1b\\x7f");
	assert_string_equal(log_quote(S("\0")), "\\x00");
	assert_string_equal(log_quote(S("caf\xc3\xa9")), "caf\xc3\xa9");
	assert_string_equal(log_quote(span_from(NULL)), "");
}

static void a_long_value_is_cut_whatever_its_bytes_become(void **state)
{
	char value[1000];

	(void)state;
	memset(value, 'v', sizeof(value));
	assert_int_equal(strlen(log_quote(span_make(value, sizeof(value)))), 400);
	memset(value, '"', sizeof(value));
	assert_in_range(strlen(log_quote(span_make(value, sizeof(value)))), 400, 511);
	memset(value, '\n', sizeof(value));
	assert_in_range(strlen(log_quote(span_make(value, sizeof(value)))), 400, 511);
}

static void four_quoted_values_fit_in_one_line(void **state)
{
	const char *texts[4] = {log_quote(S("a")), log_quote(S("b")), log_quote(S("c")),
				log_quote(S("d"))};

	(void)state;
	assert_string_equal(texts[0], "a");
	assert_string_equal(texts[1], "b");
	assert_string_equal(texts[2], "c");
	assert_string_equal(texts[3], "d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_tells_time_level_role_text_and_fields),
		cmocka_unit_test(a_line_without_fields_ends_behind_its_text),
		cmocka_unit_test(what_is_below_the_level_is_not_written),
		cmocka_unit_test(fields_that_are_too_long_are_cut_and_the_line_still_ends),
		cmocka_unit_test(levels_are_read_by_their_names_alone),
		cmocka_unit_test(a_quoted_value_cannot_leave_its_quotes_or_its_line),
		cmocka_unit_test(a_long_value_is_cut_whatever_its_bytes_become),
		cmocka_unit_test(four_quoted_values_fit_in_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
