/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of routes with one thing wrong. */
#include "given.h"

#include <stdlib.h>

#include "../../fuzz/table_use.h"
#include "base/memory.h"
#include "corrupt.h"
#include "table/hash.h"

/* hosts: 0 shop.example, 1 *.shop.example, 2 the empty one.
 * nodes: 0 root of 0; 1, 2 its children; 3 below one of them; 4 root of 1; 5 root of 2.
 * routes in the order of these. */
static const char given_text[] = "shop.example Root / -> root\n"
				 "shop.example Prefix /cart -> cart\n"
				 "shop.example Exact /cart/items -> items\n"
				 "shop.example Prefix /api/ -> api\n"
				 "*.shop.example Prefix / -> wild";

static int verify(struct span segment, struct error *err)
{
	struct routes routes;

	return routes_verify(segment, &routes, err);
}

#define SETTING(field)   CORRUPT(ROUTES_SETTINGS, table_settings, 0, field)
#define NETWORK(field)   CORRUPT(ROUTES_NETWORKS, ip_network, 0, field)
#define HOST(i, field)   CORRUPT(ROUTES_HOSTS, host_record, i, field)
#define NODE(i, field)   CORRUPT(ROUTES_NODES, path_node, i, field)
#define ROUTE(i, field)  CORRUPT(ROUTES_ROUTES, route, i, field)
#define POLICY(field)    CORRUPT(ROUTES_POLICIES, route_policy, 0, field)
#define OBJECT(i, field) CORRUPT(ROUTES_OBJECTS, route_object, i, field)

