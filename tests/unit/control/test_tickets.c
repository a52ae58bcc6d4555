/* SPDX-License-Identifier: Apache-2.0 */
#include "control/tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct tickets tickets;
static uint8_t file[TICKET_KEY_FILE_BYTES];

static int begin(void **state)
{
	(void)state;
	tickets = (struct tickets){0};
	for (unsigned i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)i;
	tickets_rotate(&tickets);
	return 0;
}

static void assert_is_file(void)
{
	assert_int_equal(tickets.count, 1);
	assert_memory_equal(tickets.keys[0].name, file, 16);
	assert_memory_equal(tickets.keys[0].mac, file + 16, 32);
	assert_memory_equal(tickets.keys[0].cipher, file + 48, 32);
}

static void the_key_before_the_last_one_is_kept_and_no_older_one(void **state)
{
	struct ticket_key first = tickets.keys[0];
	struct ticket_key second;

	tickets_rotate(&tickets);
	second = tickets.keys[0];
	tickets_rotate(&tickets);

	assert_int_equal(tickets.count, 2);
	assert_memory_equal(&tickets.keys[1], &second, sizeof(second));
	assert_memory_not_equal(&tickets.keys[0], &first, sizeof(first));
	(void)state;
}

static void a_key_that_is_given_is_the_only_one(void **state)
{
	assert_true(tickets_set(&tickets, file));

	assert_is_file();
	(void)state;
}

static void the_same_key_again_is_no_news(void **state)
{
	tickets_set(&tickets, file);

	assert_false(tickets_set(&tickets, file));
	file[79] ^= 1;
	assert_true(tickets_set(&tickets, file));
	assert_is_file();
	(void)state;
}

static void time_does_not_replace_a_key_that_is_given(void **state)
{
	tickets_set(&tickets, file);

	tickets_rotate(&tickets);

	assert_is_file();
	(void)state;
}

static void a_key_that_was_given_is_good_for_nothing_once_it_is_taken_back(void **state)
{
	tickets_set(&tickets, file);

	assert_true(tickets_unset(&tickets));

	assert_int_equal(tickets.count, 1);
	assert_memory_not_equal(tickets.keys[0].name, file, 16);
	assert_false(tickets_unset(&tickets));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_key_before_the_last_one_is_kept_and_no_older_one, begin),
		cmocka_unit_test_setup(a_key_that_is_given_is_the_only_one, begin),
		cmocka_unit_test_setup(the_same_key_again_is_no_news, begin),
		cmocka_unit_test_setup(time_does_not_replace_a_key_that_is_given, begin),
		cmocka_unit_test_setup(
			a_key_that_was_given_is_good_for_nothing_once_it_is_taken_back, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
