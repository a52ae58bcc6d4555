/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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
	store_take_changes(&store);

	store_upsert(&store, again);

	assert_false(store_take_changes(&store).routes);
	assert_int_equal(store_find_service(&store, S("shop"), S("web"))->object.created, 1);
}

static void changes_are_told_by_what_depends_on_them_and_once(void **state)
{
	(void)state;
	store_upsert(&store, given_service("web", 1));
	struct store_changes service = store_take_changes(&store);
	store_upsert(&store, given_slice("web-1", "web"));
	struct store_changes slice = store_take_changes(&store);
	store_delete(&store, OBJECT_SERVICE, S("shop"), S("nobody"));
	struct store_changes nothing = store_take_changes(&store);
	store_delete(&store, OBJECT_ENDPOINT_SLICE, S("shop"), S("web-1"));
	struct store_changes gone = store_take_changes(&store);

	assert_true(service.routes && !service.endpoints);
	assert_true(!slice.routes && slice.endpoints);
	assert_true(!nothing.routes && !nothing.endpoints);
	assert_true(!gone.routes && gone.endpoints);
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
		CASE(changes_are_told_by_what_depends_on_them_and_once),
		CASE(slices_are_found_by_their_service),
		CASE(objects_are_sorted_by_age_and_then_by_name),
		CASE(a_secret_is_wiped_when_it_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