static const struct corruption corruptions[] = {
	{SETTING(header_line_bytes), 0, "limits of heads"},
	{SETTING(header_line_bytes), 32769, "limits of heads"},
	{SETTING(header_total_bytes), TABLE_HEAD_BYTES_MAX + 1, "limits of heads"},
	{SETTING(underscores_in_headers), 2, "switch"},
	{SETTING(retry_non_idempotent), 2, "switch"},
	{SETTING(use_proxy_protocol), 2, "switch"},
	{SETTING(proxy_header_timeout_ms), 0, "out of range"},
	{SETTING(stream_idle_timeout_ms), 0, "out of range"},
	{SETTING(tls_record_bytes), TABLE_RECORD_BYTES_MIN - 1, "out of range"},
	{SETTING(tls_record_bytes), TABLE_RECORD_BYTES_MAX + 1, "out of range"},
	{SETTING(dh_parameters.len), 4096, "text outside"},
	{SETTING(tls_versions), 0, "out of range"},
	{SETTING(redirect_status), 299, "out of range"},
	{SETTING(http2_streams), 0, "out of range"},
	{SETTING(host_seed), 1, "is not found by its name"},
	{NETWORK(prefix_bits), 129, "is no network"},
	{NETWORK(ip.bytes[15]), 1, "is no network"},
	{POLICY(next_upstream), BIT(NEXT_UPSTREAM_COUNT), "unknown conditions"},
	{POLICY(response_head_bytes), 0, "allows heads"},
	{POLICY(response_head_bytes), TABLE_HEAD_BYTES_MAX + 1, "allows heads"},
	{POLICY(reserved[0]), 1, "reserved"},
	{OBJECT(0, service.len), 1 << 20, "text outside"},
	{OBJECT(0, service_port.at), UINT32_MAX, "text outside"},
	{HOST(0, name.len), UINT32_MAX, "text outside"},
	{HOST(0, name.len), 0, "text outside"},
	{HOST(0, wildcard), HOST_ONE_LABEL, "is no host"},
	{HOST(1, wildcard), HOST_EXACT, "is no host"},
	{HOST(1, wildcard), HOST_WILDCARD_COUNT, "is no host"},
	{HOST(1, name.len), 1, "is no host"},
	{HOST(0, reserved[1]), 1, "is no host"},
	{HOST(0, passthrough), 1, "passes connections on to nobody"},
	{HOST(1, passthrough), 2, "is no host"},
	{HOST(2, passthrough), 1, "is no host"},
	{HOST(0, root), 1, "out of order"},
	{HOST(2, root), 4, "out of order"},
	{HOST(2, root), UINT32_MAX, "out of order"},
	{NODE(0, label_hash), 1, "wrong hash"},
	{NODE(1, label_hash), 1, "wrong hash"},
	{NODE(1, reserved), 1, "reserved"},
	{NODE(0, first_child), 0, "out of order"},
	{NODE(0, first_child), UINT32_MAX, "out of order"},
	{NODE(0, child_count), 3, "not sorted"},
	{NODE(0, child_count), 1, "out of order"},
	{NODE(0, child_count), UINT32_MAX, "out of order"},
	{NODE(5, child_count), 1, "out of order"},
	{NODE(5, first_child), 6, "names a child and has none"},
	{NODE(5, first_child), 0, "names a child and has none"},
	{NODE(0, routes[NODE_PREFIX]), 1, "out of order"},
	{NODE(0, routes[NODE_PREFIX]), TABLE_NONE, "out of order"},
	{NODE(0, routes[NODE_EXACT]), 0, "fit its place"},
	{NODE(0, routes[NODE_PREFIX_SLASH]), 1, "out of order"},
	{NODE(4, routes[NODE_EXACT_SLASH]), 4, "out of order"},
	{NODE(5, routes[NODE_PREFIX]), 5, "out of order"},
	{NODE(5, routes[NODE_PREFIX]), 4, "out of order"},
	{ROUTE(0, host), 1, "of another host"},
	{ROUTE(4, host), UINT32_MAX, "of another host"},
	{ROUTE(0, upstream), TABLE_NONE, "fit its answer"},
	{ROUTE(0, upstream), TABLE_UPSTREAMS_MAX, "fit its answer"},
	{ROUTE(0, upstream_incarnation), 0, "fit its answer"},
	{ROUTE(0, answer), ROUTE_NOT_FOUND, "fit its answer"},
	{ROUTE(0, answer), ROUTE_ANSWER_COUNT, "out of range"},
	{ROUTE(0, path_type), ROUTE_EXACT, "fit its place"},
	{ROUTE(0, path_type), 2, "out of range"},
	{ROUTE(0, implicit), 2, "out of range"},
	{ROUTE(0, default_backend), 2, "out of range"},
	{ROUTE(0, reserved), 1, "out of range"},
	{ROUTE(0, plain_anyway), 2, "out of range"},
	{ROUTE(0, policy), 1, "has no policy"},
	{ROUTE(0, object), 5, "names no object"},
	{ROUTE(0, stat_row), TABLE_STAT_ROWS_MAX, "has no row"},
	{ROUTE(0, path.len), 0, "text outside"},
	{ROUTE(1, path.len), 1, "fit its place"},
};

static void a_field_that_is_wrong_is_refused_and_named(void **state)
{
	struct buf bytes = {0};

	given_routes_bytes(given_text, &bytes);
	for (size_t i = 0; i < sizeof(corruptions) / sizeof(corruptions[0]); i++)
		assert_corruption_refused(&bytes, &corruptions[i], verify);

	buf_fini(&bytes);
	(void)state;
}

#define TLS(field) CORRUPT(ROUTES_TLS, host_tls, 0, field)

/* One host that asks clients for certificates, and takes their order of ciphers. */
static void given_tls_bytes(struct buf *out)
{
	const struct host_tls tls = {
		.authorities = {{1, 2}},
		.client_policy = {{3, 4}},
		.verify = HOST_TLS_VERIFY_ON,
		.verify_depth = 1,
		.cipher_policy = {{5, 0}},
		.client_prefers = 1,
	};
	const struct table_stamp stamp = given_stamp(0, 1);
	struct routes_builder builder;

	given_builder(&builder);
	routes_builder_set_tls(&builder,
			       routes_builder_add_host(&builder, S(""), HOST_EXACT, NULL, 0), &tls);
	routes_builder_finish(&builder, &stamp, out);
	routes_builder_fini(&builder);
}

