/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when numbers run out. */
#include "given.h"

#include <stdlib.h>

#include "base/memory.h"
#include "compile/ids.h"
#include "table/format.h"

static struct ip_port address(uint32_t n)
{
	struct ip_port at = {.port = 80};

	memcpy(at.ip.bytes, &n, sizeof(n));
	return at;
}

static bool take(struct ids *ids, uint32_t n, uint32_t *slot, uint32_t *incarnation)
{
	struct ip_port at = address(n);

	return ids_take_slot(ids, &at, slot, incarnation);
}

static void an_endpoint_beyond_the_last_slot_gets_none_until_another_goes(void **state)
{
	struct ids *ids = memory_new(sizeof(*ids));
	struct ip_port kept = address(5);
	uint32_t slot, incarnation;

	ids_init(ids);
	for (uint32_t i = 0; i < TABLE_SLOTS_MAX; i++)
		assert_true(take(ids, i, &slot, &incarnation));
	assert_false(take(ids, TABLE_SLOTS_MAX, &slot, &incarnation));
	assert_false(ids_has_slot(ids));

	assert_true(ids_hold_slot(ids, &kept, &slot, &incarnation));
	for (uint32_t i = 0; i < TABLE_SLOTS_MAX; i++)
		ids_leave_slot(ids, i);
	assert_true(ids_has_slot(ids));
	assert_true(ids_hold_slot(ids, &kept, &slot, &incarnation));
	assert_int_equal(slot, 5);
	assert_int_equal(incarnation, 1);
	assert_true(take(ids, TABLE_SLOTS_MAX, &slot, &incarnation));
	assert_int_equal(slot, 0);
	assert_int_equal(incarnation, 2);

	ids_fini(ids);
	free(ids);
	(void)state;
}

static void a_slot_is_free_when_it_was_left_as_often_as_it_was_held(void **state)
{
	struct ids *ids = memory_new(sizeof(*ids));
	struct ip_port at = address(1);
	uint32_t slot, incarnation;

	ids_init(ids);
	assert_false(ids_hold_slot(ids, &at, &slot, &incarnation));
	assert_true(ids_take_slot(ids, &at, &slot, &incarnation));
	assert_true(ids_take_slot(ids, &at, &slot, &incarnation));
	ids_leave_slot(ids, slot);
	assert_true(ids_hold_slot(ids, &at, &slot, &incarnation));
	ids_leave_slot(ids, slot);
	ids_leave_slot(ids, slot);

	assert_false(ids_hold_slot(ids, &at, &slot, &incarnation));
	ids_fini(ids);
	free(ids);
	(void)state;
}

static uint32_t row_of(struct ids *ids, const char *key)
{
	bool is_first;

	return ids_row(ids, span_from(key), &is_first);
}

static void a_rule_beyond_the_last_row_shares_row_zero(void **state)
{
	struct ids *ids = memory_new(sizeof(*ids));
	char key[16];

	ids_init(ids);
	ids_begin_rows(ids);
	for (uint32_t i = 1; i < TABLE_STAT_ROWS_MAX; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(row_of(ids, key), i);
	}
	assert_int_equal(row_of(ids, "one more"), 0);

	ids_begin_rows(ids);
	assert_int_equal(row_of(ids, "7"), 7);
	for (uint32_t i = 1; i < TABLE_STAT_ROWS_MAX; i++)
		ids_leave_row(ids, i, 2);
	ids_release_rows(ids, 1);
	assert_int_equal(row_of(ids, "one more"), 0);
	ids_release_rows(ids, 2);
	assert_int_equal(row_of(ids, "one more"), 1);
	assert_int_equal(row_of(ids, "7"), 7);

	ids_fini(ids);
	free(ids);
	(void)state;
}

static void a_row_that_is_asked_for_again_does_not_go(void **state)
{
	struct ids *ids = memory_new(sizeof(*ids));
	bool is_first;

	ids_init(ids);
	ids_begin_rows(ids);
	assert_int_equal(ids_row(ids, S("a"), &is_first), 1);
	assert_true(is_first);
	assert_int_equal(ids_row(ids, S("a"), &is_first), 1);
	assert_false(is_first);
	ids_begin_rows(ids);
	ids_leave_row(ids, 1, 2);
	assert_int_equal(ids_row(ids, S("a"), &is_first), 1);
	assert_true(is_first);
	ids_release_rows(ids, 2);

	assert_int_equal(row_of(ids, "b"), 2);
	assert_int_equal(row_of(ids, "a"), 1);
	ids_fini(ids);
	free(ids);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_endpoint_beyond_the_last_slot_gets_none_until_another_goes),
		cmocka_unit_test(a_slot_is_free_when_it_was_left_as_often_as_it_was_held),
		cmocka_unit_test(a_rule_beyond_the_last_row_shares_row_zero),
		cmocka_unit_test(a_row_that_is_asked_for_again_does_not_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
