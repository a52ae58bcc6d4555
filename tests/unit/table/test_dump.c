/* SPDX-License-Identifier: Apache-2.0 */
#include "given.h"

#include "table/dump.h"

static void assert_has(struct buf *text, const char *part)
{
	if (strstr(buf_text(text), part) == NULL)
		fail_msg("no %s in\n%s", part, buf_text(text));
}

static void assert_has_not(struct buf *text, const char *part)
{
	if (strstr(buf_text(text), part) != NULL)
		fail_msg("%s in\n%s", part, buf_text(text));
}

static void routes_are_dumped_by_host_and_path(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix /b -> b\n"
						   "*.shop.example Exact /w -> w\n"
						   "shop.example Root / -> root\n"
						   "api.example Prefix /a -> a");
	struct buf text = {0};

	dump_routes(&routes->shards, DUMP_CONTENT, &text);

	const char *hosts = strstr(buf_text(&text), "  \"hosts\": [");

	assert_non_null(hosts);
	assert_true(span_starts_with(
		span_from(hosts),
		S("  \"hosts\": [\n"
		  "    {\n"
		  "      \"host\": \"\",\n"
		  "      \"routes\": []\n"
		  "    },\n"
		  "    {\n"
		  "      \"host\": \"*.shop.example\",\n"
		  "      \"routes\": [\n"
		  "        {\"path\": \"/w\", \"type\": \"Exact\", \"answer\": \"proxy\", "
		  "\"namespace\": \"shop\", \"ingress\": \"web\", \"service\": \"w\", "
		  "\"port\": \"80\", \"upstream\": 0, \"incarnation\": 1, \"policy\": 0, "
		  "\"statRow\": 1}\n"
		  "      ]\n"
		  "    },\n"
		  "    {\n"
		  "      \"host\": \"api.example\",\n")));
	assert_true(strstr(hosts, "\"path\": \"/\"") < strstr(hosts, "\"path\": \"/b\""));
	assert_has(&text, "\"implicit\": true");
	assert_has(&text, "\"headerLineBytes\": 8192,");
	assert_has(&text, "\"ignoreInvalidHeaders\": true,");
	assert_has(&text, "\"trusted\": [\"10.0.0.0/8\"],");
	assert_has(&text, "\"bodyLimitBytes\": 1048576,");
	assert_has(&text, "\"nextUpstream\": [\"error\", \"timeout\"]");
	buf_fini(&text);
	given_routes_end(routes);
	(void)state;
}

static void only_a_full_dump_says_what_differs_from_build_to_build(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix /b -> b");
	struct buf full = {0};
	struct buf content = {0};

	dump_routes(&routes->shards, DUMP_ALL, &full);
	dump_routes(&routes->shards, DUMP_CONTENT, &content);

	assert_has(&full, "\"generation\": 1,");
	assert_has(&full, "\"built\": \"1970-01-01T00:00:00.000Z\",");
	assert_has(&full, "\"checksum\": \"");
	assert_has_not(&content, "generation");
	assert_has_not(&content, "built");
	assert_has_not(&content, "checksum");
	assert_has_not(&content, "bytes\"");
	buf_fini(&full);
	buf_fini(&content);
	given_routes_end(routes);
	(void)state;
}

static void upstreams_are_dumped_with_their_endpoints(void **state)
{
	struct given_endpoints *endpoints = given_endpoints(
		"shop-cart-80 10.0.0.1:80 [2001:db8::1]:81\n"
		"-\n"
		"shop-db-5432 @db.example:5432");
	struct buf text = {0};

	dump_endpoints(&endpoints->shards, DUMP_CONTENT, &text);

	assert_string_equal(
		buf_text(&text),
		"{\n"
		"  \"kind\": \"endpoints\",\n"
		"  \"version\": 8,\n"
		"  \"upstreams\": [\n"
		"    {\n"
		"      \"id\": 0,\n"
		"      \"incarnation\": 1,\n"
		"      \"name\": \"shop-cart-80\",\n"
		"      \"protocol\": \"http1\",\n"
		"      \"algorithm\": \"round_robin\",\n"
		"      \"endpoints\": [\n"
		"        {\"address\": \"10.0.0.1:80\", \"state\": \"ready\", \"weight\": 1, "
		"\"slot\": 0, \"incarnation\": 1},\n"
		"        {\"address\": \"[2001:db8::1]:81\", \"state\": \"ready\", \"weight\": 1, "
		"\"slot\": 1, \"incarnation\": 1}\n"
		"      ]\n"
		"    },\n"
		"    {\n"
		"      \"id\": 2,\n"
		"      \"incarnation\": 1,\n"
		"      \"name\": \"shop-db-5432\",\n"
		"      \"protocol\": \"http1\",\n"
		"      \"algorithm\": \"round_robin\",\n"
		"      \"externalName\": \"db.example\",\n"
		"      \"externalPort\": 5432,\n"
		"      \"endpoints\": []\n"
		"    }\n"
		"  ]\n"
		"}\n");
	buf_fini(&text);
	given_endpoints_end(endpoints);
	(void)state;
}