static void what_a_host_asks_of_clients_makes_sense(void **state)
{
	static const struct corruption wrong[] = {
		{TLS(verify), HOST_TLS_VERIFY_OFF, "makes no sense"},
		{TLS(verify), HOST_TLS_VERIFY_COUNT, "makes no sense"},
		{TLS(verify_depth), 0, "makes no sense"},
		{TLS(verify_depth), TABLE_VERIFY_DEPTH_MAX + 1, "makes no sense"},
		{TLS(pass_certificate), 2, "makes no sense"},
		{TLS(refuses), 2, "makes no sense"},
		{TLS(reserved[0]), 1, "reserved"},
		{TLS(client_prefers), 0, "without a policy"},
		{TLS(client_prefers), 2, "without a policy"},
		{TLS(cipher_policy.words[0]), 0, "without a policy"},
		{TLS(ciphers.len), 4096, "text outside"},
		{TLS(subject_pattern.len), 4096, "text outside"},
		{TLS(error_page.len), 4096, "text outside"},
		{HOST(0, tls), 1, "names no tls"},
	};
	struct buf bytes = {0};

	given_tls_bytes(&bytes);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_corruption_refused(&bytes, &wrong[i], verify);

	buf_fini(&bytes);
	(void)state;
}

static void use(struct span segment)
{
	table_use(segment, TABLE_ROUTES);
}

static void any_single_wrong_word_is_refused_or_harmless(void **state)
{
	struct buf bytes = {0};

	given_routes_bytes(given_text, &bytes);
	corrupt_every_word(buf_span(&bytes), use);
	corrupt_every_bit(buf_span(&bytes), use);

	buf_fini(&bytes);
	(void)state;
}

/* The segment with its header changed, verified. */
static void assert_header_refused(size_t at, uint64_t value, size_t size, const char *reason)
{
	struct buf bytes = {0};
	struct error err = {0};

	given_routes_bytes(given_text, &bytes);
	memcpy(bytes.ptr + at, &value, size);
	if (at != offsetof(struct table_header, checksum))
		builder_checksum(bytes.ptr, bytes.len);
	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	if (strstr(err.text, reason) == NULL)
		fail_msg("\"%s\", expected: %s", err.text, reason);
	buf_fini(&bytes);
}

#define SECTION_AT(section) (sizeof(struct table_header) + (section) * sizeof(struct table_section))

static void a_header_that_is_wrong_is_refused(void **state)
{
	assert_header_refused(0, 'X', 1, "does not begin with");
	assert_header_refused(8, TABLE_FORMAT_VERSION + 1, 4, "format version");
	assert_header_refused(12, 64, 4, "the header says");
	assert_header_refused(24, 1, 8, "checksum");
	assert_header_refused(40, 1, 4, "no shard 1 of 1");
	assert_header_refused(40, UINT32_MAX, 4, "no shard 4294967295 of 1");
	assert_header_refused(44, 0, 4, "no shard 0 of 0");
	assert_header_refused(44, 3, 4, "no shard 0 of 3");
	assert_header_refused(44, TABLE_SHARDS_MAX * 2, 4, "no shard 0 of 8192");
	assert_header_refused(44, 64, 4, "is not found by its name");
	assert_header_refused(56, ROUTES_SECTION_COUNT + 1, 8, "sections, expected");
	assert_header_refused(SECTION_AT(0), 0, 4, "section settings is not where");
	assert_header_refused(SECTION_AT(3), UINT32_MAX, 4, "section hosts is not where");
	assert_header_refused(SECTION_AT(0) + 4, 2, 4, "section networks is not where");
	assert_header_refused(SECTION_AT(0) + 4, UINT32_MAX, 4, "goes beyond the end");
	assert_header_refused(SECTION_AT(ROUTES_TEXT) + 4, 1, 4, "not the end");
	assert_header_refused(SECTION_AT(ROUTES_TEXT) + 4, UINT32_MAX, 4, "beyond the end");
	(void)state;
}

