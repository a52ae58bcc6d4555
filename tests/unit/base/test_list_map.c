/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct thing {
	struct list link;
};

static unsigned count(const struct list_map *map, const char *name)
{
	const struct list *list = list_map_find(map, span_from(name));
	unsigned count = 0;

	if (list == NULL)
		return 0;
	list_for_each (link, list)
		count++;
	return count;
}

static void a_name_has_a_list_while_something_is_in_it(void **state)
{
	struct list_map map;
	struct thing a;
	struct thing b;

	(void)state;
	list_map_init(&map);
	list_init(&a.link);
	list_init(&b.link);

	list_map_add(&map, S("x"), &a.link);
	list_map_add(&map, S("x"), &b.link);

	assert_int_equal(count(&map, "x"), 2);
	assert_null(list_map_find(&map, S("y")));
	list_map_remove(&map, S("x"), &a.link);
	assert_ptr_equal(list_first(list_map_find(&map, S("x"))), &b.link);
	list_map_remove(&map, S("x"), &b.link);
	assert_null(list_map_find(&map, S("x")));
	list_map_fini(&map);
}

static void what_is_in_no_list_is_removed_without_harm(void **state)
{
	struct list_map map;
	struct thing a;

	(void)state;
	list_map_init(&map);
	list_init(&a.link);

	list_map_remove(&map, S("x"), &a.link);

	assert_null(list_map_find(&map, S("x")));
	list_map_fini(&map);
}

static void names_are_copied(void **state)
{
	struct list_map map;
	struct thing a;
	char name[] = "x";

	(void)state;
	list_map_init(&map);
	list_init(&a.link);
	list_map_add(&map, span_from(name), &a.link);

	name[0] = 'y';

	assert_int_equal(count(&map, "x"), 1);
	assert_int_equal(count(&map, "y"), 0);
	list_map_fini(&map); /* what is still in it is its owner's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_has_a_list_while_something_is_in_it),
		cmocka_unit_test(what_is_in_no_list_is_removed_without_harm),
		cmocka_unit_test(names_are_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
