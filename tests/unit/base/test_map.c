/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/memory.h"

enum { MANY = 3000 };

struct pod {
	struct map_entry by_name;
	unsigned met;
	char name[16];
};

static struct pod *given_pods(struct map *map)
{
	struct pod *pods = memory_new_array(MANY, sizeof(*pods));

	map_init(map);
	for (unsigned i = 0; i < MANY; i++) {
		int length = snprintf(pods[i].name, sizeof(pods[i].name), "pod-%u", i);

		pods[i].by_name.key = span_make(pods[i].name, (size_t)length);
		map_add(map, &pods[i].by_name);
	}
	return pods;
}

static struct pod *pod_of(struct map_entry *entry)
{
	return container_of(entry, struct pod, by_name);
}

static void every_entry_is_found_whatever_was_added_after_it(void **state)
{
	struct map map;
	struct pod *pods = given_pods(&map);

	(void)state;
	assert_int_equal(map.count, MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_ptr_equal(map_find(&map, pods[i].by_name.key), &pods[i].by_name);
	assert_null(map_find(&map, S("pod-")));
	assert_null(map_find(&map, S("pod-3000")));
	map_fini(&map);
	free(pods);
}

static void an_empty_map_finds_and_walks_nothing(void **state)
{
	struct map map;

	(void)state;
	map_init(&map);

	assert_null(map_find(&map, S("a")));
	assert_null(map_next(&map, NULL));
	map_fini(&map);
}

static void the_empty_key_is_a_key(void **state)
{
	struct map_entry empty = {.key = {NULL, 0}};
	struct map map;

	(void)state;
	map_init(&map);
	map_add(&map, &empty);

	assert_ptr_equal(map_find(&map, S("")), &empty);
	map_fini(&map);
}

static void a_removed_entry_is_gone_and_the_others_stay(void **state)
{
	struct map map;
	struct pod *pods = given_pods(&map);

	(void)state;
	for (unsigned i = 0; i < MANY; i += 2)
		map_remove(&map, &pods[i].by_name);

	assert_int_equal(map.count, MANY / 2);
	for (unsigned i = 0; i < MANY; i++)
		assert_ptr_equal(map_find(&map, pods[i].by_name.key),
				 i % 2 == 0 ? NULL : &pods[i].by_name);
	map_fini(&map);
	free(pods);
}

static void a_walk_meets_each_entry_once(void **state)
{
	struct map map;
	struct pod *pods = given_pods(&map);

	(void)state;
	for (struct map_entry *at = map_next(&map, NULL); at != NULL; at = map_next(&map, at))
		pod_of(at)->met++;

	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(pods[i].met, 1);
	map_fini(&map);
	free(pods);
}

static void the_entry_met_last_may_be_removed_in_a_walk(void **state)
{
	struct map map;
	struct pod *pods = given_pods(&map);

	(void)state;
	for (struct map_entry *at = map_next(&map, NULL); at != NULL; at = map_next(&map, at)) {
		pod_of(at)->met++;
		map_remove(&map, at);
	}

	assert_int_equal(map.count, 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(pods[i].met, 1);
	map_fini(&map);
	free(pods);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_entry_is_found_whatever_was_added_after_it),
		cmocka_unit_test(an_empty_map_finds_and_walks_nothing),
		cmocka_unit_test(the_empty_key_is_a_key),
		cmocka_unit_test(a_removed_entry_is_gone_and_the_others_stay),
		cmocka_unit_test(a_walk_meets_each_entry_once),
		cmocka_unit_test(the_entry_met_last_may_be_removed_in_a_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