static void a_segment_that_was_cut_is_refused_at_every_length(void **state)
{
	struct buf bytes = {0};
	struct error err = {0};

	given_routes_bytes(given_text, &bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		char *cut = memory_new(len);

		memcpy(cut, bytes.ptr, len);
		assert_int_equal(verify(span_make(cut, len), &err), -1);
		if (len >= sizeof(struct table_header)) {
			((struct table_header *)(void *)cut)->size = (uint32_t)len;
			builder_checksum(cut, len);
			assert_int_equal(verify(span_make(cut, len), &err), -1);
		}
		free(cut);
	}
	buf_fini(&bytes);
	(void)state;
}

static void a_segment_that_lies_askew_is_refused(void **state)
{
	struct buf bytes = {0};
	struct error err = {0};

	given_routes_bytes(given_text, &bytes);
	char *askew = memory_new(bytes.len + 1);

	memcpy(askew + 1, bytes.ptr, bytes.len);
	assert_int_equal(verify(span_make(askew + 1, bytes.len), &err), -1);
	assert_non_null(strstr(err.text, "multiple of 16"));

	free(askew);
	buf_fini(&bytes);
	(void)state;
}

/* Changes the buckets of a copy and says what verify finds. */
static void assert_buckets_refused(void (*change)(struct host_bucket *buckets, uint32_t count),
				   const char *reason)
{
	struct buf bytes = {0};
	struct error err = {0};

	given_routes_bytes(given_text, &bytes);
	struct table_header *header = (void *)bytes.ptr;
	struct table_section section = header->sections[ROUTES_HOST_BUCKETS];

	change((void *)(bytes.ptr + section.at), section.count);
	builder_checksum(bytes.ptr, bytes.len);
	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	if (strstr(err.text, reason) == NULL)
		fail_msg("\"%s\", expected: %s", err.text, reason);
	buf_fini(&bytes);
}

static uint32_t find_bucket(const struct host_bucket *buckets, uint32_t count, bool is_free)
{
	for (uint32_t i = 0; i < count; i++)
		if ((buckets[i].host == TABLE_NONE) == is_free)
			return i;
	fail_msg("no such bucket");
	return 0;
}

static void take_all(struct host_bucket *buckets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		buckets[i].host = 0;
}

static void take_one_more(struct host_bucket *buckets, uint32_t count)
{
	buckets[find_bucket(buckets, count, true)].host = 0;
}

static void free_one(struct host_bucket *buckets, uint32_t count)
{
	buckets[find_bucket(buckets, count, false)] = (struct host_bucket){.host = TABLE_NONE};
}

static void name_no_host(struct host_bucket *buckets, uint32_t count)
{
	buckets[find_bucket(buckets, count, false)].host = 3;
}

static void hash_wrongly(struct host_bucket *buckets, uint32_t count)
{
	buckets[find_bucket(buckets, count, false)].name_hash++;
}

static void hash_a_free_one(struct host_bucket *buckets, uint32_t count)
{
	buckets[find_bucket(buckets, count, true)].name_hash = 1;
}

/* Each bucket moves on by one: the chains begin too late. */
static void turn(struct host_bucket *buckets, uint32_t count)
{
	struct host_bucket last = buckets[count - 1];

	memmove(&buckets[1], &buckets[0], (count - 1) * sizeof(*buckets));
	buckets[0] = last;
}

static void buckets_that_do_not_find_each_host_once_are_refused(void **state)
{
	assert_buckets_refused(take_all, "buckets are taken");
	assert_buckets_refused(take_one_more, "buckets are taken");
	assert_buckets_refused(free_one, "buckets are taken");
	assert_buckets_refused(name_no_host, "names no host");
	assert_buckets_refused(hash_wrongly, "not found by its name");
	assert_buckets_refused(hash_a_free_one, "is free and has a hash");
	assert_buckets_refused(turn, "not found by its name");
	(void)state;
}

