/* SPDX-License-Identifier: Apache-2.0 */
/* How bundles of shards become a table, and what stays of the one before. */
#include "given.h"

#include <stdlib.h>

#include "base/memory.h"
#include "table/hash.h"
#include "table/shards.h"

enum { SHARDS = 4 };

static uint32_t given_back;

static void count_and_free(struct span bytes)
{
	given_back++;
	free((void *)(uintptr_t)bytes.ptr);
}

/* A copy on the heap that count_and_free gets back. */
static struct span copy_of(struct span bytes)
{
	char *copy = memory_new(bytes.len);

	memcpy(copy, bytes.ptr, bytes.len);
	return span_make(copy, bytes.len);
}

static int apply(struct shards *shards, struct span bytes, struct error *err)
{
	return shards_apply(shards, copy_of(bytes), count_and_free, err);
}

static void assert_refused(struct shards *shards, struct span bytes, const char *reason)
{
	struct error err = {0};
	uint32_t before = given_back;

	assert_int_equal(apply(shards, bytes, &err), -1);
	if (strstr(err.text, reason) == NULL)
		fail_msg("\"%s\", expected: %s", err.text, reason);
	assert_int_equal(given_back, before + 1);
}

/* Changes what the header of a shard says, and mends its checksum. */
static void restamp(char *segment, uint64_t generation, uint64_t set)
{
	struct table_header *header = (void *)segment;

	header->generation = generation;
	header->set = set;
	builder_checksum(segment, header->size);
}

/* The shard with that number in a bundle. */
static struct span shard_in(struct span bundle, uint32_t shard)
{
	struct span segment = {NULL, 0};

	for (uint32_t i = 0; i <= shard; i++)
		assert_true(bundle_cut(&bundle, &segment));
	return segment;
}

/* Four shards of endpoints: upstream i is in shard i. */
static const char before_text[] = "a 10.0.0.1:80\nb 10.0.0.2:80\nc 10.0.0.3:80\nd 10.0.0.4:80";
static const char after_text[] = "a 10.0.0.1:80\nb 10.0.0.9:80\nc 10.0.0.3:80\nd 10.0.0.8:80";

static void given_table(struct shards *shards, struct buf *bundle)
{
	struct error err = {0};

	shards_init(shards, TABLE_ENDPOINTS);
	given_endpoints_bundle(before_text, SHARDS, bundle);
	if (apply(shards, buf_span(bundle), &err) == -1)
		fail_msg("%s", err.text);
}

static uint8_t last_byte(const struct shards *shards, uint32_t upstream)
{
	struct upstream_match match = endpoints_find(shards, upstream, 1);

	assert_non_null(match.upstream);
	return match.endpoints->endpoints[match.upstream->first_endpoint].ip.bytes[15];
}

static void a_shard_of_the_same_set_replaces_its_predecessor_alone(void **state)
{
	struct buf bundle = {0};
	struct buf after = {0};
	struct shards shards;
	struct error err;
	struct span one;

	given_table(&shards, &bundle);
	given_endpoints_bundle(after_text, SHARDS, &after);
	one = shard_in(buf_span(&after), 1);
	restamp((char *)(uintptr_t)one.ptr, 2, 1);
	assert_int_equal(apply(&shards, one, &err), 0);

	assert_int_equal(last_byte(&shards, 0), 1);
	assert_int_equal(last_byte(&shards, 1), 9);
	assert_int_equal(last_byte(&shards, 3), 4);
	assert_int_equal(shards.generation, 2);
	assert_int_equal(shards.mapped, SHARDS);
	assert_int_equal(shards.bytes, bundle.len);
	shards_fini(&shards);
	buf_fini(&bundle);
	buf_fini(&after);
	(void)state;
}

static void memory_is_given_back_with_the_last_of_its_shards(void **state)
{
	struct buf bundle = {0};
	struct shards shards;
	struct error err;

	given_table(&shards, &bundle);
	given_back = 0;
	for (uint32_t i = 0; i < SHARDS; i++) {
		assert_int_equal(given_back, 0);
		assert_int_equal(apply(&shards, shard_in(buf_span(&bundle), i), &err), 0);
	}
	assert_int_equal(given_back, 1);
	shards_fini(&shards);

	assert_int_equal(given_back, 1 + SHARDS);
	buf_fini(&bundle);
	(void)state;
}

