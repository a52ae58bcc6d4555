/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tables.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "given.h"
#include "table/seal.h"

static struct tables tables;

static int sealed(struct span bytes)
{
	struct error err;
	int fd = seal_new("ingot-test-table", bytes, &err);

	if (fd == -1)
		fail_msg("%s", err.text);
	return fd;
}

/* Applies bytes as a segment of that kind; what went wrong, or NULL. */
static const char *apply(enum table_kind kind, struct buf *bytes)
{
	static struct error err;
	int fd = sealed(buf_span(bytes));
	int result = tables_prepare(&tables, kind, fd, &err);

	tables_commit(&tables);
	close(fd);
	buf_fini(bytes);
	return result == 0 ? NULL : err.text;
}

static const char *apply_routes(const char *text)
{
	struct buf bytes = {0};

	given_routes_bytes(text, &bytes);
	return apply(TABLE_ROUTES, &bytes);
}

static const char *apply_endpoints(const char *text)
{
	struct buf bytes = {0};

	given_endpoints_bytes(text, &bytes);
	return apply(TABLE_ENDPOINTS, &bytes);
}

/* Segments that this process has mapped, as the kernel sees it. */
static uint32_t mapped_segments(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	uint32_t count = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL)
		count += strstr(line, "memfd:ingot-test-table") != NULL;
	(void)fclose(maps);
	return count;
}

static void assert_mapped(uint32_t count)
{
	assert_int_equal(tables_mapped(&tables), count);
	assert_int_equal(mapped_segments(), count);
}

/* A shard alone, whatever its set has besides. */
static void assert_leads_to(const struct shard *shard, const char *service)
{
	const struct routes *routes = &shard->routes;
	const struct route *route = &routes->routes[0];

	assert_int_equal(routes->route_count, 1);
	assert_true(span_equals(routes_text(routes, routes->objects[route->object].service),
				span_from(service)));
}

static uint32_t endpoint_count(void)
{
	struct upstream_match match = endpoints_find(&tables.endpoints, 0, 1);

	assert_non_null(match.upstream);
	return match.upstream->endpoint_count;
}

static struct shard *pin(void)
{
	shard_pin(tables.routes.at[0]);
	return tables.routes.at[0];
}

static void unpin(struct shard *shard)
{
	shard_unpin(&tables.routes, shard);
}

static int begin(void **state)
{
	(void)state;
	tables_init(&tables);
	return 0;
}

static int end(void **state)
{
	(void)state;
	tables_fini(&tables);
	assert_int_equal(mapped_segments(), 0);
	return 0;
}

static void tables_are_complete_with_both_segments(void **state)
{
	(void)state;
	assert_false(tables_are_complete(&tables));
	assert_null(apply_endpoints("shop-cart-80 10.0.0.1:80"));
	assert_false(tables_are_complete(&tables));
	assert_null(apply_routes("shop.example Prefix / -> cart"));

	assert_true(tables_are_complete(&tables));
	assert_leads_to(tables.routes.at[0], "cart");
	assert_mapped(2);
}

static void a_new_segment_takes_the_place_of_the_old(void **state)
{
	(void)state;
	assert_null(apply_routes("shop.example Prefix / -> cart"));
	assert_null(apply_endpoints("shop-cart-80 10.0.0.1:80"));
	assert_null(apply_routes("shop.example Prefix / -> core"));
	assert_null(apply_endpoints("shop-cart-80 10.0.0.1:80 10.0.0.2:80"));

	assert_leads_to(tables.routes.at[0], "core");
	assert_int_equal(endpoint_count(), 2);
	assert_mapped(2);
}

static void pinned_routes_stay_until_the_last_pin_goes(void **state)
{
	struct shard *first;
	struct shard *again;

	(void)state;
	assert_null(apply_routes("shop.example Prefix / -> cart"));
	first = pin();
	again = pin();
	assert_ptr_equal(first, again);
	assert_null(apply_routes("shop.example Prefix / -> core"));
	assert_leads_to(first, "cart");
	assert_leads_to(tables.routes.at[0], "core");
	assert_mapped(2);

	unpin(first);
	assert_leads_to(again, "cart");
	assert_mapped(2);
	unpin(again);
	assert_mapped(1);
}