/* Two hosts in as many buckets as said, filled as a look-up would search them. */
static void assert_bucket_count_refused(uint32_t count, const char *reason)
{
	const struct host_bucket free_bucket = {.host = TABLE_NONE};
	const struct span names[] = {S(""), S("a.example")};
	struct table_stamp stamp = given_stamp(0, 1);
	struct routes_builder builder;
	struct buf bytes = {0};
	struct error err = {0};

	given_builder(&builder);
	for (uint32_t i = 0; i < 2; i++)
		routes_builder_add_host(&builder, names[i], HOST_EXACT, NULL, 0);
	for (uint32_t i = 0; i < count; i++)
		builder_add(&builder.segment, ROUTES_HOST_BUCKETS, &free_bucket);
	for (uint32_t i = 0; i < 2 && count > 0; i++) {
		uint64_t hash = table_hash(names[i], 0);
		uint32_t at = table_hash_high(hash) & (count - 1);
		struct host_bucket *buckets = builder_at(&builder.segment, ROUTES_HOST_BUCKETS, 0);

		while (buckets[at].host != TABLE_NONE)
			at = (at + 1) % count;
		buckets[at] = (struct host_bucket){i, table_hash_low(hash)};
	}
	builder_finish(&builder.segment, &stamp, &bytes);
	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	if (strstr(err.text, reason) == NULL)
		fail_msg("\"%s\", expected: %s", err.text, reason);
	routes_builder_fini(&builder);
	buf_fini(&bytes);
}

static void buckets_are_a_power_of_two_and_one_is_free_so_that_a_search_ends(void **state)
{
	assert_bucket_count_refused(0, "no power of two");
	assert_bucket_count_refused(2, "no bucket is free");
	assert_bucket_count_refused(3, "no power of two");
	assert_bucket_count_refused(6, "no power of two");
	(void)state;
}

static void bytes_between_sections_and_at_the_end_are_zero(void **state)
{
	struct buf bytes = {0};
	struct error err = {0};

	given_routes_bytes("shop.example Prefix /cart -> cart", &bytes);
	const struct table_header *header = (const void *)bytes.ptr;
	size_t gap = header->sections[ROUTES_NETWORKS].at + sizeof(struct ip_network);

	assert_true(gap < header->sections[ROUTES_HOST_BUCKETS].at);
	bytes.ptr[gap] = 1;
	builder_checksum(bytes.ptr, bytes.len);
	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	assert_non_null(strstr(err.text, "before section buckets are not zero"));

	const struct table_section *text = &header->sections[ROUTES_TEXT];

	assert_true(text->at + text->count < bytes.len);
	bytes.ptr[gap] = 0;
	bytes.ptr[bytes.len - 1] = 1;
	builder_checksum(bytes.ptr, bytes.len);
	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	assert_non_null(strstr(err.text, "not the end"));

	buf_fini(&bytes);
	(void)state;
}

/* A segment with these hosts, each with the root alone. */
static void assert_hosts_refused(const struct span *hosts, uint32_t count, const char *reason)
{
	struct table_stamp stamp = given_stamp(0, 1);
	struct routes_builder builder;
	struct buf bytes = {0};
	struct error err = {0};

	given_builder(&builder);
	for (uint32_t i = 0; i < count; i++)
		routes_builder_add_host(&builder, hosts[i], HOST_EXACT, NULL, 0);
	routes_builder_finish(&builder, &stamp, &bytes);
	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	if (strstr(err.text, reason) == NULL)
		fail_msg("\"%s\", expected: %s", err.text, reason);
	routes_builder_fini(&builder);
	buf_fini(&bytes);
}

