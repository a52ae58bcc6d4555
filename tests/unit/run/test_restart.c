/* SPDX-License-Identifier: Apache-2.0 */
#include "run/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t s = 1000000000;

static struct random given_chance(uint64_t seed)
{
	struct random random;

	print_message("seed %u\n", (unsigned)seed);
	random_seed(&random, seed);
	return random;
}

static void assert_about(uint32_t delay_ms, uint32_t expected_ms)
{
	assert_in_range(delay_ms, expected_ms * 8 / 10, expected_ms * 12 / 10);
}

static void the_first_death_waits_for_nothing_and_later_ones_longer(void **state)
{
	struct random random = given_chance(1);
	struct restart restart = {0};

	(void)state;
	restart_on_start(&restart, 100 * s);

	assert_int_equal(restart_on_death(&restart, 101 * s, &random), 0);
	assert_about(restart_on_death(&restart, 102 * s, &random), 100);
	assert_about(restart_on_death(&restart, 103 * s, &random), 500);
	assert_about(restart_on_death(&restart, 104 * s, &random), 2000);
	assert_about(restart_on_death(&restart, 105 * s, &random), 5000);
	assert_about(restart_on_death(&restart, 106 * s, &random), 5000);
	assert_int_equal(restart.deaths, 6);
}

static void a_role_that_lived_for_a_minute_is_forgiven(void **state)
{
	struct random random = given_chance(2);
	struct restart restart = {0};

	(void)state;
	restart_on_start(&restart, 0);
	restart_on_death(&restart, 1 * s, &random);
	restart_on_death(&restart, 2 * s, &random);
	restart_on_start(&restart, 3 * s);

	assert_int_equal(restart_on_death(&restart, 63 * s, &random), 0);
	assert_int_equal(restart.deaths, 3);
}

static void a_role_that_lived_for_less_is_not(void **state)
{
	struct random random = given_chance(3);
	struct restart restart = {0};

	(void)state;
	restart_on_start(&restart, 0);
	restart_on_death(&restart, 1 * s, &random);
	restart_on_start(&restart, 3 * s);

	assert_about(restart_on_death(&restart, 63 * s - 1, &random), 100);
}

static void roles_that_die_together_do_not_come_back_together(void **state)
{
	struct random random = given_chance(4);
	uint32_t least = UINT32_MAX;
	uint32_t most = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct restart restart = {.step = 4};
		uint32_t delay_ms = restart_on_death(&restart, 0, &random);

		assert_about(delay_ms, 5000);
		least = delay_ms < least ? delay_ms : least;
		most = delay_ms > most ? delay_ms : most;
	}

	assert_true(least < 4100);
	assert_true(most > 5900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_death_waits_for_nothing_and_later_ones_longer),
		cmocka_unit_test(a_role_that_lived_for_a_minute_is_forgiven),
		cmocka_unit_test(a_role_that_lived_for_less_is_not),
		cmocka_unit_test(roles_that_die_together_do_not_come_back_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
