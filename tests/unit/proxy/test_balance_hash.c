/* SPDX-License-Identifier: Apache-2.0 */
/* Consistent hashing on rings that compile makes. */
#include <math.h>

#include "given_loads.h"
#include "table/hash.h"

enum { KEYS = 40000, MANY = 20 };

static uint64_t key_of(uint32_t number)
{
	return table_hash((struct span){(const char *)&number, sizeof(number)}, 5);
}

/* Where each key leads, by the last byte of the address. */
static void pick_all(struct given_loads *given, uint32_t *picked)
{
	for (uint32_t i = 0; i < KEYS; i++)
		picked[i] = given->endpoints[given_pick(given, i % GIVEN_WORKERS, key_of(i))]
				    .ip.bytes[15];
}

static void take_out(struct given_loads *given, uint32_t index)
{
	given->choice.count--;
	memmove(&given->endpoints[index], &given->endpoints[index + 1],
		(given->choice.count - index) * sizeof(given->endpoints[0]));
	given_compiled(given, 0, 0);
}

static void a_key_leads_to_one_endpoint_whoever_asks(void **state)
{
	struct given_loads *given = given_loads(MANY, UPSTREAM_HASH);

	(void)state;
	given_compiled(given, 0, 0);
	for (uint32_t key = 0; key < 100; key++)
		for (uint32_t worker = 1; worker < GIVEN_WORKERS; worker++)
			assert_int_equal(given_pick(given, worker, key_of(key)),
					 given_pick(given, 0, key_of(key)));
	given_loads_end(given);
}

static void keys_spread_evenly(void **state)
{
	struct given_loads *given = given_loads(MANY, UPSTREAM_HASH);
	uint32_t counts[MANY] = {0};

	(void)state;
	given_compiled(given, 0, 0);
	for (uint32_t i = 0; i < KEYS; i++)
		counts[given_pick(given, 0, key_of(i))]++;
	for (uint32_t i = 0; i < MANY; i++)
		assert_in_range(counts[i], KEYS / MANY * 3 / 4, KEYS / MANY * 5 / 4);
	given_loads_end(given);
}

static void keys_spread_by_weight(void **state)
{
	static const uint32_t weights[] = {1, 2, 3, 10};
	struct given_loads *given = given_loads(4, UPSTREAM_HASH);
	uint32_t counts[4] = {0};

	(void)state;
	given_weights(given, weights);
	for (uint32_t i = 0; i < KEYS; i++)
		counts[given_pick(given, 0, key_of(i))]++;
	for (uint32_t i = 0; i < 4; i++)
		assert_in_range(counts[i], KEYS * weights[i] / 16 * 3 / 4,
				KEYS * weights[i] / 16 * 5 / 4);
	given_loads_end(given);
}

static void an_endpoint_that_goes_moves_its_own_keys_and_no_others(void **state)
{
	static uint32_t before[KEYS];
	static uint32_t after[KEYS];

	(void)state;
	for (uint32_t gone = 0; gone < MANY; gone++) {
		struct given_loads *given = given_loads(MANY, UPSTREAM_HASH);
		unsigned moved = 0;

		given_compiled(given, 0, 0);
		pick_all(given, before);
		take_out(given, gone);
		pick_all(given, after);
		for (uint32_t i = 0; i < KEYS; i++) {
			if (before[i] == gone)
				moved++;
			else
				assert_int_equal(before[i], after[i]);
		}
		assert_in_range(moved, 1, KEYS / MANY * 1.25);
		given_loads_end(given);
	}
}

static void an_endpoint_that_comes_takes_keys_and_moves_none_else(void **state)
{
	static uint32_t before[KEYS];
	static uint32_t after[KEYS];
	struct given_loads *given = given_loads(MANY, UPSTREAM_HASH);
	unsigned moved = 0;

	(void)state;
	given->choice.count = MANY - 1;
	given_compiled(given, 0, 0);
	pick_all(given, before);
	given->choice.count = MANY;
	given_compiled(given, 0, 0);
	pick_all(given, after);
	for (uint32_t i = 0; i < KEYS; i++) {
		if (after[i] == before[i])
			continue;
		assert_int_equal(after[i], MANY - 1);
		moved++;
	}
	assert_in_range(moved, KEYS / MANY / 2, KEYS / MANY * 1.25);
	given_loads_end(given);
}

static void many_endpoints_have_a_ring_of_bounded_size(void **state)
{
	struct given_loads *given = given_loads(GIVEN_ENDPOINTS_MAX, UPSTREAM_HASH);

	(void)state;
	given->endpoints[0].weight = TABLE_WEIGHT_MAX;
	given_compiled(given, 0, 0);
	assert_in_range(given->choice.point_count, GIVEN_ENDPOINTS_MAX,
			RING_POINTS_MAX + GIVEN_ENDPOINTS_MAX);
	given_loads_end(given);
}

