/* SPDX-License-Identifier: Apache-2.0 */
#include "given.h"

#include <stdlib.h>

#include "base/memory.h"
#include "compile/numbers.h"

/* Things with keys "0", "1", … */
enum { THINGS = 3000 };

struct thing {
	struct numbered numbered; /* first */
	char key[16];
};

static struct thing *given_things(void)
{
	struct thing *things = memory_new_array(THINGS, sizeof(*things));

	for (int i = 0; i < THINGS; i++) {
		int len = snprintf(things[i].key, sizeof(things[i].key), "%d", i);

		things[i].numbered.by_key.key = span_make(things[i].key, (size_t)len);
	}
	return things;
}

static void numbers_are_given_in_order_from_the_first(void **state)
{
	struct thing *things = given_things();
	struct numbers numbers;

	numbers_init(&numbers, 1, 100);
	assert_true(numbers_add(&numbers, &things[0].numbered));
	assert_true(numbers_add(&numbers, &things[1].numbered));

	assert_int_equal(things[0].numbered.number, 1);
	assert_int_equal(things[1].numbered.number, 2);
	assert_int_equal(numbers.end, 3);
	assert_null(numbers.taken[0]);
	assert_ptr_equal(numbers_find(&numbers, S("1")), &things[1]);
	numbers_fini(&numbers);
	free(things);
	(void)state;
}

static void a_number_given_back_is_not_found_and_rests(void **state)
{
	struct thing *things = given_things();
	struct numbers numbers;

	numbers_init(&numbers, 0, THINGS);
	numbers_add(&numbers, &things[0].numbered);
	numbers_remove(&numbers, &things[0].numbered);
	numbers_add(&numbers, &things[1].numbered);

	assert_null(numbers_find(&numbers, S("0")));
	assert_null(numbers.taken[0]);
	assert_int_equal(things[1].numbered.number, 1);
	numbers_fini(&numbers);
	free(things);
	(void)state;
}

static void the_number_that_rested_longest_is_used_first_with_a_new_incarnation(void **state)
{
	struct thing *things = given_things();
	struct numbers numbers;

	numbers_init(&numbers, 0, 3);
	for (int i = 0; i < 3; i++)
		numbers_add(&numbers, &things[i].numbered);
	numbers_remove(&numbers, &things[2].numbered);
	numbers_remove(&numbers, &things[0].numbered);
	assert_true(numbers_add(&numbers, &things[3].numbered));
	assert_true(numbers_add(&numbers, &things[4].numbered));

	assert_int_equal(things[3].numbered.number, 2);
	assert_int_equal(things[4].numbered.number, 0);
	assert_int_equal(things[3].numbered.incarnation, 2);
	assert_int_equal(things[1].numbered.incarnation, 1);
	numbers_fini(&numbers);
	free(things);
	(void)state;
}

static void nothing_is_added_when_all_numbers_are_taken(void **state)
{
	struct thing *things = given_things();
	struct numbers numbers;

	numbers_init(&numbers, 1, 2);
	assert_true(numbers_add(&numbers, &things[0].numbered));
	assert_false(numbers_add(&numbers, &things[1].numbered));
	assert_null(numbers_find(&numbers, S("1")));
	numbers_remove(&numbers, &things[0].numbered);
	assert_true(numbers_add(&numbers, &things[1].numbered));

	assert_int_equal(things[1].numbered.number, 1);
	numbers_fini(&numbers);
	free(things);
	(void)state;
}

static void numbers_stay_few_while_things_come_and_go(void **state)
{
	struct thing *things = given_things();
	struct numbers numbers;

	numbers_init(&numbers, 0, 1 << 20);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < THINGS; i++) {
			assert_true(numbers_add(&numbers, &things[i].numbered));
			numbers_remove(&numbers, &things[i].numbered);
		}
	}

	assert_in_range(numbers.end, 1000, 1100);
	numbers_fini(&numbers);
	free(things);
	(void)state;
}

static void incarnations_begin_above_the_seed_and_skip_zero(void **state)
{
	struct thing *things = given_things();
	struct numbers numbers;

	numbers_init(&numbers, 0, 2);
	numbers.seed = UINT32_MAX;
	numbers_add(&numbers, &things[0].numbered);
	assert_int_equal(things[0].numbered.incarnation, 1);

	numbers.seed = 41;
	numbers_add(&numbers, &things[1].numbered);
	assert_int_equal(things[1].numbered.incarnation, 42);
	numbers_fini(&numbers);
	free(things);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_given_in_order_from_the_first),
		cmocka_unit_test(a_number_given_back_is_not_found_and_rests),
		cmocka_unit_test(
			the_number_that_rested_longest_is_used_first_with_a_new_incarnation),
		cmocka_unit_test(nothing_is_added_when_all_numbers_are_taken),
		cmocka_unit_test(numbers_stay_few_while_things_come_and_go),
		cmocka_unit_test(incarnations_begin_above_the_seed_and_skip_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
