/* SPDX-License-Identifier: Apache-2.0 */
#include "http/fault.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void the_word_of_a_fault_is_its_name_in_lower_case(void **state)
{
	static const char *const names[] = {
#define FAULT(name, side, retry, status, h2_error, text) #name,
#include "http/fault.def"
#undef FAULT
	};

	(void)state;
	for (unsigned fault = 0; fault < FAULT_COUNT; fault++) {
		const char *word = fault_facts((enum fault)fault)->word;

		assert_int_equal(strlen(word), strlen(names[fault]));
		for (size_t i = 0; word[i] != '\0'; i++)
			assert_int_equal(word[i], tolower(names[fault][i]));
	}
	assert_string_equal(fault_facts(FAULT_NO_ROUTE)->word, "no_route");
}

static void facts_are_those_of_the_line_in_the_def_file(void **state)
{
	const struct fault_facts *refused = fault_facts(FAULT_CONNECT_REFUSED);
	const struct fault_facts *unknown = fault_facts(FAULT_UNKNOWN_METHOD);

	(void)state;
	assert_int_equal(refused->status, 502);
	assert_int_equal(refused->side, FAULT_SIDE_UPSTREAM);
	assert_int_equal(refused->retry, FAULT_RETRY_SAFE);
	assert_string_equal(refused->text, "endpoint refused the connection");
	assert_int_equal(unknown->status, 501);
	assert_int_equal(unknown->side, FAULT_SIDE_DOWNSTREAM);
	assert_int_equal(unknown->retry, FAULT_RETRY_NEVER);
	assert_int_equal(refused->h2_error, H2_INTERNAL_ERROR);
	assert_int_equal(unknown->h2_error, H2_PROTOCOL_ERROR);
}

static void every_fault_but_none_answers_with_an_error_status(void **state)
{
	(void)state;
	assert_int_equal(fault_facts(FAULT_NONE)->status, 0);
	for (unsigned fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++)
		assert_in_range(fault_facts((enum fault)fault)->status, 400, 599);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_word_of_a_fault_is_its_name_in_lower_case),
		cmocka_unit_test(facts_are_those_of_the_line_in_the_def_file),
		cmocka_unit_test(every_fault_but_none_answers_with_an_error_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