static void a_retry_goes_to_the_next_of_the_ring(void **state)
{
	struct given_loads *given = given_loads(MANY, UPSTREAM_HASH);

	(void)state;
	given_compiled(given, 0, 0);
	for (uint32_t key = 0; key < 200; key++) {
		struct ip_port avoided[MANY];
		bool seen[MANY] = {false};

		given->choice.avoided = avoided;
		for (uint32_t tries = 0; tries < MANY; tries++) {
			uint32_t picked;

			given->choice.avoided_count = tries;
			picked = given_pick(given, 0, key_of(key));
			assert_false(seen[picked]);
			seen[picked] = true;
			avoided[tries] = (struct ip_port){given->endpoints[picked].ip,
							  given->endpoints[picked].port};
		}
		given->choice.avoided_count = MANY;
		given_pick(given, 0, key_of(key));
	}
	given_loads_end(given);
}

static void a_name_without_a_ring_moves_few_keys_too(void **state)
{
	static uint32_t before[KEYS];
	static uint32_t after[KEYS];
	struct given_loads *given = given_loads(5, UPSTREAM_HASH);
	unsigned moved = 0;

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		given->endpoints[i].slot = TABLE_NONE;
	pick_all(given, before);
	given->choice.count = 4;
	pick_all(given, after);
	for (uint32_t i = 0; i < KEYS; i++) {
		if (before[i] == 4)
			moved++;
		else
			assert_int_equal(before[i], after[i]);
	}
	assert_in_range(moved, KEYS / 5 * 0.9, KEYS / 5 * 1.1);
	given_loads_end(given);
}

/*
 * Subsets
 */

/* Which endpoints a key leads to. */
static uint32_t subset_of(struct given_loads *given, uint32_t key)
{
	uint32_t members = 0;

	for (uint32_t i = 0; i < 200; i++)
		members |= UINT32_C(1) << given_pick(given, i % GIVEN_WORKERS, key_of(key));
	return members;
}

static void a_key_leads_to_one_of_the_subsets_in_the_order_of_endpoints(void **state)
{
	struct given_loads *given = given_loads(7, UPSTREAM_HASH);
	unsigned found[3] = {0};

	(void)state;
	given_compiled(given, 3, 0);
	for (uint32_t key = 0; key < 300; key++) {
		uint32_t subset = subset_of(given, key);

		/* the last one is filled up with the first ones */
		found[0] += subset == 0x07;
		found[1] += subset == 0x38;
		found[2] += subset == 0x43;
	}
	assert_int_equal(found[0] + found[1] + found[2], 300);
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(found[i], 60, 140);
	given_loads_end(given);
}

static void chance_decides_within_a_subset(void **state)
{
	struct given_loads *given = given_loads(6, UPSTREAM_HASH);
	unsigned counts[6] = {0};
	unsigned used = 0;

	(void)state;
	given_compiled(given, 3, 0);
	for (unsigned i = 0; i < 3000; i++)
		counts[given_pick(given, i % GIVEN_WORKERS, key_of(1))]++;
	for (unsigned i = 0; i < 6; i++) {
		if (counts[i] == 0)
			continue;
		assert_in_range(counts[i], 900, 1100);
		used++;
	}
	assert_int_equal(used, 3);
	given_loads_end(given);
}

static void weights_decide_within_a_subset(void **state)
{
	static const uint32_t weights[] = {1, 2, 7};
	struct given_loads *given = given_loads(3, UPSTREAM_HASH);
	unsigned counts[3] = {0};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		given->endpoints[i].weight = weights[i];
	given_compiled(given, 3, 0);
	for (unsigned i = 0; i < 10000; i++)
		counts[given_pick(given, 0, key_of(1))]++;
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(counts[i], weights[i] * 900, weights[i] * 1100);
	given_loads_end(given);
}

static void a_subset_larger_than_all_is_all(void **state)
{
	struct given_loads *given = given_loads(4, UPSTREAM_HASH);

	(void)state;
	given_compiled(given, 50, 0);
	assert_int_equal(subset_of(given, 3), 0x0f);
	given_loads_end(given);
}

