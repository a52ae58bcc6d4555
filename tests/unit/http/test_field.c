/* SPDX-License-Identifier: Apache-2.0 */
#include "http/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void a_length_is_a_number_below_two_to_the_63(void **state)
{
	static const struct {
		struct span text;
		bool passes;
		uint64_t length;
	} cases[] = {
		{S("0"), true, 0},
		{S("007"), true, 7},
		{S("9223372036854775807"), true, INT64_MAX},
		{S("9223372036854775808"), false, 0},
		{S("00000000000000000007"), false, 0}, /* twenty digits */
		{S(""), false, 0},
		{S("+1"), false, 0},
		{S("-1"), false, 0},
		{S("1 "), false, 0},
		{S("1,1"), false, 0},
		{S("0x1"), false, 0},
		{S("1e2"), false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t length = 0;

		assert_int_equal(field_length_parse(cases[i].text, &length), cases[i].passes);
		assert_int_equal(length, cases[i].length);
	}
}

static void each_field_with_an_id_must_say_it(void **state)
{
	const struct header headers[] = {
		{.name = S("expect"), .value = S("100-Continue"), .id = HEADER_EXPECT},
		{.name = S("accept"), .value = S("x"), .id = HEADER_ACCEPT},
		{.name = S("expect"), .value = S("y"), .id = HEADER_EXPECT},
	};

	(void)state;
	assert_true(field_each_says(headers, 2, HEADER_EXPECT, S("100-continue")));
	assert_false(field_each_says(headers, 3, HEADER_EXPECT, S("100-continue")));
	assert_true(field_each_says(headers, 3, HEADER_TE, S("trailers")));
}

static struct header judged(struct field_names rules, struct span name, enum fault expected)
{
	struct header header = {.name = name};

	assert_int_equal(field_judge_odd_name(rules, &header), expected);
	return header;
}

static void odd_names_of_requests_are_dropped_unless_they_are_asked_for(void **state)
{
	const struct field_names usual = {0};
	const struct field_names underscores = {.underscores = true};
	const struct field_names all = {.keep_odd = true};

	(void)state;
	assert_true(judged(usual, S("x_a"), FAULT_NONE).dropped);
	assert_false(judged(underscores, S("x_a"), FAULT_NONE).dropped);
	assert_true(judged(underscores, S("x.a"), FAULT_NONE).dropped);
	assert_false(judged(all, S("x.a"), FAULT_NONE).dropped);
	/* what is dropped may look like anything, what is kept may not */
	assert_true(judged(usual, S("transfer_encoding"), FAULT_NONE).dropped);
	judged(underscores, S("transfer_encoding"), FAULT_BAD_FIELD);
	judged(all, S("x.forwarded.for"), FAULT_BAD_FIELD);
}

static void odd_names_of_responses_pass_unless_they_frame(void **state)
{
	const struct field_names rules = {.keep_odd = true, .is_response = true};

	(void)state;
	assert_false(judged(rules, S("x_a"), FAULT_NONE).dropped);
	assert_true(judged(rules, S("keep_alive"), FAULT_NONE).dropped);
	judged(rules, S("content_length"), FAULT_BAD_FIELD);
}

static void trailers_say_nothing_that_a_head_decides(void **state)
{
	static const enum header_id never[] = {
		HEADER_HOST,
		HEADER_CONTENT_LENGTH,
		HEADER_TRANSFER_ENCODING,
		HEADER_CONNECTION,
		HEADER_TE,
		HEADER_AUTHORIZATION,
		HEADER_COOKIE,
		HEADER_SET_COOKIE,
		HEADER_X_FORWARDED_FOR,
		HEADER_X_REAL_IP,
		HEADER_X_ORIGINAL_URL,
		HEADER_SSL_CLIENT_VERIFY,
		HEADER_EXPECT,
		HEADER_TRAILER,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(never); i++)
		assert_false(field_may_trail(never[i]));
	assert_true(field_may_trail(HEADER_OTHER));
	assert_true(field_may_trail(HEADER_SERVER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_length_is_a_number_below_two_to_the_63),
		cmocka_unit_test(each_field_with_an_id_must_say_it),
		cmocka_unit_test(odd_names_of_requests_are_dropped_unless_they_are_asked_for),
		cmocka_unit_test(odd_names_of_responses_pass_unless_they_frame),
		cmocka_unit_test(trailers_say_nothing_that_a_head_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
