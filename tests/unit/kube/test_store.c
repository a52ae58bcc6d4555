/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/list.h"

static struct store store;

static struct object *given_object(enum object_kind kind, size_t size, const char *namespace,
				   const char *name, int64_t created)
{
	struct object *object = object_new(kind, size);

	object->namespace = arena_copy(&object->arena, span_from(namespace));
	object->name = arena_copy(&object->arena, span_from(name));
	object->created = created;
	object->by_name.key = namespace[0] == '\0'
				      ? object->name
				      : arena_printf(&object->arena, "%s/%s", namespace, name);
	return object;
}

static struct object *given_service(const char *name, int64_t created)
{
	return given_object(OBJECT_SERVICE, sizeof(struct service), "shop", name, created);
}

static struct object *given_slice(const char *name, const char *service)
{
	struct endpoint_slice *slice = (struct endpoint_slice *)given_object(
		OBJECT_ENDPOINT_SLICE, sizeof(struct endpoint_slice), "shop", name, 0);

	slice->service_name = arena_copy(&slice->object.arena, span_from(service));
	return &slice->object;
}

static unsigned count_slices(const char *service)
{
	unsigned count = 0;

	for (const struct endpoint_slice *at =
		     store_find_slices(&store, S("shop"), span_from(service));
	     at != NULL; at = at->next_of_service)
		count++;
	return count;
}

static int set_up(void **state)
{
	(void)state;
	store_init(&store);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	store_fini(&store);
	return 0;
}

static void an_object_is_found_by_kind_namespace_and_name(void **state)
{
	(void)state;
	store_upsert(&store, given_service("web", 1));

	assert_non_null(store_find_service(&store, S("shop"), S("web")));
	assert_null(store_find_service(&store, S("shop"), S("we")));
	assert_null(store_find_service(&store, S("sho"), S("web")));
	assert_null(store_find_config_map(&store, S("shop"), S("web")));
	assert_null(store_find_service(&store, S(""), S("")));
}

static void a_name_that_is_too_long_for_any_object_is_not_found(void **state)
{
	static char name[100000];

	(void)state;
	memset(name, 'a', sizeof(name));
	store_upsert(&store, given_service("web", 1));

	assert_null(store_find_service(&store, S("shop"), span_make(name, sizeof(name))));
	assert_null(store_find_service(&store, span_make(name, sizeof(name)), S("web")));
	assert_null(store_find_slices(&store, S("shop"), span_make(name, sizeof(name))));
}

static void a_newer_version_takes_the_place_of_the_older(void **state)
{
	(void)state;
	store_upsert(&store, given_service("web", 1));
	store_upsert(&store, given_service("web", 2));

	assert_int_equal(store_count(&store, OBJECT_SERVICE), 1);
	assert_int_equal(store_find_service(&store, S("shop"), S("web"))->object.created, 2);
}

static void the_same_version_changes_nothing(void **state)
{
	struct object *first = given_service("web", 1);
	struct object *again = given_service("web", 2);

	(void)state;
	first->resource_version = again->resource_version = S("7");
	store_upsert(&store, first);
	store_forget_changes(&store);

	store_upsert(&store, again);

	assert_false(store_has_changes(&store));
	assert_int_equal(store_find_service(&store, S("shop"), S("web"))->object.created, 1);
}

/* What is told of shop/web; NULL: nothing. */
static const struct store_change *change_of_web(enum object_kind kind)
{
	struct map_entry *entry = map_find(&store.changes.changed[kind], S("shop/web"));

	return entry == NULL ? NULL : container_of(entry, struct store_change, by_name);
}

static void at_first_everything_has_changed(void **state)
{
	(void)state;
	assert_true(store.changes.everything);
	store_upsert(&store, given_service("web", 1));
	assert_int_equal(store.changes.count, 0);

	store_forget_changes(&store);

	assert_false(store_has_changes(&store));
}

static void a_change_is_told_as_it_was_and_as_it_is_however_often(void **state)
{
	(void)state;
	store_upsert(&store, given_service("web", 1));
	store_forget_changes(&store);

	store_upsert(&store, given_service("web", 2));
	store_delete(&store, OBJECT_SERVICE, S("shop"), S("web"));
	store_upsert(&store, given_service("web", 3));

	assert_int_equal(store.changes.count, 1);
	assert_int_equal(change_of_web(OBJECT_SERVICE)->before->created, 1);
	assert_int_equal(change_of_web(OBJECT_SERVICE)->after->created, 3);
	assert_ptr_equal(change_of_web(OBJECT_SERVICE)->after,
			 store_find(&store, OBJECT_SERVICE, S("shop"), S("web")));
}

