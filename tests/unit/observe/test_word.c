/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void faults_have_their_words_and_statuses(void **state)
{
	(void)state;

	assert_string_equal(word_fault(0), "none");
	for (unsigned fault = 1; fault < word_fault_count(); fault++) {
		assert_true(word_fault(fault)[0] >= 'a' && word_fault(fault)[0] <= 'z');
		assert_in_range(word_fault_status(fault), 400, 599);
	}
}

static void every_number_of_a_method_has_a_word(void **state)
{
	(void)state;

	assert_string_equal(word_method(1), "GET");
	assert_string_equal(word_method(0), WORD_OTHER);
	for (unsigned method = 0; method < 256; method++)
		assert_non_null(word_method(method));
	assert_string_equal(word_method(255), WORD_OTHER);
	assert_string_equal(word_method(UINT32_MAX), WORD_OTHER);
}

static void every_number_of_a_protocol_has_a_word(void **state)
{
	(void)state;

	assert_string_equal(word_protocol(10), "1.0");
	assert_string_equal(word_protocol(11), "1.1");
	assert_string_equal(word_protocol(20), "2");
	assert_string_equal(word_protocol(30), "3");
	assert_string_equal(word_protocol(12), WORD_OTHER);
}

static void a_status_is_a_code_or_a_class(void **state)
{
	char text[WORD_STATUS_SIZE];

	(void)state;

	assert_string_equal(word_status(text, 404, WORD_STATUS_CODE), "404");
	assert_string_equal(word_status(text, 404, WORD_STATUS_CLASS), "4xx");
	assert_string_equal(word_status(text, 100, WORD_STATUS_CODE), "100");
	assert_string_equal(word_status(text, 599, WORD_STATUS_CLASS), "5xx");
}

static void what_is_no_status_is_other(void **state)
{
	char text[WORD_STATUS_SIZE];

	(void)state;

	assert_string_equal(word_status(text, 0, WORD_STATUS_CODE), WORD_OTHER);
	assert_string_equal(word_status(text, 99, WORD_STATUS_CODE), WORD_OTHER);
	assert_string_equal(word_status(text, 600, WORD_STATUS_CLASS), WORD_OTHER);
	assert_string_equal(word_status(text, UINT32_MAX, WORD_STATUS_CODE), WORD_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_have_their_words_and_statuses),
		cmocka_unit_test(every_number_of_a_method_has_a_word),
		cmocka_unit_test(every_number_of_a_protocol_has_a_word),
		cmocka_unit_test(a_status_is_a_code_or_a_class),
		cmocka_unit_test(what_is_no_status_is_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
