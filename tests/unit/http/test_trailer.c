/* SPDX-License-Identifier: Apache-2.0 */
#include "http/trailer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct header fields[TRAILER_FIELDS_MAX];

static void assert_field(uint32_t at, const char *name, const char *value)
{
	assert_true(span_equals(fields[at].name, span_from(name)));
	assert_true(span_equals(fields[at].value, span_from(value)));
}

static void lines_are_fields_without_blanks_around_their_values(void **state)
{
	uint32_t count = trailer_parse(S("Grpc-Status:0\r\nx: a: b \t\r\ny:\r\n\r\n"), fields);

	(void)state;
	assert_int_equal(count, 3);
	assert_field(0, "Grpc-Status", "0");
	assert_field(1, "x", "a: b");
	assert_field(2, "y", "");
	for (unsigned i = 0; i < count; i++)
		assert_false(fields[i].dropped);
}

static void the_empty_line_alone_is_no_field(void **state)
{
	(void)state;
	assert_int_equal(trailer_parse(S("\r\n"), fields), 0);
	assert_int_equal(trailer_parse(S(""), fields), 0);
}

static void what_belongs_into_a_head_does_not_go_on(void **state)
{
	static const char *const names[] = {
		"Content-Length", "transfer-encoding", "Set-Cookie",    "Host",
		"Connection",     "X-Forwarded-For",   "Content_Length"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[64];
		size_t length = strlen(names[i]);

		memcpy(text, names[i], length);
		memcpy(text + length, ": 1\r\n\r\n", 7);

		assert_int_equal(trailer_parse(span_make(text, length + 7), fields), 1);
		assert_true(fields[0].dropped);
	}
}

static void no_more_fields_are_taken_than_there_is_room_for(void **state)
{
	static char text[TRAILER_FIELDS_MAX * 5 + 5 + 2];

	(void)state;
	for (size_t i = 0; i <= TRAILER_FIELDS_MAX; i++)
		memcpy(text + i * 5, "a:b\r\n", 5);
	memcpy(text + sizeof(text) - 2, "\r\n", 2);

	assert_int_equal(trailer_parse(span_make(text, sizeof(text)), fields), TRAILER_FIELDS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_fields_without_blanks_around_their_values),
		cmocka_unit_test(the_empty_line_alone_is_no_field),
		cmocka_unit_test(what_belongs_into_a_head_does_not_go_on),
		cmocka_unit_test(no_more_fields_are_taken_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