static void a_pinned_shard_stays_until_it_is_unpinned(void **state)
{
	struct buf bundle = {0};
	struct shards shards;
	struct error err;
	struct shard *pinned;

	given_table(&shards, &bundle);
	pinned = shards.at[2];
	shard_pin(pinned);
	given_back = 0;
	assert_int_equal(apply(&shards, buf_span(&bundle), &err), 0);

	assert_ptr_not_equal(shards.at[2], pinned);
	assert_int_equal(given_back, 0);
	assert_int_equal(shards.mapped, SHARDS + 1);
	assert_int_equal(pinned->endpoints.endpoint_count, 1);
	shard_unpin(&shards, pinned);
	assert_int_equal(given_back, 1);
	assert_int_equal(shards.mapped, SHARDS);
	shards_fini(&shards);
	buf_fini(&bundle);
	(void)state;
}

static void another_set_takes_the_place_of_all(void **state)
{
	struct buf bundle = {0};
	struct buf after = {0};
	struct shards shards;
	struct error err;

	given_table(&shards, &bundle);
	given_endpoints_bundle(after_text, 2, &after);
	restamp(after.ptr, 3, 2);
	restamp((char *)(uintptr_t)shard_in(buf_span(&after), 1).ptr, 3, 2);
	assert_int_equal(apply(&shards, buf_span(&after), &err), 0);

	assert_int_equal(shards.count, 2);
	assert_int_equal(shards.set, 2);
	assert_int_equal(last_byte(&shards, 1), 9);
	assert_int_equal(last_byte(&shards, 3), 8);
	assert_int_equal(shards.mapped, 2);
	assert_int_equal(shards.bytes, after.len);
	shards_fini(&shards);
	buf_fini(&bundle);
	buf_fini(&after);
	(void)state;
}

static void what_is_prepared_changes_nothing_until_it_is_committed(void **state)
{
	struct buf bundle = {0};
	struct buf after = {0};
	struct shards shards;
	struct shards_change change;
	struct error err;

	given_table(&shards, &bundle);
	given_endpoints_bundle(after_text, SHARDS, &after);
	assert_int_equal(
		shards_prepare(&shards, copy_of(buf_span(&after)), count_and_free, &change, &err),
		0);
	assert_int_equal(last_byte(&shards, 1), 2);
	shards_drop(&change);
	assert_int_equal(last_byte(&shards, 1), 2);
	assert_int_equal(
		shards_prepare(&shards, copy_of(buf_span(&after)), count_and_free, &change, &err),
		0);
	shards_commit(&shards, &change);

	assert_int_equal(last_byte(&shards, 1), 9);
	shards_fini(&shards);
	buf_fini(&bundle);
	buf_fini(&after);
	(void)state;
}

static void a_bundle_that_does_not_fit_is_refused_as_a_whole(void **state)
{
	struct buf bundle = {0};
	struct buf odd = {0};
	struct shards shards;
	struct span first;
	struct span second;

	given_table(&shards, &bundle);
	first = shard_in(buf_span(&bundle), 0);
	second = shard_in(buf_span(&bundle), 1);
	assert_refused(&shards, S(""), "0 bytes at the end");
	assert_refused(&shards, span_take(first, first.len - 16), "no segment");
	buf_add(&odd, first);
	buf_add(&odd, S("0123456789abcdef"));
	assert_refused(&shards, buf_span(&odd), "16 bytes at the end");
	buf_clear(&odd);
	buf_add(&odd, second);
	buf_add(&odd, first);
	assert_refused(&shards, buf_span(&odd), "shard 0 of the bundle is out of order");
	buf_clear(&odd);
	buf_add(&odd, first);
	buf_add(&odd, first);
	assert_refused(&shards, buf_span(&odd), "shard 0 of the bundle is out of order");
	buf_clear(&odd);
	buf_add(&odd, first);
	buf_add(&odd, second);
	restamp(odd.ptr + first.len, 2, 2);
	assert_refused(&shards, buf_span(&odd), "shards of two sets");
	restamp(odd.ptr, 2, 2);
	assert_refused(&shards, buf_span(&odd), "2 of 4 shards of another set");

	assert_int_equal(last_byte(&shards, 0), 1);
	assert_int_equal(shards.mapped, SHARDS);
	shards_fini(&shards);
	buf_fini(&bundle);
	buf_fini(&odd);
	(void)state;
}

static void a_shard_comes_to_nothing_where_nothing_is_in_effect(void **state)
{
	struct buf bundle = {0};
	struct shards shards;

	shards_init(&shards, TABLE_ENDPOINTS);
	given_endpoints_bundle(before_text, SHARDS, &bundle);

	assert_refused(&shards, shard_in(buf_span(&bundle), 0), "1 of 4 shards of another set");
	assert_null(endpoints_find(&shards, 0, 1).upstream);
	shards_fini(&shards);
	buf_fini(&bundle);
	(void)state;
}

