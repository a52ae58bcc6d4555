/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	VERBOSE,
	NAME,
	LEVEL,
	PORT,
	GRACE,
	RATE,
	OBJECT,
	WORD,
	WHERE,
	ADDRESSES,
	NUMBERS,
	COUNT,
	LOG_DIR,
	FLAG_COUNT_HERE
};

static const struct flag flags[FLAG_COUNT_HERE] = {
	[VERBOSE] = {"verbose", 0, FLAG_BOOL, "false", "", "say more", 0},
	[NAME] = {"name", 0, FLAG_TEXT, "nobody", "NAME", "who", 0},
	[LEVEL] = {"v", 'v', FLAG_NUMBER, "2", "N", "level", 0},
	[PORT] = {"http-port", 0, FLAG_PORT, "80", "PORT", "port", 0},
	[GRACE] = {"grace", 0, FLAG_DURATION, "240s", "DURATION", "time", 0},
	[RATE] = {"rate", 0, FLAG_DECIMAL, "0.3", "N", "rate", 0},
	[OBJECT] = {"configmap", 0, FLAG_OBJECT, "", "NAMESPACE/NAME", "object", 0},
	[WORD] = {"format", 0, FLAG_WORD, "nginx", "nginx|json", "form", 0},
	[WHERE] = {"admin-address", 0, FLAG_ADDRESS, ":10254", "ADDRESS:PORT", "where", 0},
	[ADDRESSES] = {"bind-address", 0, FLAG_ADDRESSES, "", "ADDRESS", "where to listen", 0},
	[NUMBERS] = {"listener-fd", 0, FLAG_NUMBERS, "", "FD", "which", 0},
	[COUNT] = {"workers", 0, FLAG_COUNT, "auto", "N", "how many", 0},
	[LOG_DIR] = {"log_dir", 0, FLAG_TEXT, "", "DIR", NULL, 1},
};

static const struct flag_set set = {
	.command = "ingot test", .flags = flags, .count = FLAG_COUNT_HERE};

static struct flag_value values[FLAG_COUNT_HERE];
static struct error err;

enum { WORDS_MAX = 20 };

/* Parses a command line whose words stand apart by blanks; "''" is the empty word. */
static enum flags_result parse(const char *line)
{
	static char text[512];
	char *argv[WORDS_MAX] = {(char *)(uintptr_t) "test"};
	int argc = 1;

	snprintf(text, sizeof(text), "%s", line);
	for (char *rest = text, *word; (word = strsep(&rest, " ")) != NULL;) {
		if (word[0] != '\0')
			argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
	}
	return flags_parse(&set, argc, argv, values, NULL, &err);
}

static void assert_parsed(const char *line)
{
	if (parse(line) != FLAGS_DONE)
		fail_msg("%s: %s", line, err.text);
}

static void assert_refused(const char *line, const char *message)
{
	assert_int_equal(parse(line), FLAGS_BAD);
	assert_string_equal(err.text, message);
}

static void what_is_not_given_has_its_default(void **state)
{
	(void)state;
	assert_parsed("");

	assert_int_equal(values[VERBOSE].number, 0);
	assert_string_equal(values[NAME].text, "nobody");
	assert_int_equal(values[PORT].number, 80);
	assert_int_equal(values[GRACE].number, 240000);
	assert_int_equal(values[WORD].number, 0);
	assert_int_equal(values[WHERE].at.port, 10254);
	assert_int_equal(values[ADDRESSES].part_count, 0);
	assert_int_equal(values[COUNT].number, 0);
	for (int i = 0; i < FLAG_COUNT_HERE; i++)
		assert_false(values[i].given);
}

static void a_value_stands_behind_an_equals_sign_or_a_blank(void **state)
{
	const char *lines[] = {"--http-port=8080", "--http-port 8080"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_parsed(lines[i]);

		assert_true(values[PORT].given);
		assert_int_equal(values[PORT].number, 8080);
	}
}

