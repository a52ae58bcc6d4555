/* SPDX-License-Identifier: Apache-2.0 */
#include "model/scalar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void truths_have_twelve_spellings(void **state)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
	static const char *const none[] = {"", "yes", "on", "tRUE", " true", "true ", "2"};
	bool value = false;

	(void)state;
	for (int i = 0; i < 6; i++) {
		assert_true(scalar_bool(span_from(yes[i]), &value) && value);
		assert_true(scalar_bool(span_from(no[i]), &value) && !value);
	}
	for (int i = 0; i < 7; i++)
		assert_false(scalar_bool(span_from(none[i]), &value));
}

static void assert_size(const char *text, bool valid, uint64_t expected)
{
	uint64_t bytes = 7;

	assert_int_equal(scalar_size(span_from(text), &bytes), valid);
	assert_true(bytes == (valid ? expected : 7));
}

static void sizes_may_have_a_unit(void **state)
{
	(void)state;
	assert_size("0", true, 0);
	assert_size("12b", true, 12);
	assert_size("8k", true, 8192);
	assert_size("1M", true, 1 << 20);
	assert_size("4G", true, 1ULL << 32);
	assert_size("17179869183g", true, 17179869183ULL << 30);
	assert_size("17179869184g", false, 0);
	assert_size("", false, 0);
	assert_size("k", false, 0);
	assert_size("1 k", false, 0);
	assert_size("-1", false, 0);
	assert_size("1kb", false, 0);
	assert_size("1.5k", false, 0);
}

static void assert_time(const char *text, bool valid, uint64_t expected)
{
	uint64_t ms = 7;

	assert_int_equal(scalar_time_ms(span_from(text), &ms), valid);
	assert_true(ms == (valid ? expected : 7));
}

static void times_may_have_several_pieces(void **state)
{
	(void)state;
	assert_time("90", true, 90000);
	assert_time("500ms", true, 500);
	assert_time("1h 30m", true, 5400000);
	assert_time("1h30m", true, 5400000);
	assert_time("1d", true, 86400000);
	assert_time("7w", true, 4233600000);
	assert_time("8w", false, 0);
	assert_time("99999999999w", false, 0);
	assert_time("", false, 0);
	assert_time("s", false, 0);
	assert_time("10 s", false, 0);
	assert_time("1y", false, 0);
	assert_time("soon", false, 0);
}

static void depths_are_small_numbers(void **state)
{
	uint32_t depth = 7;

	(void)state;
	assert_true(scalar_depth(S("3"), &depth));
	assert_int_equal(depth, 3);
	assert_true(scalar_depth(S("0"), &depth));
	assert_int_equal(depth, 1);
	assert_true(scalar_depth(S("100"), &depth));
	assert_false(scalar_depth(S("101"), &depth));
	assert_false(scalar_depth(S("-1"), &depth));
	assert_false(scalar_depth(S(""), &depth));
	assert_int_equal(depth, 100);
}

static void words_are_of_the_letters_that_openssl_uses(void **state)
{
	char text[1025];

	(void)state;
	memset(text, 'A', sizeof(text));
	assert_true(scalar_is_words(S("ECDHE-RSA-AES128-GCM-SHA256:!aNULL:@STRENGTH:@SECLEVEL=1")));
	assert_true(scalar_is_words(span_make(text, 1024)));
	assert_false(scalar_is_words(span_make(text, 1025)));
	assert_false(scalar_is_words(S("")));
	assert_false(scalar_is_words(S("a b")));
	assert_false(scalar_is_words(span_make("a\0b", 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truths_have_twelve_spellings),
		cmocka_unit_test(sizes_may_have_a_unit),
		cmocka_unit_test(times_may_have_several_pieces),
		cmocka_unit_test(depths_are_small_numbers),
		cmocka_unit_test(words_are_of_the_letters_that_openssl_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
