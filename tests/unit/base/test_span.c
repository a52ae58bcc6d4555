/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define assert_span(found, literal) assert_true(span_equals(found, S(literal)))

static void the_empty_span_equals_every_other_empty_span(void **state)
{
	(void)state;
	assert_true(span_equals(span_from(NULL), S("")));
	assert_false(span_equals(span_from(NULL), S("a")));
	assert_int_equal(span_compare(span_from(NULL), S("")), 0);
}

static void a_text_starts_and_ends_with_its_whole_self_and_with_nothing(void **state)
{
	(void)state;
	assert_true(span_starts_with(S("cart"), S("cart")));
	assert_true(span_ends_with(S("cart"), S("cart")));
	assert_true(span_starts_with(S("cart"), span_from(NULL)));
	assert_true(span_ends_with(S("cart"), span_from(NULL)));
	assert_false(span_starts_with(S("car"), S("cart")));
	assert_false(span_ends_with(S("art"), S("cart")));
	assert_false(span_starts_with(S("cart"), S("art")));
	assert_true(span_ends_with(S("cart"), S("art")));
}

static void skip_and_take_stop_at_the_end(void **state)
{
	(void)state;
	assert_span(span_skip(S("abc"), 1), "bc");
	assert_span(span_skip(S("abc"), 3), "");
	assert_span(span_skip(S("abc"), SIZE_MAX), "");
	assert_span(span_take(S("abc"), 2), "ab");
	assert_span(span_take(S("abc"), SIZE_MAX), "abc");
}

static void find_gives_the_first_place_or_none(void **state)
{
	(void)state;
	assert_int_equal(span_find(S("a/b/c"), '/'), 1);
	assert_true(span_find(S("abc"), '/') == SIZE_MAX);
	assert_true(span_find(span_from(NULL), '/') == SIZE_MAX);
}

static void letters_of_ascii_alone_have_two_cases(void **state)
{
	(void)state;
	assert_true(span_equals_nocase(S("Content-LENGTH"), S("content-length")));
	assert_false(span_equals_nocase(S("[\\]^"), S("{|}~")));
	assert_false(span_equals_nocase(S("@"), S("`")));
	assert_false(span_equals_nocase(S("\xc4"), S("\xe4")));
	assert_false(span_equals_nocase(S("ab"), S("abc")));
}

static void order_is_that_of_unsigned_bytes_and_prefixes_come_first(void **state)
{
	(void)state;
	assert_true(span_compare(S("a"), S("b")) < 0);
	assert_true(span_compare(S("a"), S("ab")) < 0);
	assert_true(span_compare(S("ab"), S("a")) > 0);
	assert_true(span_compare(S("\x7f"), S("\x80")) < 0);
	assert_int_equal(span_compare(S("ab"), S("ab")), 0);
}

static void trim_takes_blanks_and_tabs_off_both_ends_only(void **state)
{
	(void)state;
	assert_span(span_trim(S(" \ta b\t ")), "a b");
	assert_span(span_trim(S(" \t ")), "");
	assert_span(span_trim(S("\ra\n")), "\ra\n");
}

static void cut_gives_piece_after_piece_and_the_last_is_seen_by_null(void **state)
{
	struct span rest = S("a,,b");

	(void)state;
	assert_span(span_cut(&rest, ','), "a");
	assert_span(span_cut(&rest, ','), "");
	assert_span(rest, "b");
	assert_span(span_cut(&rest, ','), "b");
	assert_null(rest.ptr);
}

static void cut_tells_an_empty_last_piece_from_none(void **state)
{
	struct span rest = S("a,");

	(void)state;
	assert_span(span_cut(&rest, ','), "a");
	assert_non_null(rest.ptr);
	assert_span(span_cut(&rest, ','), "");
	assert_null(rest.ptr);
}

static void numbers_are_digits_alone_up_to_64_bits(void **state)
{
	static const char *const wrong[] = {"",
					    "-1",
					    "+1",
					    " 1",
					    "1 ",
					    "0x1",
					    "1.",
					    "18446744073709551616",
					    "99999999999999999999"};
	uint64_t value = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(span_to_u64(span_from(wrong[i]), &value));
	assert_int_equal(value, 7);
	assert_true(span_to_u64(S("18446744073709551615"), &value));
	assert_true(value == UINT64_MAX);
	assert_true(span_to_u64(S("000"), &value));
	assert_int_equal(value, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_empty_span_equals_every_other_empty_span),
		cmocka_unit_test(a_text_starts_and_ends_with_its_whole_self_and_with_nothing),
		cmocka_unit_test(skip_and_take_stop_at_the_end),
		cmocka_unit_test(find_gives_the_first_place_or_none),
		cmocka_unit_test(letters_of_ascii_alone_have_two_cases),
		cmocka_unit_test(order_is_that_of_unsigned_bytes_and_prefixes_come_first),
		cmocka_unit_test(trim_takes_blanks_and_tabs_off_both_ends_only),
		cmocka_unit_test(cut_gives_piece_after_piece_and_the_last_is_seen_by_null),
		cmocka_unit_test(cut_tells_an_empty_last_piece_from_none),
		cmocka_unit_test(numbers_are_digits_alone_up_to_64_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
