/* SPDX-License-Identifier: Apache-2.0 */
/* Flags among plain arguments. */
#include "cli/flag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { FILENAME, STRICT, NAME, FLAG_COUNT_HERE };

static const struct flag flags[FLAG_COUNT_HERE] = {
	[FILENAME] = {"filename", 'f', FLAG_OPERAND, "", "FILE", "one more", 0},
	[STRICT] = {"strict", 0, FLAG_BOOL, "false", "", "be strict", 0},
	[NAME] = {"name", 0, FLAG_TEXT, "nobody", "NAME", "who", 0},
};

static const struct flag_set set = {
	.command = "ingot test", .operands = "FILE", .flags = flags, .count = FLAG_COUNT_HERE};

static struct flag_value values[FLAG_COUNT_HERE];

enum { WORDS_MAX = 20, TEXT_SIZE = 256 };

/* Parses words that stand apart by blanks; what is left stands apart by blanks too. */
static void assert_operands(const char *line, const char *expected)
{
	static char text[TEXT_SIZE];
	char found[TEXT_SIZE] = "";
	char *argv[WORDS_MAX] = {(char *)(uintptr_t) "test"};
	struct error err;
	int argc = 1;
	int rest;

	snprintf(text, sizeof(text), "%s", line);
	for (char *left = text, *word; (word = strsep(&left, " ")) != NULL;)
		argv[argc++] = word;
	if (flags_parse(&set, argc, argv, values, &rest, &err) != FLAGS_DONE)
		fail_msg("%s: %s", line, err.text);
	for (int i = rest; i < argc; i++)
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s",
			 i == rest ? "" : " ", argv[i]);
	assert_string_equal(found, expected);
}

static void operands_keep_their_order_wherever_flags_stand(void **state)
{
	(void)state;

	assert_operands("a b c", "a b c");
	assert_operands("--strict a b", "a b");
	assert_operands("a --name x b --strict", "a b");
	assert_string_equal(values[NAME].text, "x");
	assert_int_equal(values[STRICT].number, 1);
}

static void a_bool_takes_no_operand(void **state)
{
	(void)state;

	assert_operands("--strict false", "false");
	assert_int_equal(values[STRICT].number, 1);
}

static void a_flag_may_be_another_way_to_write_an_operand(void **state)
{
	(void)state;

	assert_operands("a -f b --filename c --filename=d e", "a b c d e");
	assert_operands("-f b", "b");
}

static void behind_two_dashes_all_are_operands(void **state)
{
	(void)state;

	assert_operands("a -- --strict -f", "a --strict -f");
	assert_operands("--", "");
	assert_int_equal(values[STRICT].number, 0);
}

static void a_single_dash_is_an_operand(void **state)
{
	(void)state;

	assert_operands("- --strict", "-");
	assert_operands("-f -", "-");
}

static void there_may_be_none(void **state)
{
	char *argv[] = {(char *)(uintptr_t) "test", NULL};
	struct error err;
	int rest;

	(void)state;

	assert_int_equal(flags_parse(&set, 1, argv, values, &rest, &err), FLAGS_DONE);
	assert_int_equal(rest, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operands_keep_their_order_wherever_flags_stand),
		cmocka_unit_test(a_bool_takes_no_operand),
		cmocka_unit_test(a_flag_may_be_another_way_to_write_an_operand),
		cmocka_unit_test(behind_two_dashes_all_are_operands),
		cmocka_unit_test(a_single_dash_is_an_operand),
		cmocka_unit_test(there_may_be_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
