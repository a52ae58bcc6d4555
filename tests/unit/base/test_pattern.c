/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pattern.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static enum pattern_result find(const char *pattern, struct span text)
{
	struct error err = {0};
	struct pattern *made = pattern_new(span_from(pattern), &err);
	enum pattern_result result;

	if (made == NULL)
		fail_msg("%s: %s", pattern, err.text);
	result = pattern_find(made, text);
	pattern_free(made);
	return result;
}

static void assert_refused(struct span pattern, const char *reason)
{
	struct error err = {0};

	assert_null(pattern_new(pattern, &err));
	if (strstr(err.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
}

static void a_pattern_is_found_anywhere_and_by_case(void **state)
{
	(void)state;
	assert_int_equal(find("CN=(ann|bob)", S("OU=x,CN=bob,O=shop")), PATTERN_FOUND);
	assert_int_equal(find("^CN=ann$", S("CN=ann")), PATTERN_FOUND);
	assert_int_equal(find("^CN=ann$", S("CN=ann,O=shop")), PATTERN_ABSENT);
	assert_int_equal(find("CN=ann", S("cn=ann")), PATTERN_ABSENT);
}

static void nothing_is_a_text_too(void **state)
{
	(void)state;
	assert_int_equal(find("^$", (struct span){NULL, 0}), PATTERN_FOUND);
	assert_int_equal(find("CN=", (struct span){NULL, 0}), PATTERN_ABSENT);
}

static void bytes_that_are_no_text_are_bytes(void **state)
{
	(void)state;
	assert_int_equal(find("a.b", span_make("a\xff"
					       "b",
					       3)),
			 PATTERN_FOUND);
	assert_int_equal(find("a.b", span_make("a\0b", 3)), PATTERN_FOUND);
}

static void a_search_without_end_is_given_up(void **state)
{
	(void)state;
	assert_int_equal(
		find("(a|aa)+[b-c]", S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
		PATTERN_GAVE_UP);
}

static void what_is_no_pattern_is_refused_with_the_place(void **state)
{
	(void)state;
	assert_refused(S("CN=("), "missing closing parenthesis (behind byte 4)");
	assert_refused(S("[z-a]"), "is no regular expression");
}

static void verbs_and_callouts_are_refused_but_not_what_looks_like_them(void **state)
{
	(void)state;
	assert_refused(S("a(*SKIP)b"), "has a verb");
	assert_refused(S("(*LIMIT_MATCH=999999999)a"), "has a verb");
	assert_refused(S("a(?C1)b"), "has a verb, \"(*\", or a callout");
	assert_refused(S("\\\\(*F)"), "has a verb");
	assert_refused(S("\\C"), "is no regular expression");
	assert_int_equal(find("\\(*x", S("((x")), PATTERN_FOUND);
	assert_int_equal(find("\\(?C", S("C")), PATTERN_FOUND);
}

static void patterns_are_of_limited_length(void **state)
{
	char text[PATTERN_BYTES_MAX + 1];
	struct error err = {0};
	struct pattern *longest;

	(void)state;
	memset(text, 'a', sizeof(text));
	longest = pattern_new(span_make(text, PATTERN_BYTES_MAX), &err);
	assert_non_null(longest);
	assert_refused(span_make(text, sizeof(text)), "is longer than 1024 bytes");
	pattern_free(longest);
}

static void patterns_look_back_over_little(void **state)
{
	(void)state;
	assert_int_equal(find("(?<=a{255})b", S("b")), PATTERN_ABSENT);
	assert_refused(S("(?<=a{256})b"), "looks back over more than 255 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pattern_is_found_anywhere_and_by_case),
		cmocka_unit_test(nothing_is_a_text_too),
		cmocka_unit_test(bytes_that_are_no_text_are_bytes),
		cmocka_unit_test(a_search_without_end_is_given_up),
		cmocka_unit_test(what_is_no_pattern_is_refused_with_the_place),
		cmocka_unit_test(verbs_and_callouts_are_refused_but_not_what_looks_like_them),
		cmocka_unit_test(patterns_are_of_limited_length),
		cmocka_unit_test(patterns_look_back_over_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