static void a_value_may_hold_an_equals_sign_or_be_empty_or_look_like_a_flag(void **state)
{
	(void)state;
	assert_parsed("--name=a=b");
	assert_string_equal(values[NAME].text, "a=b");
	assert_parsed("--name=");
	assert_string_equal(values[NAME].text, "");
	assert_parsed("--name ''");
	assert_string_equal(values[NAME].text, "");
	assert_parsed("--name --verbose");
	assert_string_equal(values[NAME].text, "--verbose");
	assert_int_equal(values[VERBOSE].number, 0);
}

static void a_bool_stands_alone_and_takes_no_word_from_behind(void **state)
{
	(void)state;
	assert_parsed("--verbose --name x");

	assert_int_equal(values[VERBOSE].number, 1);
	assert_string_equal(values[NAME].text, "x");
	assert_refused("--verbose false",
		       "\"false\" is not a flag, and nothing else is taken (ingot test --help)");
}

static void a_bool_takes_every_spelling_of_go(void **state)
{
	(void)state;
	assert_parsed("--verbose=false");
	assert_int_equal(values[VERBOSE].number, 0);
	assert_true(values[VERBOSE].given);
	assert_parsed("--verbose=T");
	assert_int_equal(values[VERBOSE].number, 1);
	assert_parsed("--verbose=1");
	assert_int_equal(values[VERBOSE].number, 1);
	assert_refused("--verbose=yes",
		       "--verbose: \"yes\" is neither true nor false (ingot test --help)");
}

static void a_letter_takes_its_value_in_three_ways(void **state)
{
	const char *lines[] = {"-v 5", "-v=5", "-v5", "--v=5", "--v 5"};

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_parsed(lines[i]);

		assert_int_equal(values[LEVEL].number, 5);
	}
}

static void the_last_value_counts(void **state)
{
	(void)state;
	assert_parsed("--http-port 1 --http-port 2");

	assert_int_equal(values[PORT].number, 2);
}

static void lists_add_up(void **state)
{
	(void)state;
	assert_parsed("--bind-address 192.0.2.1,2001:db8::1 --bind-address=192.0.2.2");

	assert_int_equal(values[ADDRESSES].part_count, 3);
	assert_true(span_equals(values[ADDRESSES].parts[1], S("2001:db8::1")));
	assert_true(span_equals(values[ADDRESSES].parts[2], S("192.0.2.2")));
	assert_parsed("--listener-fd 5 --listener-fd 6");
	assert_int_equal(values[NUMBERS].part_count, 2);
	assert_int_equal(values[NUMBERS].numbers[1], 6);
}

static void a_list_has_at_most_sixteen_parts(void **state)
{
	(void)state;
	assert_parsed("--listener-fd 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16");

	assert_int_equal(parse("--listener-fd 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"),
			 FLAGS_BAD);
}

static void underscores_and_dashes_are_the_same(void **state)
{
	(void)state;
	assert_parsed("--log-dir a");
	assert_string_equal(values[LOG_DIR].text, "a");
	assert_parsed("--log_dir b");
	assert_string_equal(values[LOG_DIR].text, "b");
	assert_parsed("--http_port 81");
	assert_int_equal(values[PORT].number, 81);
}

