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
	int result = tables_apply(&tables, kind, fd, &err);

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
	assert_int_equal(tables.mapped, count);
	assert_int_equal(mapped_segments(), count);
}

static void assert_leads_to(const struct routes_table *table, const char *service)
{
	struct route_match match = routes_find(&table->routes, S("shop.example"), S("/"));

	assert_non_null(match.route);
	assert_true(span_equals(
		routes_text(&table->routes, table->routes.objects[match.route->object].service),
		span_from(service)));
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
	assert_leads_to(tables.routes, "cart");
	assert_mapped(2);
}

static void a_new_segment_takes_the_place_of_the_old(void **state)
{
	(void)state;
	assert_null(apply_routes("shop.example Prefix / -> cart"));
	assert_null(apply_endpoints("shop-cart-80 10.0.0.1:80"));
	assert_null(apply_routes("shop.example Prefix / -> core"));
	assert_null(apply_endpoints("shop-cart-80 10.0.0.1:80 10.0.0.2:80"));

	assert_leads_to(tables.routes, "core");
	assert_int_equal(tables.endpoints.upstreams[0].endpoint_count, 2);
	assert_mapped(2);
}

static void pinned_routes_stay_until_the_last_pin_goes(void **state)
{
	struct routes_table *first;
	struct routes_table *again;

	(void)state;
	assert_null(apply_routes("shop.example Prefix / -> cart"));
	first = routes_pin(&tables);
	again = routes_pin(&tables);
	assert_ptr_equal(first, again);
	assert_null(apply_routes("shop.example Prefix / -> core"));
	assert_leads_to(first, "cart");
	assert_leads_to(tables.routes, "core");
	assert_mapped(2);

	routes_unpin(&tables, first);
	assert_leads_to(again, "cart");
	assert_mapped(2);
	routes_unpin(&tables, again);
	assert_mapped(1);
}

static void routes_in_effect_stay_without_pins(void **state)
{
	(void)state;
	assert_null(apply_routes("shop.example Prefix / -> cart"));
	routes_unpin(&tables, routes_pin(&tables));

	assert_leads_to(tables.routes, "cart");
	assert_mapped(1);
}

static void generations_end_in_any_order(void **state)
{
	static const char *const services[] = {"a", "b", "c", "d"};
	struct routes_table *pins[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		char text[64];

		snprintf(text, sizeof(text), "shop.example Prefix / -> %s", services[i]);
		assert_null(apply_routes(text));
		pins[i] = routes_pin(&tables);
	}
	assert_mapped(4);
	routes_unpin(&tables, pins[1]);
	assert_mapped(3);
	assert_leads_to(pins[0], "a");
	assert_leads_to(pins[2], "c");
	routes_unpin(&tables, pins[3]);
	assert_mapped(3);
	routes_unpin(&tables, pins[0]);
	routes_unpin(&tables, pins[2]);
	assert_mapped(1);
	assert_leads_to(tables.routes, "d");
}

/* The worker ends while exchanges are in progress. */
static void the_end_unmaps_what_is_pinned_too(void **state)
{
	(void)state;
	assert_null(apply_endpoints("shop-cart-80 10.0.0.1:80"));
	assert_null(apply_routes("shop.example Prefix / -> cart"));
	routes_pin(&tables);
	assert_null(apply_routes("shop.example Prefix / -> core"));
	routes_pin(&tables);

	assert_mapped(3);
}

static void given_tables(void)
{
	assert_null(apply_routes("shop.example Prefix / -> cart"));
	assert_null(apply_endpoints("shop-cart-80 10.0.0.1:80"));
}

static void assert_old_ones_serve(void)
{
	assert_leads_to(tables.routes, "cart");
	assert_int_equal(tables.endpoints.upstreams[0].endpoint_count, 1);
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
	assert_int_equal(tables_apply(&tables, TABLE_ROUTES, fd, &err), -1);

	assert_old_ones_serve();
	close(fd);
	buf_fini(&bytes);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