static void what_came_and_what_went_are_told(void **state)
{
	(void)state;
	store_upsert(&store, given_service("web", 1));
	store_forget_changes(&store);

	store_delete(&store, OBJECT_SERVICE, S("shop"), S("web"));
	store_delete(&store, OBJECT_SERVICE, S("shop"), S("nobody"));
	store_upsert(&store, given_slice("web", "web"));

	assert_int_equal(store.changes.count, 2);
	assert_int_equal(change_of_web(OBJECT_SERVICE)->before->created, 1);
	assert_null(change_of_web(OBJECT_SERVICE)->after);
	assert_null(change_of_web(OBJECT_ENDPOINT_SLICE)->before);
	assert_non_null(change_of_web(OBJECT_ENDPOINT_SLICE)->after);
}

static void too_many_changes_are_told_as_everything(void **state)
{
	(void)state;
	store_forget_changes(&store);

	for (int i = 0; i <= STORE_CHANGES_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		store_upsert(&store, given_service(name, 1));
	}

	assert_true(store.changes.everything);
	assert_int_equal(store.changes.count, 0);
	assert_int_equal(store_count(&store, OBJECT_SERVICE), STORE_CHANGES_MAX + 1);
}

static void slices_are_found_by_their_service(void **state)
{
	(void)state;
	store_upsert(&store, given_slice("a", "web"));
	store_upsert(&store, given_slice("b", "web"));
	store_upsert(&store, given_slice("c", "web"));
	store_upsert(&store, given_slice("d", "cart"));
	store_upsert(&store, given_slice("e", ""));
	assert_int_equal(count_slices("web"), 3);

	store_delete(&store, OBJECT_ENDPOINT_SLICE, S("shop"), S("a")); /* the first of the list */
	assert_int_equal(count_slices("web"), 2);
	store_upsert(&store, given_slice("b", "cart")); /* another Service's now */
	assert_int_equal(count_slices("web"), 1);
	assert_int_equal(count_slices("cart"), 2);
	store_delete(&store, OBJECT_ENDPOINT_SLICE, S("shop"), S("c"));
	assert_int_equal(count_slices("web"), 0);
	assert_int_equal(store_count(&store, OBJECT_ENDPOINT_SLICE), 3);
}

static void objects_are_sorted_by_age_and_then_by_name(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, NULL, 0, SIZE_MAX);
	store_upsert(&store, given_service("timeless", INT64_MAX));
	store_upsert(&store, given_service("b", 5));
	store_upsert(&store, given_service("a", 5));
	store_upsert(&store, given_service("old", 1));

	const struct object **sorted = store_sorted(&store, OBJECT_SERVICE, &arena);

	assert_memory_equal(sorted[0]->name.ptr, "old", 3);
	assert_memory_equal(sorted[1]->name.ptr, "a", 1);
	assert_memory_equal(sorted[2]->name.ptr, "b", 1);
	assert_memory_equal(sorted[3]->name.ptr, "timeless", 8);
	arena_fini(&arena);
}

static void a_secret_is_wiped_when_it_goes(void **state)
{
	static char value[] = "hunter2";
	struct secret *secret = (struct secret *)given_object(OBJECT_SECRET, sizeof(*secret),
							      "shop", "tls", 0);
	struct pair *pair = arena_take_zero(&secret->object.arena, sizeof(*pair));

	(void)state;
	pair->key = S("key");
	pair->value = span_make(value, 7); /* outside of the arena, so that it can be looked at */
	secret->data = (struct pairs){pair, 1};
	store_upsert(&store, &secret->object);

	store_delete(&store, OBJECT_SECRET, S("shop"), S("tls"));

	assert_memory_equal(value, "\0\0\0\0\0\0\0", 7);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_object_is_found_by_kind_namespace_and_name),
		CASE(a_name_that_is_too_long_for_any_object_is_not_found),
		CASE(a_newer_version_takes_the_place_of_the_older),
		CASE(the_same_version_changes_nothing),
		CASE(at_first_everything_has_changed),
		CASE(a_change_is_told_as_it_was_and_as_it_is_however_often),
		CASE(what_came_and_what_went_are_told),
		CASE(too_many_changes_are_told_as_everything),
		CASE(slices_are_found_by_their_service),
		CASE(objects_are_sorted_by_age_and_then_by_name),
		CASE(a_secret_is_wiped_when_it_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
