/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/pattern_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void a_pattern_is_made_once(void **state)
{
	struct pattern_store *store = pattern_store_new();
	const struct pattern *first = pattern_store_get(store, S("CN=ann"));

	assert_non_null(first);
	assert_ptr_equal(pattern_store_get(store, S("CN=ann")), first);
	assert_ptr_not_equal(pattern_store_get(store, S("CN=bob")), first);

	pattern_store_free(store);
	(void)state;
}

static void what_is_no_pattern_stays_none(void **state)
{
	struct pattern_store *store = pattern_store_new();

	assert_null(pattern_store_get(store, S("CN=(")));
	assert_null(pattern_store_get(store, S("CN=(")));

	pattern_store_free(store);
	(void)state;
}

/* Which of two are kept is seen by what they find: one that went is made anew and finds the same. */
static void more_than_fit_are_asked_for_in_turn(void **state)
{
	struct pattern_store *store = pattern_store_new();
	const struct pattern *kept = pattern_store_get(store, S("kept"));

	for (unsigned i = 0; i < PATTERNS_MAX * 2; i++) {
		char text[16];
		int length = snprintf(text, sizeof(text), "x%u", i);

		assert_non_null(pattern_store_get(store, span_make(text, (size_t)length)));
		assert_ptr_equal(pattern_store_get(store, S("kept")), kept);
	}
	assert_int_equal(pattern_find(pattern_store_get(store, S("x0")), S("x0")), PATTERN_FOUND);

	pattern_store_free(store);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pattern_is_made_once),
		cmocka_unit_test(what_is_no_pattern_stays_none),
		cmocka_unit_test(more_than_fit_are_asked_for_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