static void a_retry_stays_in_the_subset_while_it_can(void **state)
{
	struct given_loads *given = given_loads(6, UPSTREAM_HASH);
	struct ip_port avoided[6];
	uint32_t subset;

	(void)state;
	given_compiled(given, 3, 0);
	subset = subset_of(given, 1);
	given->choice.avoided = avoided;
	for (uint32_t i = 0; i < 6; i++)
		if (subset >> i & 1)
			avoided[given->choice.avoided_count++] = (struct ip_port){
				given->endpoints[i].ip, given->endpoints[i].port};
	assert_int_equal(subset_of(given, 1) & subset, 0);
	given->choice.avoided_count = 2;
	assert_int_equal(subset_of(given, 1) & ~subset, 0);
	given_loads_end(given);
}

/*
 * Bounded loads
 */

static uint32_t most_in_flight(const struct given_loads *given)
{
	float most = 0;

	for (uint32_t i = 0; i < given->choice.count; i++)
		if (given_load(given, i).in_flight > most)
			most = given_load(given, i).in_flight;
	return (uint32_t)most;
}

static void a_hot_key_keeps_to_the_bound(void **state)
{
	static const uint32_t percents[] = {101, 125, 200};

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		struct given_loads *given = given_loads(8, UPSTREAM_HASH);
		double count = given->choice.count;

		given_compiled(given, 0, percents[n]);
		for (uint32_t sent = 1; sent <= 800; sent++) {
			given_begin(given, sent % GIVEN_WORKERS,
				    given_pick(given, sent % GIVEN_WORKERS, key_of(1)));
			/* workers take the sum anew after few picks; one more is within it */
			assert_true(most_in_flight(given) <=
				    ceil(sent * percents[n] / 100.0 / count) + 1);
		}
		given_loads_end(given);
	}
}

static void many_endpoints_keep_to_the_bound_though_their_sum_is_a_little_old(void **state)
{
	struct given_loads *given = given_loads(200, UPSTREAM_HASH);

	(void)state;
	given_compiled(given, 0, 125);
	for (uint32_t sent = 1; sent <= 4000; sent++)
		given_begin(given, 0, given_pick(given, 0, key_of(sent % 3)));

	assert_in_range(most_in_flight(given), 20, 4000 * 1.25 / 200 + 1);
	given_loads_end(given);
}

static void below_the_bound_a_key_stays_where_it_is(void **state)
{
	struct given_loads *given = given_loads(8, UPSTREAM_HASH);
	static uint32_t plain[KEYS];
	static uint32_t bounded[KEYS];

	(void)state;
	given_compiled(given, 0, 0);
	pick_all(given, plain);
	given_compiled(given, 0, 150);
	pick_all(given, bounded);
	assert_memory_equal(plain, bounded, sizeof(plain));
	given_loads_end(given);
}

static void a_key_returns_when_its_endpoint_has_room(void **state)
{
	struct given_loads *given = given_loads(8, UPSTREAM_HASH);
	uint32_t home;

	(void)state;
	given_compiled(given, 0, 150);
	home = given_pick(given, 0, key_of(1));
	for (unsigned i = 0; i < 5; i++)
		given_begin(given, 0, home);
	assert_int_not_equal(given_pick(given, 0, key_of(1)), home);
	for (unsigned i = 0; i < 5; i++)
		given_end(given, 0, home, LOAD_ANSWERED, 100);

	given_pick(given, 0, key_of(1));
	assert_int_equal(given_pick(given, 0, key_of(1)), home);
	given_loads_end(given);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_leads_to_one_endpoint_whoever_asks),
		cmocka_unit_test(keys_spread_evenly),
		cmocka_unit_test(keys_spread_by_weight),
		cmocka_unit_test(an_endpoint_that_goes_moves_its_own_keys_and_no_others),
		cmocka_unit_test(an_endpoint_that_comes_takes_keys_and_moves_none_else),
		cmocka_unit_test(many_endpoints_have_a_ring_of_bounded_size),
		cmocka_unit_test(a_retry_goes_to_the_next_of_the_ring),
		cmocka_unit_test(a_name_without_a_ring_moves_few_keys_too),
		cmocka_unit_test(a_key_leads_to_one_of_the_subsets_in_the_order_of_endpoints),
		cmocka_unit_test(chance_decides_within_a_subset),
		cmocka_unit_test(weights_decide_within_a_subset),
		cmocka_unit_test(a_subset_larger_than_all_is_all),
		cmocka_unit_test(a_retry_stays_in_the_subset_while_it_can),
		cmocka_unit_test(a_hot_key_keeps_to_the_bound),
		cmocka_unit_test(many_endpoints_keep_to_the_bound_though_their_sum_is_a_little_old),
		cmocka_unit_test(below_the_bound_a_key_stays_where_it_is),
		cmocka_unit_test(a_key_returns_when_its_endpoint_has_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
