/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when numbers run out. */
#include "given.h"

#include "compile/ids.h"
#include "table/format.h"

static struct ip_port address(uint32_t n)
{
	struct ip_port at = {.port = 80};

	memcpy(at.ip.bytes, &n, sizeof(n));
	return at;
}

static bool take(struct ids *ids, uint32_t n, uint32_t *slot)
{
	struct ip_port at = address(n);
	uint32_t incarnation;

	return ids_slots_take(ids, &at, slot, &incarnation);
}

static void an_endpoint_beyond_the_last_slot_gets_none_until_another_goes(void **state)
{
	struct ids *ids = ids_new();
	struct ip_port kept = address(5);
	uint32_t slot, incarnation;

	ids_slots_begin(ids);
	for (uint32_t i = 0; i < TABLE_SLOTS_MAX; i++)
		assert_true(take(ids, i, &slot));
	assert_false(take(ids, TABLE_SLOTS_MAX, &slot));
	assert_int_equal(ids_slot_end(ids), TABLE_SLOTS_MAX);

	ids_slots_begin(ids);
	assert_true(ids_slots_mark(ids, &kept, &slot, &incarnation));
	ids_slots_sweep(ids);
	assert_int_equal(ids_slot_incarnation(ids, 4), 0);
	assert_int_equal(ids_slot_incarnation(ids, 5), 1);
	assert_true(take(ids, TABLE_SLOTS_MAX, &slot));
	assert_int_equal(slot, 0);
	assert_int_equal(ids_slot_incarnation(ids, 0), 2);

	ids_free(ids);
	(void)state;
}

static void a_rule_beyond_the_last_row_shares_row_zero(void **state)
{
	struct ids *ids = ids_new();
	char key[16];
	uint32_t row;

	for (uint32_t i = 1; i < TABLE_STAT_ROWS_MAX; i++) {
		int len = snprintf(key, sizeof(key), "%u", i);

		assert_int_equal(ids_row(ids, span_make(key, (size_t)len), 1), i);
	}
	assert_int_equal(ids_row(ids, S("one more"), 1), 0);
	assert_int_equal(ids_row(ids, S("7"), 2), 7);

	ids_release(ids, 2);
	row = ids_row(ids, S("one more"), 2);
	assert_int_equal(row, 1);
	assert_int_equal(ids_row(ids, S("7"), 2), 7);

	ids_free(ids);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_endpoint_beyond_the_last_slot_gets_none_until_another_goes),
		cmocka_unit_test(a_rule_beyond_the_last_row_shares_row_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