static void a_duration_is_a_sum_of_units(void **state)
{
	static const struct {
		const char *line;
		uint64_t ms;
	} cases[] = {
		{"--grace 10", 10000},   {"--grace 10s", 10000},
		{"--grace 500ms", 500},  {"--grace 1m", 60000},
		{"--grace 2h", 7200000}, {"--grace 1m30s", 90000},
		{"--grace 1.5s", 1500},  {"--grace 0.25m", 15000},
		{"--grace 0", 0},        {"--grace 1h1m1s1ms", 3661001},
		{"--grace 0.0015s", 1},  {"--grace 480h", 1728000000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_parsed(cases[i].line);

		assert_int_equal(values[GRACE].number, cases[i].ms);
	}
}

static void what_is_no_duration_is_refused(void **state)
{
	static const char *const lines[] = {
		"--grace s",    "--grace -1s",   "--grace 10x",           "--grace 1.",
		"--grace .5s",  "--grace 1m30x", "--grace 1..5s",         "--grace 10S",
		"--grace ''",   "--grace 481h",  "--grace 999999999999h", "--grace 9999999999999s",
		"--grace 1e3s",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (parse(lines[i]) != FLAGS_BAD)
			fail_msg("%s was taken", lines[i]);
		assert_non_null(strstr(err.text, "is not a duration; write for example 10s"));
	}
}

static void an_address_has_a_port(void **state)
{
	char text[IP_PORT_TEXT_SIZE];

	(void)state;
	assert_parsed("--admin-address 127.0.0.1:80");
	ip_port_write(text, &values[WHERE].at);
	assert_string_equal(text, "127.0.0.1:80");
	assert_parsed("--admin-address [::1]:80");
	ip_port_write(text, &values[WHERE].at);
	assert_string_equal(text, "[::1]:80");
	assert_parsed("--admin-address :80");
	ip_port_write(text, &values[WHERE].at);
	assert_string_equal(text, "[::]:80");
	assert_parsed("--admin-address off");
	assert_int_equal(values[WHERE].at.port, 0);
}

static void what_is_no_address_and_port_is_refused(void **state)
{
	static const char *const lines[] = {
		"--admin-address 80",          "--admin-address 127.0.0.1",
		"--admin-address ::1:80",      "--admin-address [127.0.0.1]:80",
		"--admin-address :0",          "--admin-address :65536",
		"--admin-address localhost:1", "--admin-address ''",
		"--admin-address :",           "--admin-address []:80",
		"--admin-address [:80",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (parse(lines[i]) != FLAGS_BAD)
			fail_msg("%s was taken", lines[i]);
		assert_non_null(strstr(err.text, "is not an address and port"));
	}
}

static void a_wrong_value_is_shown_with_what_is_accepted(void **state)
{
	(void)state;
	assert_refused("--http-port 99999", "--http-port: \"99999\" is not a port; write a number "
					    "from 1 to 65535 (ingot test --help)");
	assert_refused("--http-port 0", "--http-port: \"0\" is not a port; write a number "
					"from 1 to 65535 (ingot test --help)");
	assert_refused("--format xml",
		       "--format: \"xml\" is not one of nginx|json (ingot test --help)");
	assert_refused("--format nginx|json",
		       "--format: \"nginx|json\" is not one of nginx|json (ingot test --help)");
	assert_refused("--configmap a", "--configmap: \"a\" does not name an object; write "
					"NAMESPACE/NAME (ingot test --help)");
	assert_refused("--configmap a/b/c", "--configmap: \"a/b/c\" does not name an object; write "
					    "NAMESPACE/NAME (ingot test --help)");
	assert_refused("--rate fast", "--rate: \"fast\" is not a number; write for example 0.3 "
				      "(ingot test --help)");
	assert_refused("--workers 0", "--workers: \"0\" is not a count; write auto, or a number "
				      "from 1 to 256 (ingot test --help)");
	assert_refused("--v 4294967296", "--v: \"4294967296\" is not a whole number; write for "
					 "example 10 (ingot test --help)");
	assert_refused("--bind-address 1.2.3.4,x",
		       "--bind-address: \"1.2.3.4,x\" is not a list of up to 16 IP addresses; "
		       "write 192.0.2.1,2001:db8::1 (ingot test --help)");
}

static void a_missing_value_is_said(void **state)
{
	(void)state;
	assert_refused("--http-port", "--http-port needs a value: PORT (ingot test --help)");
	assert_refused("-v", "--v needs a value: N (ingot test --help)");
}

static void an_unknown_flag_names_its_nearest(void **state)
{
	(void)state;
	assert_refused("--http-prot 1", "unknown flag --http-prot; did you mean --http-port? "
					"(ingot test --help)");
	assert_refused("--http-prt=1",
		       "unknown flag --http-prt; did you mean --http-port? (ingot test --help)");
	assert_refused("-http-port 1",
		       "unknown flag -http-port; did you mean --http-port? (ingot test --help)");
	assert_refused("--something-else", "unknown flag --something-else (ingot test --help)");
	assert_refused("-x", "unknown flag -x (ingot test --help)");
	assert_refused("--=", "unknown flag -- (ingot test --help)");
}

static void help_is_found_behind_other_flags(void **state)
{
	(void)state;
	assert_int_equal(parse("--help"), FLAGS_HELP);
	assert_int_equal(parse("-h"), FLAGS_HELP);
	assert_int_equal(parse("--http-port 1 --help"), FLAGS_HELP);
	assert_int_equal(parse("--name --help"), FLAGS_DONE);
}

static void plain_words_are_refused_where_there_are_none(void **state)
{
	(void)state;
	assert_refused("a", "\"a\" is not a flag, and nothing else is taken (ingot test --help)");
	assert_refused("-", "\"-\" is not a flag, and nothing else is taken (ingot test --help)");
	assert_refused("-- a", "nothing may follow \"--\", but \"a\" does (ingot test --help)");
	assert_parsed("--http-port 1 --");
}

static void what_follows_two_dashes_is_left_to_the_caller(void **state)
{
	char *argv[] = {(char *)(uintptr_t) "test", (char *)(uintptr_t) "--http-port=1",
			(char *)(uintptr_t) "--", (char *)(uintptr_t) "--http-port=2", NULL};
	int rest = 0;

	(void)state;
	assert_int_equal(flags_parse(&set, 4, argv, values, &rest, &err), FLAGS_DONE);

	assert_int_equal(rest, 3);
	assert_int_equal(values[PORT].number, 1);
	assert_int_equal(flags_parse(&set, 2, argv, values, &rest, &err), FLAGS_DONE);
	assert_int_equal(rest, 2);
}

static void help_stays_within_100_columns(void **state)
{
	static const struct flag wide[] = {
		{"a-name-that-is-longer-than-its-column", 0, FLAG_TEXT, "", "A-LONG-ARGUMENT",
		 "words and words and words and words and words and words and words and words and "
		 "words and words and words and words",
		 0}};
	struct flag_set wide_set = {.command = "x", .flags = wide, .count = 1};
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	flags_print(&wide_set, 0, to);
	flags_print(&set, 0, to);
	flags_print_names(&set, 0, to);
	fclose(to);

	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;)
		assert_true(strlen(line) <= 100);
	free(text);
}

