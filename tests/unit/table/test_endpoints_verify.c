/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of endpoints with one thing wrong, and the look-up in those that are right. */
#include "given.h"

#include "../../fuzz/table_use.h"
#include "corrupt.h"

static const char given_text[] = "shop-cart-80 10.0.0.1:80 10.0.0.2:80\n"
				 "-\n"
				 "shop-db-5432 @db.example:5432\n"
				 "shop-empty-80\n"
				 "shop-api-443 ~api.example 10.0.0.3:443\n"
				 "shop-user-80 10.0.0.4:80 10.0.0.5:80 % #x_user";

static void an_upstream_is_found_by_id_and_incarnation(void **state)
{
	struct given_endpoints *given = given_endpoints(given_text);
	const struct endpoints *endpoints = &given->endpoints;
	const struct upstream_record *cart = endpoints_find(&given->shards, 0, 1).upstream;
	const struct upstream_record *db = endpoints_find(&given->shards, 2, 1).upstream;

	assert_non_null(cart);
	assert_int_equal(cart->endpoint_count, 2);
	assert_int_equal(endpoints->endpoints[cart->first_endpoint + 1].ip.bytes[15], 2);
	assert_true(span_equals(endpoints_text(endpoints, cart->name), S("shop-cart-80")));
	assert_non_null(db);
	assert_true(span_equals(endpoints_text(endpoints, db->external_name), S("db.example")));

	given_endpoints_end(given);
	(void)state;
}

static void an_id_that_is_free_or_another_upstream_is_not_found(void **state)
{
	struct given_endpoints *given = given_endpoints(given_text);

	assert_null(endpoints_find(&given->shards, 0, 2).upstream);
	assert_null(endpoints_find(&given->shards, 1, 0).upstream);
	assert_null(endpoints_find(&given->shards, 1, 1).upstream);
	assert_null(endpoints_find(&given->shards, 6, 1).upstream);
	assert_null(endpoints_find(&given->shards, TABLE_NONE, 1).upstream);

	given_endpoints_end(given);
	(void)state;
}

#define UPSTREAM(i, field) CORRUPT(ENDPOINTS_UPSTREAMS, upstream_record, i, field)
#define TLS(i, field)      CORRUPT(ENDPOINTS_TLS, upstream_tls, i, field)
#define POINT(i, field)    CORRUPT(ENDPOINTS_RING, ring_point, i, field)
#define PART(i, field)     CORRUPT(ENDPOINTS_PARTS, template_part, i, field)
#define SHARE(i)                                                           \
	{                                                                  \
		ENDPOINTS_SHARES, sizeof(uint32_t), i, sizeof(uint32_t), 0 \
	}
#define ENDPOINT(i, field) CORRUPT(ENDPOINTS_ENDPOINTS, endpoint_record, i, field)