static void routes_in_effect_stay_without_pins(void **state)
{
	(void)state;
	assert_null(apply_routes("shop.example Prefix / -> cart"));
	unpin(pin());

	assert_leads_to(tables.routes.at[0], "cart");
	assert_mapped(1);
}

static void generations_end_in_any_order(void **state)
{
	static const char *const services[] = {"a", "b", "c", "d"};
	struct shard *pins[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		char text[64];

		snprintf(text, sizeof(text), "shop.example Prefix / -> %s", services[i]);
		assert_null(apply_routes(text));
		pins[i] = pin();
	}
	assert_mapped(4);
	unpin(pins[1]);
	assert_mapped(3);
	assert_leads_to(pins[0], "a");
	assert_leads_to(pins[2], "c");
	unpin(pins[3]);
	assert_mapped(3);
	unpin(pins[0]);
	unpin(pins[2]);
	assert_mapped(1);
	assert_leads_to(tables.routes.at[0], "d");
}

/* The worker ends while exchanges are in progress. */
static void the_end_unmaps_what_is_pinned_too(void **state)
{
	(void)state;
	assert_null(apply_endpoints("shop-cart-80 10.0.0.1:80"));
	assert_null(apply_routes("shop.example Prefix / -> cart"));
	pin();
	assert_null(apply_routes("shop.example Prefix / -> core"));
	pin();

	assert_mapped(3);
}

static void given_tables(void)
{
	assert_null(apply_routes("shop.example Prefix / -> cart"));
	assert_null(apply_endpoints("shop-cart-80 10.0.0.1:80"));
}

static void assert_old_ones_serve(void)
{
	assert_leads_to(tables.routes.at[0], "cart");
	assert_int_equal(endpoint_count(), 1);
	assert_mapped(2);
}

static void a_segment_with_a_changed_byte_is_refused_and_the_old_one_serves(void **state)
{
	struct buf bytes = {0};

	(void)state;
	given_tables();
	given_routes_bytes("shop.example Prefix / -> core", &bytes);
	bytes.ptr[bytes.len / 2] ^= 1;
	assert_non_null(apply(TABLE_ROUTES, &bytes));
	given_endpoints_bytes("shop-cart-80 10.0.0.1:80 10.0.0.2:80", &bytes);
	bytes.ptr[bytes.len / 2] ^= 1;
	assert_non_null(apply(TABLE_ENDPOINTS, &bytes));

	assert_old_ones_serve();
}

static void a_segment_of_the_other_kind_is_refused(void **state)
{
	struct buf bytes = {0};

	(void)state;
	given_tables();
	given_endpoints_bytes("shop-cart-80 10.0.0.1:80", &bytes);
	assert_non_null(apply(TABLE_ROUTES, &bytes));
	given_routes_bytes("shop.example Prefix / -> core", &bytes);
	assert_non_null(apply(TABLE_ENDPOINTS, &bytes));

	assert_old_ones_serve();
}

