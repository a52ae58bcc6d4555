/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_json(struct span text, const char *expected)
{
	struct buf buf = {0};

	buf_add_json(&buf, text);
	assert_string_equal(buf_text(&buf), expected);
	buf_fini(&buf);
}

static void what_is_added_stands_one_after_the_other(void **state)
{
	struct buf buf = {0};

	(void)state;
	buf_add(&buf, S("ab"));
	buf_add(&buf, span_from(NULL));
	buf_add_byte(&buf, 'c');
	buf_printf(&buf, "%d-%s", 12, "x");

	assert_true(span_equals(buf_span(&buf), S("abc12-x")));
	assert_string_equal(buf_text(&buf), "abc12-x");
	assert_int_equal(buf.len, 7);
	buf_fini(&buf);
}

static void a_text_larger_than_any_room_so_far_is_kept_whole(void **state)
{
	struct buf buf = {0};

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		buf_printf(&buf, "%04u", i);

	assert_int_equal(buf.len, 20000);
	assert_true(span_equals(span_skip(buf_span(&buf), 19996), S("4999")));
	assert_true(span_starts_with(buf_span(&buf), S("00000001")));
	buf_fini(&buf);
}

static void a_cleared_buf_keeps_its_memory_and_a_finished_one_none(void **state)
{
	struct buf buf = {0};

	(void)state;
	buf_add(&buf, S("abc"));
	buf_clear(&buf);
	assert_int_equal(buf.len, 0);
	assert_true(buf.room >= 3);
	assert_string_equal(buf_text(&buf), "");

	buf_fini(&buf);
	assert_null(buf.ptr);
	assert_int_equal(buf.room, 0);
}

static void an_empty_buf_is_an_empty_text(void **state)
{
	struct buf buf = {0};

	(void)state;
	assert_string_equal(buf_text(&buf), "");
	buf_fini(&buf);
}

static void json_escapes_quotes_backslashes_and_control_bytes(void **state)
{
	(void)state;
	assert_json(S("a\"b\\c/"), "a\\\"b\\\\c/");
	assert_json(S("\n\r\t"), "\\u000a\\u000d\\u0009");
	assert_json(S("\0\x1f\x7f "), "\\u0000\\u001f\\u007f ");
}

static void json_keeps_well_formed_utf_8(void **state)
{
	(void)state;
	assert_json(S("\xc2\x80 \xdf\xbf"), "\xc2\x80 \xdf\xbf");
	assert_json(S("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"),
		    "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80");
	assert_json(S("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

static void json_replaces_every_byte_that_begins_no_well_formed_sequence(void **state)
{
	(void)state;
	/* alone, overlong, surrogate, above U+10FFFF, no lead byte */
	assert_json(S("\x80"), "\\ufffd");
	assert_json(S("\xc0\xaf"), "\\ufffd\\ufffd");
	assert_json(S("\xe0\x9f\xbf"), "\\ufffd\\ufffd\\ufffd");
	assert_json(S("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd");
	assert_json(S("\xf0\x8f\xbf\xbf"), "\\ufffd\\ufffd\\ufffd\\ufffd");
	assert_json(S("\xf4\x90\x80\x80"), "\\ufffd\\ufffd\\ufffd\\ufffd");
	assert_json(S("\xf5\xff"), "\\ufffd\\ufffd");
	/* cut at the end, and by a byte that is no continuation */
	assert_json(S("a\xe2\x82"), "a\\ufffd\\ufffd");
	assert_json(S("\xe2\x82"
		      "b"),
		    "\\ufffd\\ufffdb");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_stands_one_after_the_other),
		cmocka_unit_test(a_text_larger_than_any_room_so_far_is_kept_whole),
		cmocka_unit_test(a_cleared_buf_keeps_its_memory_and_a_finished_one_none),
		cmocka_unit_test(an_empty_buf_is_an_empty_text),
		cmocka_unit_test(json_escapes_quotes_backslashes_and_control_bytes),
		cmocka_unit_test(json_keeps_well_formed_utf_8),
		cmocka_unit_test(json_replaces_every_byte_that_begins_no_well_formed_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