static const struct corruption corruptions[] = {
	{UPSTREAM(0, first_endpoint), 1, "out of order"},
	{UPSTREAM(0, endpoint_count), 1, "out of order"},
	{UPSTREAM(0, endpoint_count), 3, "out of order"},
	{UPSTREAM(0, endpoint_count), UINT32_MAX, "out of order"},
	{UPSTREAM(0, protocol), UPSTREAM_PROTOCOL_COUNT, "out of range"},
	{UPSTREAM(0, algorithm), UPSTREAM_ALGORITHM_COUNT, "out of range"},
	{UPSTREAM(0, tls), 1, "names no tls"},
	{UPSTREAM(4, tls), 1, "names no tls"},
	{TLS(0, versions), 0, "out of range"},
	{TLS(0, versions), BIT(UPSTREAM_TLS_VERSION_COUNT), "out of range"},
	{TLS(0, verify_depth), 0, "out of range"},
	{TLS(0, verify_depth), TABLE_VERIFY_DEPTH_MAX + 1, "out of range"},
	{TLS(0, reserved[0]), 1, "out of range"},
	{TLS(0, server_name.len), 4096, "text outside"},
	{TLS(0, verify_name.len), 4096, "text outside"},
	{TLS(0, ciphers.len), 4096, "text outside"},
	{UPSTREAM(0, external_port), 80, "without the other"},
	{UPSTREAM(0, incarnation), 0, "is free and not zero"},
	{UPSTREAM(0, name.len), 4096, "text outside"},
	{UPSTREAM(0, name.at), 0, "text outside"},
	{UPSTREAM(1, first_endpoint), 1, "is free and not zero"},
	{UPSTREAM(2, external_port), 0, "without the other"},
	{UPSTREAM(2, external_name.len), 0, "text outside"},
	{ENDPOINT(0, port), 0, "out of range"},
	{ENDPOINT(0, state), ENDPOINT_STATE_COUNT, "out of range"},
	{ENDPOINT(0, reserved), 1, "out of range"},
	{ENDPOINT(0, weight), 0, "out of range"},
	{ENDPOINT(0, weight), TABLE_WEIGHT_MAX + 1, "out of range"},
	{ENDPOINT(0, slot), TABLE_SLOTS_MAX, "has no slot"},
	{ENDPOINT(0, slot), UINT32_MAX, "has no slot"},
	{ENDPOINT(1, incarnation), 0, "has no slot"},
	{UPSTREAM(0, first_share), 0, "shares of upstreams[5] are out of order"},
	{UPSTREAM(5, first_share), 1, "shares of upstreams[5] are out of order"},
	{UPSTREAM(5, first_share), TABLE_NONE, "belongs to no upstream"},
	{SHARE(1), UINT32_MAX - 1, "do not add up"},
	{SHARE(1), 0, "do not add up"},
	{UPSTREAM(0, first_point), 1, "ring of upstreams[0] is out of order"},
	{UPSTREAM(0, point_count), 1, "ring of upstreams[0] is out of order"},
	{UPSTREAM(5, first_point), 1, "ring of upstreams[5] is out of order"},
	{UPSTREAM(5, point_count), 0, "ring of upstreams[5] is out of order"},
	{UPSTREAM(5, point_count), 3, "belongs to no upstream"},
	{UPSTREAM(5, point_count), 5, "ring of upstreams[5] is out of order"},
	{UPSTREAM(5, algorithm), UPSTREAM_EWMA, "nothing is"},
	{UPSTREAM(0, algorithm), UPSTREAM_HASH, "ring of upstreams[0] is out of order"},
	{POINT(0, node), 2, "leads nowhere"},
	{POINT(3, node), UINT32_MAX, "leads nowhere"},
	{POINT(2, hash), 0, "leads nowhere"},
	{UPSTREAM(5, subset_size), 2, "leads nowhere"},
	{UPSTREAM(5, subset_size), TABLE_SUBSET_MAX + 1, "out of range"},
	{UPSTREAM(0, subset_size), 1, "nothing is"},
	{UPSTREAM(5, bound_percent), 100, "out of range"},
	{UPSTREAM(5, bound_percent), TABLE_BOUND_PERCENT_MAX + 1, "out of range"},
	{UPSTREAM(0, bound_percent), 125, "nothing is"},
	{UPSTREAM(5, hash_by.first), 1, "parts of upstreams[5] are out of order"},
	{UPSTREAM(5, hash_by.count), 1, "belongs to no upstream"},
	{UPSTREAM(5, hash_by.count), 3, "parts of upstreams[5] are out of order"},
	{UPSTREAM(5, hash_by.count), TEMPLATE_PARTS_MAX + 1, "out of range"},
	{PART(0, variable), VARIABLE_COUNT, "no part of a text"},
	{PART(0, variable), VARIABLE_REMOTE_ADDR, "no part of a text"},
	{PART(1, variable), VARIABLE_REMOTE_ADDR, "no part of a text"},
	{PART(1, text.len), 0, "text outside"},
	{PART(1, text.len), 4096, "text outside"},
};

static int verify(struct span segment, struct error *err)
{
	struct endpoints endpoints;

	return endpoints_verify(segment, &endpoints, err);
}