static void a_dump_is_the_same_in_any_number_of_shards(void **state)
{
	static const char routes_text[] = "c.example Prefix /b -> b\n*.shop.example Exact /w -> w\n"
					  "a.example Root / -> root\nb.example Prefix /a -> a\n"
					  "d.example Prefix /d -> d\n- Prefix / -> other";
	static const char endpoints_text[] = "shop-cart-80 10.0.0.1:80 10.0.0.2:80\n-\n"
					     "shop-db-5432 @db.example:5432\n"
					     "shop-b-80 10.0.0.3:80\nshop-c-80 10.0.0.3:81";
	struct given_routes *routes[2];
	struct given_endpoints *endpoints[2];
	struct buf texts[2] = {0};

	for (int i = 0; i < 2; i++) {
		routes[i] = given_routes_in_shards(routes_text, i == 0 ? 1 : 8);
		endpoints[i] = given_endpoints_in_shards(endpoints_text, i == 0 ? 1 : 4);
		dump_routes(&routes[i]->shards, DUMP_CONTENT, &texts[i]);
		dump_endpoints(&endpoints[i]->shards, DUMP_CONTENT, &texts[i]);
	}

	assert_string_equal(buf_text(&texts[0]), buf_text(&texts[1]));
	for (int i = 0; i < 2; i++) {
		buf_fini(&texts[i]);
		given_routes_end(routes[i]);
		given_endpoints_end(endpoints[i]);
	}
	(void)state;
}

static void a_lookup_names_route_policy_and_upstream(void **state)
{
	struct given_routes *routes = given_routes("*.shop.example Prefix /cart/ -> cart");
	struct given_endpoints *endpoints = given_endpoints("shop-cart-80 10.0.0.1:80");
	struct buf text = {0};

	dump_lookup(&routes->shards, &endpoints->shards, S("a.shop.example"), S("/cart/1"), &text);

	assert_has(&text, "\"result\": \"route\",");
	assert_has(&text, "\"matchedHost\": \"*.shop.example\",");
	assert_has(&text, "\"route\": {\"path\": \"/cart/\",");
	assert_has(&text, "\"policy\": {");
	assert_has(&text, "\"name\": \"shop-cart-80\",");
	assert_has(&text, "\"address\": \"10.0.0.1:80\"");
	buf_fini(&text);
	given_endpoints_end(endpoints);
	given_routes_end(routes);
	(void)state;
}

static void a_lookup_tells_a_redirect_from_nothing(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix /cart/ -> cart");
	struct buf redirect = {0};
	struct buf nothing = {0};

	dump_lookup(&routes->shards, NULL, S("shop.example"), S("/cart"), &redirect);
	dump_lookup(&routes->shards, NULL, S("shop.example"), S("/x\"\n"), &nothing);

	assert_has(&redirect, "\"result\": \"addSlash\",");
	assert_has_not(&redirect, "\"upstream\": null");
	assert_string_equal(buf_text(&nothing), "{\n"
						"  \"host\": \"shop.example\",\n"
						"  \"path\": \"/x\\\"\\u000a\",\n"
						"  \"result\": \"none\"\n"
						"}\n");
	buf_fini(&redirect);
	buf_fini(&nothing);
	given_routes_end(routes);
	(void)state;
}

static void an_upstream_of_another_incarnation_is_none(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix /cart -> cart");
	struct given_endpoints *endpoints = given_endpoints("-\nshop-cart-80 10.0.0.1:80");
	struct buf text = {0};

	dump_lookup(&routes->shards, &endpoints->shards, S("shop.example"), S("/cart"), &text);

	assert_has(&text, "\"upstream\": null");
	buf_fini(&text);
	given_endpoints_end(endpoints);
	given_routes_end(routes);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_are_dumped_by_host_and_path),
		cmocka_unit_test(only_a_full_dump_says_what_differs_from_build_to_build),
		cmocka_unit_test(upstreams_are_dumped_with_their_endpoints),
		cmocka_unit_test(a_dump_is_the_same_in_any_number_of_shards),
		cmocka_unit_test(a_lookup_names_route_policy_and_upstream),
		cmocka_unit_test(a_lookup_tells_a_redirect_from_nothing),
		cmocka_unit_test(an_upstream_of_another_incarnation_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
