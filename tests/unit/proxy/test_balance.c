/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/balance/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ENDPOINTS = 5 };

static const struct endpoint_record endpoints[ENDPOINTS];
static struct balance balance;

/* Which of count endpoints of an upstream is picked. */
static unsigned pick(uint32_t upstream, uint32_t count)
{
	struct balance_choice choice = {
		.upstream = upstream,
		.endpoints = endpoints,
		.count = count,
		.algorithm = UPSTREAM_ROUND_ROBIN,
	};
	long index = balance_pick(&balance, &choice, 0) - endpoints;

	assert_in_range(index, 0, count - 1);
	return (unsigned)index;
}

static int begin(void **state)
{
	(void)state;
	balance_init(&balance, NULL, 1);
	return 0;
}

static int end(void **state)
{
	(void)state;
	balance_fini(&balance);
	return 0;
}

static void endpoints_are_picked_one_after_the_other(void **state)
{
	unsigned first = pick(0, ENDPOINTS);

	(void)state;
	for (unsigned i = 1; i < 3 * ENDPOINTS; i++)
		assert_int_equal(pick(0, ENDPOINTS), (first + i) % ENDPOINTS);
}

static void upstreams_take_their_turns_apart(void **state)
{
	unsigned first = pick(0, ENDPOINTS);

	(void)state;
	for (unsigned i = 0; i < 7; i++)
		pick(1, ENDPOINTS);
	assert_int_equal(pick(0, ENDPOINTS), (first + 1) % ENDPOINTS);
}

static void an_upstream_with_a_high_number_keeps_the_turns_of_the_others(void **state)
{
	unsigned first = pick(0, ENDPOINTS);
	unsigned high = pick(200000, ENDPOINTS);

	(void)state;
	assert_int_equal(pick(0, ENDPOINTS), (first + 1) % ENDPOINTS);
	assert_int_equal(pick(200000, ENDPOINTS), (high + 1) % ENDPOINTS);
}

static void endpoints_may_come_and_go_between_picks(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		pick(0, 1 + i % ENDPOINTS);
}

/* Endpoints that differ by port, of which some are avoided. */
static unsigned pick_another(uint32_t count, uint32_t avoided_count, const uint16_t *avoided)
{
	struct endpoint_record choices[ENDPOINTS] = {0};
	struct ip_port ports[ENDPOINTS] = {0};
	struct balance_choice choice = {
		.endpoints = choices,
		.count = count,
		.algorithm = UPSTREAM_ROUND_ROBIN,
		.avoided = ports,
		.avoided_count = avoided_count,
	};

	for (uint16_t i = 0; i < count; i++)
		choices[i].port = i;
	for (uint32_t i = 0; i < avoided_count; i++)
		ports[i].port = avoided[i];
	return (unsigned)(balance_pick(&balance, &choice, 0) - choices);
}

static void an_endpoint_that_was_tried_is_passed_over_whosever_turn_it_is(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4 * ENDPOINTS; i++) {
		unsigned picked = pick_another(ENDPOINTS, 3, (const uint16_t[]){0, 2, 3});

		assert_true(picked == 1 || picked == 4);
	}
}

static void those_that_are_left_take_turns(void **state)
{
	unsigned first = pick_another(3, 1, (const uint16_t[]){0});
	unsigned second = pick_another(3, 1, (const uint16_t[]){0});

	(void)state;
	assert_int_not_equal(first, second);
	assert_int_not_equal(first, 0);
	assert_int_not_equal(second, 0);
}

static void where_every_endpoint_was_tried_they_take_turns_again(void **state)
{
	unsigned first = pick_another(2, 2, (const uint16_t[]){0, 1});

	(void)state;
	assert_int_equal(pick_another(2, 2, (const uint16_t[]){0, 1}), !first);
	assert_int_equal(pick_another(1, 2, (const uint16_t[]){0, 1}), 0);
}

static void the_only_endpoint_is_picked_every_time(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(pick(0, 1), 0);
}

static void workers_begin_at_places_of_their_own(void **state)
{
	unsigned begun[ENDPOINTS] = {0};

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		balance_fini(&balance);
		balance_init(&balance, NULL, seed);
		begun[pick(0, ENDPOINTS)]++;
	}

	for (unsigned i = 0; i < ENDPOINTS; i++)
		assert_in_range(begun[i], 5, 40);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(endpoints_are_picked_one_after_the_other),
		TEST(upstreams_take_their_turns_apart),
		TEST(an_upstream_with_a_high_number_keeps_the_turns_of_the_others),
		TEST(endpoints_may_come_and_go_between_picks),
		TEST(an_endpoint_that_was_tried_is_passed_over_whosever_turn_it_is),
		TEST(those_that_are_left_take_turns),
		TEST(where_every_endpoint_was_tried_they_take_turns_again),
		TEST(the_only_endpoint_is_picked_every_time),
		TEST(workers_begin_at_places_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