static void a_field_that_is_wrong_is_refused_and_named(void **state)
{
	struct buf bytes = {0};

	given_endpoints_bytes(given_text, &bytes);
	for (size_t i = 0; i < sizeof(corruptions) / sizeof(corruptions[0]); i++)
		assert_corruption_refused(&bytes, &corruptions[i], verify);

	buf_fini(&bytes);
	(void)state;
}

static void an_endpoint_of_no_upstream_is_refused(void **state)
{
	const struct corruption count = {UPSTREAM(0, endpoint_count), 1, "belongs to no upstream"};
	struct buf bytes = {0};

	given_endpoints_bytes("shop-cart-80 10.0.0.1:80 10.0.0.2:80", &bytes);
	assert_corruption_refused(&bytes, &count, verify);

	buf_fini(&bytes);
	(void)state;
}

static void external_names_are_fit_for_a_resolver(void **state)
{
	char text[400] = "shop-db-5432 @";
	struct error err = {0};
	struct buf bytes = {0};

	memset(text + strlen(text), 'a', 254);
	memcpy(text + strlen(text), ":80", sizeof(":80"));
	given_endpoints_bytes(text, &bytes);
	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	assert_non_null(strstr(err.text, "external name that is none"));

	buf_fini(&bytes);
	(void)state;
}

static void names_for_tls_are_fit_for_a_library(void **state)
{
	char text[400] = "shop-api-443 ~";
	struct error err = {0};
	struct buf bytes = {0};

	memset(text + strlen(text), 'a', 254);
	given_endpoints_bytes(text, &bytes);
	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	assert_non_null(strstr(err.text, "a text that is none"));

	buf_fini(&bytes);
	(void)state;
}

static void more_upstreams_than_have_numbers_are_refused(void **state)
{
	const struct upstream_record free_id = {0};
	struct table_stamp stamp = given_stamp(1, TABLE_SHARDS_MAX);
	struct builder builder;
	struct buf bytes = {0};
	struct error err = {0};

	builder_init(&builder, TABLE_ENDPOINTS);
	for (uint32_t i = 0; i <= TABLE_UPSTREAMS_MAX / TABLE_SHARDS_MAX; i++)
		builder_add(&builder, ENDPOINTS_UPSTREAMS, &free_id);
	builder_finish(&builder, &stamp, &bytes);
	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	assert_non_null(strstr(err.text, "upstreams are too many"));

	builder_fini(&builder);
	buf_fini(&bytes);
	(void)state;
}

static void use(struct span segment)
{
	table_use(segment, TABLE_ENDPOINTS);
}

static void any_single_wrong_word_is_refused_or_harmless(void **state)
{
	struct buf bytes = {0};

	given_endpoints_bytes(given_text, &bytes);
	corrupt_every_word(buf_span(&bytes), use);
	corrupt_every_bit(buf_span(&bytes), use);

	buf_fini(&bytes);
	(void)state;
}

static void a_segment_of_the_other_kind_is_refused(void **state)
{
	struct buf bytes = {0};
	struct error err = {0};

	given_routes_bytes("shop.example Prefix / -> root", &bytes);
	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	assert_non_null(strstr(err.text, "INGOT-EP"));

	buf_fini(&bytes);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_upstream_is_found_by_id_and_incarnation),
		cmocka_unit_test(an_id_that_is_free_or_another_upstream_is_not_found),
		cmocka_unit_test(a_field_that_is_wrong_is_refused_and_named),
		cmocka_unit_test(an_endpoint_of_no_upstream_is_refused),
		cmocka_unit_test(external_names_are_fit_for_a_resolver),
		cmocka_unit_test(names_for_tls_are_fit_for_a_library),
		cmocka_unit_test(more_upstreams_than_have_numbers_are_refused),
		cmocka_unit_test(any_single_wrong_word_is_refused_or_harmless),
		cmocka_unit_test(a_segment_of_the_other_kind_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