static void a_segment_that_could_still_be_written_is_refused(void **state)
{
	struct buf bytes = {0};
	struct error err;
	int fd = memfd_create("ingot-test-table", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	given_tables();
	given_routes_bytes("shop.example Prefix / -> core", &bytes);
	assert_int_equal(write(fd, bytes.ptr, bytes.len), bytes.len);
	assert_int_equal(tables_prepare(&tables, TABLE_ROUTES, fd, &err), -1);

	assert_old_ones_serve();
	close(fd);
	buf_fini(&bytes);
}

static const char *prepare(enum table_kind kind, const char *text)
{
	static struct error err;
	struct buf bytes = {0};
	int result;
	int fd;

	if (kind == TABLE_ROUTES)
		given_routes_bytes(text, &bytes);
	else
		given_endpoints_bytes(text, &bytes);
	fd = sealed(buf_span(&bytes));
	result = tables_prepare(&tables, kind, fd, &err);
	close(fd);
	buf_fini(&bytes);
	return result == 0 ? NULL : err.text;
}

static void both_tables_take_effect_together(void **state)
{
	(void)state;
	given_tables();
	assert_null(prepare(TABLE_ENDPOINTS, "shop-core-80 10.0.0.1:80 10.0.0.2:80"));
	assert_null(prepare(TABLE_ROUTES, "shop.example Prefix / -> core"));
	assert_leads_to(tables.routes.at[0], "cart");
	assert_int_equal(endpoint_count(), 1);

	tables_commit(&tables);
	assert_leads_to(tables.routes.at[0], "core");
	assert_int_equal(endpoint_count(), 2);
	assert_mapped(2);
}

static void what_is_dropped_takes_no_effect(void **state)
{
	(void)state;
	given_tables();
	assert_null(prepare(TABLE_ENDPOINTS, "shop-core-80 10.0.0.1:80 10.0.0.2:80"));
	tables_drop(&tables);
	tables_commit(&tables);

	assert_old_ones_serve();
}

/* --- endpoints that leave --- */

static char left[256];

static void on_left(void *owner, const struct endpoint_record *endpoint)
{
	struct ip_port at = {.ip = endpoint->ip, .port = endpoint->port};
	char text[IP_PORT_TEXT_SIZE];

	(void)owner;
	ip_port_write(text, &at);
	strcat(left, text);
	strcat(left, " ");
}

/* Shard 0 has the upstreams a and c, shard 1 has b. */
static const char in_shards[] = "a 10.0.0.1:80 10.0.0.2:80\nb 10.0.0.3:80\nc 10.0.0.4:80";

/* A shard of these endpoints, or with a number beyond the last all of them. */
static void apply_shard(const char *text, uint32_t shard)
{
	struct buf bundle = {0};
	struct buf bytes = {0};
	struct span rest, segment;

	given_endpoints_bundle(text, 2, &bundle);
	rest = buf_span(&bundle);
	for (uint32_t i = 0; bundle_cut(&rest, &segment); i++)
		if (i == shard || shard >= 2)
			buf_add(&bytes, segment);
	assert_null(apply(TABLE_ENDPOINTS, &bytes));
	buf_fini(&bundle);
}

static void given_shards(void)
{
	tables.on_left = on_left;
	apply_shard(in_shards, 2);
	left[0] = '\0';
}

static void who_leaves_a_shard_is_told_and_nobody_else(void **state)
{
	(void)state;
	given_shards();
	apply_shard("a 10.0.0.1:80\nb 10.0.0.9:80\nc 10.0.0.4:80", 0);

	assert_string_equal(left, "10.0.0.2:80 10.0.0.4:80 ");
	assert_true(tables_have(&tables, 0, 1));
	assert_true(tables_have(&tables, 2, 1));
	assert_false(tables_have(&tables, 3, 1));
	assert_false(tables_have(&tables, 0, 2));
	assert_false(tables_have(&tables, TABLE_NONE, 1));
}

/* Slots of given texts are in the order of the text: here b has the slot that a gives up. */
static void an_endpoint_stays_while_another_shard_has_it(void **state)
{
	(void)state;
	tables.on_left = on_left;
	apply_shard("a 10.0.0.1:80\nb", 2);
	left[0] = '\0';
	apply_shard("a\nb 10.0.0.1:80", 1);
	apply_shard("a\nb", 0);
	assert_string_equal(left, "");
	assert_true(tables_have(&tables, 0, 1));

	apply_shard("a\nb", 1);
	assert_string_equal(left, "10.0.0.1:80 ");
	assert_false(tables_have(&tables, 0, 1));
}

static void another_set_tells_who_is_in_it_no_more(void **state)
{
	struct buf bytes = {0};

	(void)state;
	given_shards();
	given_endpoints_bytes("a 10.0.0.1:80 10.0.0.2:80\nb 10.0.0.3:80", &bytes);
	assert_null(apply(TABLE_ENDPOINTS, &bytes));

	assert_string_equal(left, "10.0.0.4:80 ");
	assert_true(tables_have(&tables, 2, 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(tables_are_complete_with_both_segments),
		TEST(a_new_segment_takes_the_place_of_the_old),
		TEST(pinned_routes_stay_until_the_last_pin_goes),
		TEST(routes_in_effect_stay_without_pins),
		TEST(generations_end_in_any_order),
		TEST(the_end_unmaps_what_is_pinned_too),
		TEST(a_segment_with_a_changed_byte_is_refused_and_the_old_one_serves),
		TEST(a_segment_of_the_other_kind_is_refused),
		TEST(a_segment_that_could_still_be_written_is_refused),
		TEST(both_tables_take_effect_together),
		TEST(what_is_dropped_takes_no_effect),
		TEST(who_leaves_a_shard_is_told_and_nobody_else),
		TEST(an_endpoint_stays_while_another_shard_has_it),
		TEST(another_set_tells_who_is_in_it_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