static void one_wrong_shard_refuses_its_bundle(void **state)
{
	struct buf bundle = {0};
	struct shards shards;

	given_table(&shards, &bundle);
	bundle.ptr[bundle.len - 1] = 1;
	builder_checksum((char *)(uintptr_t)shard_in(buf_span(&bundle), 3).ptr,
			 shard_in(buf_span(&bundle), 3).len);
	assert_refused(&shards, buf_span(&bundle), "not the end");
	shards_fini(&shards);
	buf_fini(&bundle);
	(void)state;
}

/* --- routes --- */

#define ROUTES_TEXT "a.example Prefix / -> a\nb.example Prefix / -> b\nc.example Prefix / -> c"

static void change_setting(struct span segment)
{
	char *bytes = (char *)(uintptr_t)segment.ptr;
	const struct table_header *header = (const void *)bytes;
	struct table_settings *settings = (void *)(bytes + header->sections[ROUTES_SETTINGS].at);

	settings->keep_alive_requests++;
	builder_checksum(bytes, segment.len);
}

static void settings_are_the_same_in_every_shard(void **state)
{
	struct given_routes *given = given_routes_in_shards(ROUTES_TEXT, SHARDS);
	struct buf bundle = {0};
	struct error err;

	given_routes_bundle(ROUTES_TEXT, SHARDS, &bundle);
	change_setting(shard_in(buf_span(&bundle), 2));
	assert_refused(&given->shards, buf_span(&bundle), "the settings of shard 2");
	assert_refused(&given->shards, shard_in(buf_span(&bundle), 2), "the settings of shard 2");
	change_setting(shard_in(buf_span(&bundle), 0));
	assert_refused(&given->shards, shard_in(buf_span(&bundle), 0), "the settings of shard 0");
	change_setting(shard_in(buf_span(&bundle), 1));
	change_setting(shard_in(buf_span(&bundle), 3));
	assert_int_equal(apply(&given->shards, buf_span(&bundle), &err), 0);

	assert_int_equal(shards_settings(&given->shards)->keep_alive_requests, 1);
	given_routes_end(given);
	buf_fini(&bundle);
	(void)state;
}

static void suffixes_are_tried_while_any_shard_has_a_wildcard_of_many_labels(void **state)
{
	struct given_routes *given = given_routes_in_shards("**.shop.example Prefix / -> many",
							    SHARDS);
	struct buf none = {0};
	struct error err;

	assert_route(given, "a.b.shop.example", "/", "many");
	given_routes_bundle("*.shop.example Prefix / -> one", SHARDS, &none);
	assert_int_equal(apply(&given->shards, buf_span(&none), &err), 0);

	assert_int_equal(given->shards.many_labels, 0);
	assert_route(given, "a.b.shop.example", "/", "");
	assert_route(given, "b.shop.example", "/", "one");
	given_routes_end(given);
	buf_fini(&none);
	(void)state;
}

static void what_is_in_effect_is_written_as_the_bundle_that_it_came_from(void **state)
{
	struct given_routes *given = given_routes_in_shards(ROUTES_TEXT, SHARDS);
	struct buf written = {0};

	shards_write(&given->shards, &written);

	assert_true(span_equals(buf_span(&written), given->pages.bytes));
	given_routes_end(given);
	buf_fini(&written);
	(void)state;
}

static void checksums_tell_tables_apart(void **state)
{
	struct given_routes *given[3] = {
		given_routes_in_shards(ROUTES_TEXT, SHARDS),
		given_routes_in_shards(ROUTES_TEXT, SHARDS),
		given_routes_in_shards("a.example Prefix / -> b", SHARDS),
	};

	assert_true(shards_checksum(&given[0]->shards) == shards_checksum(&given[1]->shards));
	assert_true(shards_checksum(&given[0]->shards) != shards_checksum(&given[2]->shards));
	for (int i = 0; i < 3; i++)
		given_routes_end(given[i]);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shard_of_the_same_set_replaces_its_predecessor_alone),
		cmocka_unit_test(memory_is_given_back_with_the_last_of_its_shards),
		cmocka_unit_test(a_pinned_shard_stays_until_it_is_unpinned),
		cmocka_unit_test(another_set_takes_the_place_of_all),
		cmocka_unit_test(what_is_prepared_changes_nothing_until_it_is_committed),
		cmocka_unit_test(a_bundle_that_does_not_fit_is_refused_as_a_whole),
		cmocka_unit_test(a_shard_comes_to_nothing_where_nothing_is_in_effect),
		cmocka_unit_test(one_wrong_shard_refuses_its_bundle),
		cmocka_unit_test(settings_are_the_same_in_every_shard),
		cmocka_unit_test(suffixes_are_tried_while_any_shard_has_a_wildcard_of_many_labels),
		cmocka_unit_test(what_is_in_effect_is_written_as_the_bundle_that_it_came_from),
		cmocka_unit_test(checksums_tell_tables_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