static void the_nearest_word_is_at_most_two_letters_away(void **state)
{
	static const char *const words[] = {"run", "check", "table", "ui"};

	(void)state;
	assert_string_equal(flag_nearest(S("rum"), words, 4), "run");
	assert_string_equal(flag_nearest(S("chekc"), words, 4), "check");
	assert_null(flag_nearest(S("xyzzy"), words, 4));
	assert_null(flag_nearest(S("zz"), words, 4));
	assert_null(flag_nearest(S("a-word-that-is-longer-than-any-flag-could-ever-be-really"),
				 words, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_given_has_its_default),
		cmocka_unit_test(a_value_stands_behind_an_equals_sign_or_a_blank),
		cmocka_unit_test(a_value_may_hold_an_equals_sign_or_be_empty_or_look_like_a_flag),
		cmocka_unit_test(a_bool_stands_alone_and_takes_no_word_from_behind),
		cmocka_unit_test(a_bool_takes_every_spelling_of_go),
		cmocka_unit_test(a_letter_takes_its_value_in_three_ways),
		cmocka_unit_test(the_last_value_counts),
		cmocka_unit_test(lists_add_up),
		cmocka_unit_test(a_list_has_at_most_sixteen_parts),
		cmocka_unit_test(underscores_and_dashes_are_the_same),
		cmocka_unit_test(a_duration_is_a_sum_of_units),
		cmocka_unit_test(what_is_no_duration_is_refused),
		cmocka_unit_test(an_address_has_a_port),
		cmocka_unit_test(what_is_no_address_and_port_is_refused),
		cmocka_unit_test(a_wrong_value_is_shown_with_what_is_accepted),
		cmocka_unit_test(a_missing_value_is_said),
		cmocka_unit_test(an_unknown_flag_names_its_nearest),
		cmocka_unit_test(help_is_found_behind_other_flags),
		cmocka_unit_test(plain_words_are_refused_where_there_are_none),
		cmocka_unit_test(what_follows_two_dashes_is_left_to_the_caller),
		cmocka_unit_test(help_stays_within_100_columns),
		cmocka_unit_test(the_nearest_word_is_at_most_two_letters_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
