/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void the_same_seed_gives_the_same_numbers(void **state)
{
	struct random one;
	struct random other;

	(void)state;
	random_seed(&one, 42);
	random_seed(&other, 42);
	for (unsigned i = 0; i < 100; i++)
		assert_true(random_next(&one) == random_next(&other));
}

static void neighbouring_seeds_give_other_numbers(void **state)
{
	struct random one;
	struct random other;

	(void)state;
	random_seed(&one, 0);
	random_seed(&other, 1);
	assert_true(random_next(&one) != random_next(&other));
	assert_true((one.state[0] | one.state[1]) != 0);
}

static void numbers_below_a_bound_are_spread_evenly(void **state)
{
	enum { BOUND = 7, DRAWS = 70000 };
	unsigned count[BOUND] = {0};
	struct random random;

	(void)state;
	random_seed(&random, 1);
	for (unsigned i = 0; i < DRAWS; i++) {
		uint32_t n = random_below(&random, BOUND);

		assert_in_range(n, 0, BOUND - 1);
		count[n]++;
	}

	/* five standard deviations of a fair die */
	for (unsigned i = 0; i < BOUND; i++)
		assert_in_range(count[i], 10000 - 465, 10000 + 465);
}

static void the_smallest_and_largest_bound_are_kept(void **state)
{
	struct random random;
	bool is_high = false;

	(void)state;
	random_seed(&random, 1);
	assert_int_equal(random_below(&random, 1), 0);
	for (unsigned i = 0; i < 100; i++)
		is_high = is_high || random_below(&random, UINT32_MAX) > UINT32_MAX / 2;
	assert_true(is_high);
}

static void secrets_of_any_size_are_filled_and_never_repeat(void **state)
{
	static const size_t sizes[] = {16, 511, 512, 513, 5000};
	unsigned char one[5000];
	unsigned char other[5000];

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		static const unsigned char zero[16];
		size_t size = sizes[i];

		memset(one, 0, sizeof(one));
		memset(other, 0, sizeof(other));
		random_secret(one, size);
		random_secret(other, size);
		assert_memory_not_equal(one, other, size);
		assert_memory_not_equal(one + size - 16, zero, 16);
		if (size < sizeof(one))
			assert_int_equal(one[size], 0);
	}
}

static void a_secret_of_nothing_touches_nothing(void **state)
{
	unsigned char byte = 7;

	(void)state;
	random_secret(&byte, 0);
	assert_int_equal(byte, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_numbers),
		cmocka_unit_test(neighbouring_seeds_give_other_numbers),
		cmocka_unit_test(numbers_below_a_bound_are_spread_evenly),
		cmocka_unit_test(the_smallest_and_largest_bound_are_kept),
		cmocka_unit_test(secrets_of_any_size_are_filled_and_never_repeat),
		cmocka_unit_test(a_secret_of_nothing_touches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
