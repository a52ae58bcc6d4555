/* SPDX-License-Identifier: Apache-2.0 */
#include "http/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

/* Every byte is of the class if and only if it is one of these. */
static void assert_class(enum token_class class, const char *bytes)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		bool expected = byte != 0 && strchr(bytes, (int)byte) != NULL;

		assert_int_equal(token_byte_is((char)byte, class), expected);
	}
}

static void a_token_is_of_the_characters_of_rfc_9110(void **state)
{
	(void)state;
	assert_class(TOKEN_CHAR, "!#$%&'*+-.^_`|~" DIGITS LETTERS);
}

static void a_plain_name_is_of_letters_digits_and_hyphens(void **state)
{
	(void)state;
	assert_class(TOKEN_PLAIN, "-" DIGITS LETTERS);
}

static void a_method_is_of_capitals_digits_and_hyphens(void **state)
{
	(void)state;
	assert_class(TOKEN_METHOD, "-" DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	assert_class(TOKEN_UPPER, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static void a_host_is_of_what_rfc_3986_allows_but_percent_comma_and_semicolon(void **state)
{
	(void)state;
	assert_class(TOKEN_HOST, "-._~!$&'()*+=:[]" DIGITS LETTERS);
}

static void hex_digits_are_of_both_cases(void **state)
{
	(void)state;
	assert_class(TOKEN_HEX, DIGITS "abcdefABCDEF");
}

static void an_empty_text_is_no_token(void **state)
{
	(void)state;
	assert_false(token_is(S(""), TOKEN_CHAR));
	assert_false(token_is(S("a b"), TOKEN_CHAR));
	assert_true(token_is(S("a*b"), TOKEN_CHAR));
	assert_false(token_is(S("a*b"), TOKEN_PLAIN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_of_the_characters_of_rfc_9110),
		cmocka_unit_test(a_plain_name_is_of_letters_digits_and_hyphens),
		cmocka_unit_test(a_method_is_of_capitals_digits_and_hyphens),
		cmocka_unit_test(a_host_is_of_what_rfc_3986_allows_but_percent_comma_and_semicolon),
		cmocka_unit_test(hex_digits_are_of_both_cases),
		cmocka_unit_test(an_empty_text_is_no_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