static void hosts_are_distinct_lower_case_and_one_is_empty(void **state)
{
	char long_name[TABLE_HOST_BYTES_MAX + 1];

	memset(long_name, 'a', sizeof(long_name));
	assert_hosts_refused((struct span[]){S("a.example")}, 1, "empty name is missing");
	assert_hosts_refused((struct span[]){S(""), S("")}, 2, "not found by its name");
	assert_hosts_refused((struct span[]){S(""), S("a"), S("a")}, 3, "not found by its name");
	assert_hosts_refused((struct span[]){S(""), S("A.example")}, 2, "is no host");
	assert_hosts_refused((struct span[]){S(""), S(".example")}, 2, "is no host");
	assert_hosts_refused((struct span[]){S(""), {long_name, sizeof(long_name)}}, 2,
			     "is no host");
	(void)state;
}

static void the_host_for_everything_else_is_in_shard_zero_alone(void **state)
{
	struct table_stamp stamp = given_stamp(1, 2);
	struct routes_builder builder;
	struct buf bytes = {0};
	struct error err = {0};

	given_builder(&builder);
	routes_builder_add_host(&builder, S(""), HOST_EXACT, NULL, 0);
	routes_builder_finish(&builder, &stamp, &bytes);
	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	assert_non_null(strstr(err.text, "in another shard than 0"));
	routes_builder_fini(&builder);
	buf_fini(&bytes);
	(void)state;
}

static void a_route_without_a_node_is_refused(void **state)
{
	struct table_stamp stamp = given_stamp(0, 1);
	struct routes_builder builder;
	struct buf bytes = {0};
	struct error err = {0};
	struct route route;

	given_builder(&builder);
	routes_builder_add_host(&builder, S(""), HOST_EXACT, NULL, 0);
	route = given_route(&builder, S("lost"), ROUTE_PREFIX);
	route.path = builder_text(&builder.segment, S("/lost"));
	builder_add(&builder.segment, ROUTES_ROUTES, &route);
	routes_builder_finish(&builder, &stamp, &bytes);

	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	assert_non_null(strstr(err.text, "routes[0] belongs to no node"));
	routes_builder_fini(&builder);
	buf_fini(&bytes);
	(void)state;
}

static void a_node_without_a_host_is_refused(void **state)
{
	const struct path_node node = {
		.label_hash = table_hash_low(table_hash(S(""), 0)),
		.first_child = TABLE_NONE,
		.routes = {TABLE_NONE, TABLE_NONE, TABLE_NONE, TABLE_NONE},
	};
	struct table_stamp stamp = given_stamp(0, 1);
	struct routes_builder builder;
	struct buf bytes = {0};
	struct error err = {0};

	given_builder(&builder);
	routes_builder_add_host(&builder, S(""), HOST_EXACT, NULL, 0);
	builder_add(&builder.segment, ROUTES_NODES, &node);
	routes_builder_finish(&builder, &stamp, &bytes);

	assert_int_equal(verify(buf_span(&bytes), &err), -1);
	assert_non_null(strstr(err.text, "nodes[1] belongs to no host"));
	routes_builder_fini(&builder);
	buf_fini(&bytes);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_that_is_wrong_is_refused_and_named),
		cmocka_unit_test(what_a_host_asks_of_clients_makes_sense),
		cmocka_unit_test(any_single_wrong_word_is_refused_or_harmless),
		cmocka_unit_test(a_header_that_is_wrong_is_refused),
		cmocka_unit_test(a_segment_that_was_cut_is_refused_at_every_length),
		cmocka_unit_test(a_segment_that_lies_askew_is_refused),
		cmocka_unit_test(buckets_that_do_not_find_each_host_once_are_refused),
		cmocka_unit_test(buckets_are_a_power_of_two_and_one_is_free_so_that_a_search_ends),
		cmocka_unit_test(bytes_between_sections_and_at_the_end_are_zero),
		cmocka_unit_test(hosts_are_distinct_lower_case_and_one_is_empty),
		cmocka_unit_test(the_host_for_everything_else_is_in_shard_zero_alone),
		cmocka_unit_test(a_route_without_a_node_is_refused),
		cmocka_unit_test(a_node_without_a_host_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
