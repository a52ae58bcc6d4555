/* SPDX-License-Identifier: Apache-2.0 */
/* routes_find: by example, beside an independent reading of the rules over random tables, and at any size. */
#include "given.h"

#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/random.h"
#include "table/hash.h"

static void a_prefix_matches_whole_path_elements_only(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix /cart -> cart");

	assert_route(routes, "shop.example", "/cart", "cart");
	assert_route(routes, "shop.example", "/cart/", "cart");
	assert_route(routes, "shop.example", "/cart/1/2", "cart");
	assert_route(routes, "shop.example", "/cartoon", "");
	assert_route(routes, "shop.example", "/car", "");
	assert_route(routes, "shop.example", "/", "");

	given_routes_end(routes);
	(void)state;
}

static void the_longest_prefix_wins(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix / -> root\n"
						   "shop.example Prefix /a -> a\n"
						   "shop.example Prefix /a/b/c -> abc");

	assert_route(routes, "shop.example", "/", "root");
	assert_route(routes, "shop.example", "/x", "root");
	assert_route(routes, "shop.example", "/a/b", "a");
	assert_route(routes, "shop.example", "/a/b/cd", "a");
	assert_route(routes, "shop.example", "/a/b/c/d", "abc");

	given_routes_end(routes);
	(void)state;
}

static void exact_goes_before_prefix_and_serves_its_path_alone(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix / -> root\n"
						   "shop.example Prefix /foo -> prefix\n"
						   "shop.example Exact /foo -> exact\n"
						   "shop.example Exact / -> top");

	assert_route(routes, "shop.example", "/foo", "exact");
	assert_route(routes, "shop.example", "/foo/", "prefix");
	assert_route(routes, "shop.example", "/foo/bar", "prefix");
	assert_route(routes, "shop.example", "/", "top");
	assert_route(routes, "shop.example", "/bar", "root");

	given_routes_end(routes);
	(void)state;
}

static void exact_with_a_slash_is_another_path_than_without(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix / -> root\n"
						   "shop.example Exact /foo/ -> slash\n"
						   "shop.example Exact /bar -> bare");

	assert_route(routes, "shop.example", "/foo/", "slash");
	assert_route(routes, "shop.example", "/foo", "root");
	assert_route(routes, "shop.example", "/foo/x", "root");
	assert_route(routes, "shop.example", "/bar/", "root");

	given_routes_end(routes);
	(void)state;
}

static void a_prefix_with_a_slash_redirects_its_bare_path(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix / -> root\n"
						   "shop.example Prefix /foo/ -> foo");

	assert_route(routes, "shop.example", "/foo", "foo/");
	assert_route(routes, "shop.example", "/foo/", "foo");
	assert_route(routes, "shop.example", "/foo/x", "foo");
	assert_route(routes, "shop.example", "/fooo", "root");

	given_routes_end(routes);
	(void)state;
}

static void nothing_is_redirected_where_the_bare_path_is_served(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix /foo/ -> foo\n"
						   "shop.example Exact /foo -> exact\n"
						   "shop.example Prefix /bar/ -> bar\n"
						   "shop.example Prefix /bar -> bare");

	assert_route(routes, "shop.example", "/foo", "exact");
	assert_route(routes, "shop.example", "/foo/x", "foo");
	assert_route(routes, "shop.example", "/bar", "bare");
	assert_route(routes, "shop.example", "/bar/", "bar");
	assert_route(routes, "shop.example", "/bar/x", "bar");

	given_routes_end(routes);
	(void)state;
}

static void paths_are_compared_with_their_case(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix /Cart -> cart");

	assert_route(routes, "shop.example", "/Cart", "cart");
	assert_route(routes, "shop.example", "/cart", "");

	given_routes_end(routes);
	(void)state;
}

static void an_exact_host_goes_before_a_wildcard_and_that_before_every_other(void **state)
{
	struct given_routes *routes = given_routes("*.shop.example Prefix / -> wild\n"
						   "- Prefix / -> other\n"
						   "a.shop.example Prefix / -> a");

	assert_route(routes, "a.shop.example", "/", "a");
	assert_route(routes, "b.shop.example", "/", "wild");
	assert_route(routes, "b_-9.shop.example", "/", "wild");
	assert_route(routes, "shop.example", "/", "other");
	assert_route(routes, "", "/", "other");

	given_routes_end(routes);
	(void)state;
}

static void a_wildcard_is_exactly_one_label(void **state)
{
	struct given_routes *routes = given_routes("*.shop.example Prefix / -> wild\n"
						   "- Prefix / -> other");

	assert_route(routes, "x.y.shop.example", "/", "other");
	assert_route(routes, ".shop.example", "/", "other");
	assert_route(routes, "a b.shop.example", "/", "other");
	assert_route(routes, "[::1].shop.example", "/", "other");
	assert_route(routes, "*.shop.example", "/", "other");

	given_routes_end(routes);
	(void)state;
}

static void a_wildcard_of_many_labels_takes_the_longest_suffix(void **state)
{
	struct given_routes *routes = given_routes("**.example Prefix / -> far\n"
						   "**.shop.example Prefix / -> near\n"
						   "*.one.example Prefix / -> one");

	assert_route(routes, "a.b.shop.example", "/", "near");
	assert_route(routes, "a.shop.example", "/", "near");
	assert_route(routes, "shop.example", "/", "far");
	assert_route(routes, "a.one.example", "/", "one");
	assert_route(routes, "a.b.one.example", "/", "far");
	assert_route(routes, "example", "/", "");
	assert_route(routes, "a..shop.example", "/", "");

	given_routes_end(routes);
	(void)state;
}

static void a_host_without_a_match_does_not_fall_to_another_host(void **state)
{
	struct given_routes *routes = given_routes("*.shop.example Prefix /only -> wild\n"
						   "a.shop.example Prefix /a -> a\n"
						   "- Prefix / -> other");

	assert_route(routes, "a.shop.example", "/only", "");
	assert_route(routes, "b.shop.example", "/x", "");

	given_routes_end(routes);
	(void)state;
}

static void a_path_that_was_not_merged_keeps_its_empty_elements(void **state)
{
	struct given_routes *routes = given_routes("shop.example Prefix /a -> a\n"
						   "shop.example Prefix /a//b -> deep\n"
						   "shop.example Exact // -> two");

	assert_route(routes, "shop.example", "/a//b/c", "deep");
	assert_route(routes, "shop.example", "/a/b", "a");
	assert_route(routes, "shop.example", "/a//", "a");
	assert_route(routes, "shop.example", "//", "two");
	assert_route(routes, "shop.example", "//a", "");

	given_routes_end(routes);
	(void)state;
}

static void of_two_equal_rules_the_first_counts_and_an_implicit_root_gives_way(void **state)
{
	struct given_routes *routes = given_routes("shop.example Root / -> implicit\n"
						   "shop.example Prefix /a -> first\n"
						   "shop.example Prefix /a -> second\n"
						   "shop.example Prefix / -> root");

	assert_route(routes, "shop.example", "/a", "first");
	assert_route(routes, "shop.example", "/b", "root");
	assert_int_equal(routes->routes.route_count, 2);

	given_routes_end(routes);
	(void)state;
}

/* --- beside an independent reading of the rules --- */

enum { RULES_MAX = 24, TEXT_MAX = 40 };

struct rule {
	char host[TEXT_MAX];
	char path[TEXT_MAX];
	bool exact;
	char service[TEXT_MAX];
};

struct rules {
	struct rule all[RULES_MAX];
	uint32_t count;
};

static const char *const host_labels[] = {"a", "b", "ab", "a-b", "a_b"};
static const char *const path_labels[] = {"a", "b", "ab", "A", "a.b", "%"};

static const char *any(struct random *random, const char *const *words, size_t count)
{
	return words[random_below(random, (uint32_t)count)];
}

#define ANY(random, words) any(random, words, sizeof(words) / sizeof((words)[0]))

static void random_host(struct random *random, const char *first, char host[static TEXT_MAX])
{
	int len = snprintf(host, TEXT_MAX, "%s", first);

	for (uint32_t labels = random_below(random, 3); labels > 0; labels--)
		len += snprintf(host + len, (size_t)(TEXT_MAX - len), "%s%s", len == 0 ? "" : ".",
				ANY(random, host_labels));
}

static void random_path(struct random *random, char path[static TEXT_MAX])
{
	int len = 0;

	for (uint32_t labels = random_below(random, 4); labels > 0; labels--)
		len += snprintf(path + len, (size_t)(TEXT_MAX - len), "/%s",
				random_below(random, 8) == 0 ? "" : ANY(random, path_labels));
	if (len == 0 || random_below(random, 3) == 0)
		snprintf(path + len, (size_t)(TEXT_MAX - len), "/");
}

static void random_rules(struct random *random, struct rules *rules)
{
	rules->count = 1 + random_below(random, RULES_MAX);
	for (uint32_t i = 0; i < rules->count; i++) {
		struct rule *rule = &rules->all[i];

		if (i > 0 && random_below(random, 2) == 0)
			memcpy(rule->host, rules->all[random_below(random, i)].host, TEXT_MAX);
		else
			random_host(random, random_below(random, 3) == 0 ? "*.b" : "", rule->host);
		random_path(random, rule->path);
		rule->exact = random_below(random, 3) == 0;
		snprintf(rule->service, TEXT_MAX, "s%u", i);
	}
}

static void build_rules(const struct rules *rules, struct buf *text)
{
	for (uint32_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->all[i];

		buf_printf(text, "%s%s %s %s -> %s", i == 0 ? "" : "\n",
			   rule->host[0] == '\0' ? "-" : rule->host,
			   rule->exact ? "Exact" : "Prefix", rule->path, rule->service);
	}
}

static bool has_host(const struct rules *rules, const char *host)
{
	for (uint32_t i = 0; i < rules->count; i++)
		if (strcmp(rules->all[i].host, host) == 0)
			return true;
	return false;
}

/* The name of the host whose rules hold. */
static void reference_host(const struct rules *rules, const char *host, char found[static TEXT_MAX])
{
	const char *dot = strchr(host, '.');

	found[0] = '\0';
	if (host[0] == '*')
		return;
	if (has_host(rules, host)) {
		snprintf(found, TEXT_MAX, "%s", host);
		return;
	}
	if (dot == NULL || dot == host)
		return;
	snprintf(found, TEXT_MAX, "*%s", dot);
	if (!has_host(rules, found))
		found[0] = '\0';
}

static bool reference_matches(const struct rule *rule, const char *path)
{
	size_t len = strlen(rule->path);

	if (rule->exact)
		return strcmp(rule->path, path) == 0;
	if (strncmp(path, rule->path, len) != 0)
		return false;
	return rule->path[len - 1] == '/' ? len == 1 || path[len - 1] == '/'
					  : path[len] == '\0' || path[len] == '/';
}

/* The service, with '/' behind it for a redirect. */
static void reference_find(const struct rules *rules, const char *host, const char *path,
			   char service[static TEXT_MAX + 2])
{
	char at[TEXT_MAX];
	char with_slash[TEXT_MAX + 1];
	const struct rule *best = NULL;
	const struct rule *redirect = NULL;

	reference_host(rules, host, at);
	snprintf(with_slash, sizeof(with_slash), "%s/", path);
	for (uint32_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->all[i];

		if (strcmp(rule->host, at) != 0)
			continue;
		if (redirect == NULL && !rule->exact && strcmp(rule->path, with_slash) == 0)
			redirect = rule;
		if (!reference_matches(rule, path))
			continue;
		if (best == NULL || strlen(rule->path) > strlen(best->path) ||
		    (strlen(rule->path) == strlen(best->path) && rule->exact && !best->exact))
			best = rule;
	}
	if (redirect != NULL && path[strlen(path) - 1] != '/' &&
	    (best == NULL || strlen(best->path) < strlen(path)))
		snprintf(service, TEXT_MAX + 2, "%s/", redirect->service);
	else
		snprintf(service, TEXT_MAX + 2, "%s", best == NULL ? "" : best->service);
}

static void random_tables_answer_like_the_rules_read_one_by_one(void **state)
{
	enum { TABLES = 1500, LOOKUPS = 60 };
	uint64_t seed = (uint64_t)time(NULL);
	struct random random;
	struct rules rules;

	printf("seed %llu\n", (unsigned long long)seed);
	random_seed(&random, seed);
	for (int i = 0; i < TABLES; i++) {
		struct buf text = {0};
		struct given_routes *routes;

		random_rules(&random, &rules);
		build_rules(&rules, &text);
		routes = given_routes_in_shards(buf_text(&text), 1U << random_below(&random, 5));
		for (int n = 0; n < LOOKUPS; n++) {
			char host[TEXT_MAX], path[TEXT_MAX], expected[TEXT_MAX + 2];

			random_host(&random, "", host);
			random_path(&random, path);
			reference_find(&rules, host, path, expected);
			assert_route(routes, host, path, expected);
		}
		given_routes_end(routes);
		buf_fini(&text);
	}
	(void)state;
}

/* --- size --- */

static bool is_in_shard(const char *name, const struct table_stamp *stamp)
{
	uint64_t hash = table_hash(span_from(name), 0);

	return table_hash_shard(hash, stamp->shard_count) == stamp->shard;
}

static void add_numbered_host(struct routes_builder *builder, const char *name, uint32_t number)
{
	static const char *const paths[] = {"/", "/cart", "/cart/", "/cart/items"};
	struct routes_entry entries[4];

	for (uint32_t n = 0; n < 4; n++) {
		char service[64];

		snprintf(service, sizeof(service), "s%u-%u", number, n);
		entries[n] = (struct routes_entry){
			.path = span_from(paths[n]),
			.route = given_route(builder, span_from(service), ROUTE_PREFIX),
		};
	}
	routes_builder_add_host(builder, span_from(name), HOST_EXACT, entries, 4);
}

/* Hosts host0.example … with some routes each, and among them one that is always the same. */
static struct given_routes *given_many(uint32_t hosts, uint32_t shard_count)
{
	struct given_routes *given;
	struct buf bytes = {0};

	for (uint32_t shard = 0; shard < shard_count; shard++) {
		struct table_stamp stamp = given_stamp(shard, shard_count);
		struct routes_builder builder;

		given_builder(&builder);
		for (uint32_t i = 0; i < hosts; i++) {
			char name[64];

			snprintf(name, sizeof(name), "host%u.example", i);
			if (is_in_shard(name, &stamp))
				add_numbered_host(&builder, name, i);
		}
		if (shard == 0)
			routes_builder_add_host(&builder, S(""), HOST_EXACT, NULL, 0);
		routes_builder_finish(&builder, &stamp, &bytes);
		routes_builder_fini(&builder);
	}
	given = given_routes_of(buf_span(&bytes));
	buf_fini(&bytes);
	return given;
}

static void the_same_rules_hold_whatever_the_size_of_the_table(void **state)
{
	static const uint32_t sizes[] = {1, 99, 101, 100000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct given_routes *routes = given_many(sizes[i], sizes[i] < 1000 ? 1 : 64);

		assert_route(routes, "host0.example", "/", "s0-0");
		assert_route(routes, "host0.example", "/cart", "s0-1");
		assert_route(routes, "host0.example", "/cart/x", "s0-2");
		assert_route(routes, "host0.example", "/cart/items", "s0-3");
		assert_route(routes, "host0.example", "/Cart", "s0-0");
		assert_route(routes, "host0.exampl", "/", "");
		assert_route(routes, "x.host0.example", "/", "");
		assert_route(routes, "host100000.example", "/", "");
		given_routes_end(routes);
	}
	(void)state;
}

static void every_host_of_a_large_table_finds_its_own_routes(void **state)
{
	struct given_routes *routes = given_many(100000, 1024);

	for (uint32_t i = 0; i < 100000; i++) {
		char name[64], service[64];
		const struct routes *shard;
		struct route_match match;

		snprintf(name, sizeof(name), "host%u.example", i);
		snprintf(service, sizeof(service), "s%u-3", i);
		match = routes_find(&routes->shards, span_from(name), S("/cart/items/7"));
		assert_non_null(match.route);
		shard = &match.shard->routes;
		assert_true(
			span_equals(routes_text(shard, shard->objects[match.route->object].service),
				    span_from(service)));
	}
	given_routes_end(routes);
	(void)state;
}

static void many_paths_on_one_host_are_all_found(void **state)
{
	enum { PATHS = 5000 };
	struct routes_entry *entries = memory_new_array(PATHS, sizeof(*entries));
	char(*paths)[16] = memory_new_array(PATHS, sizeof(*paths));
	struct table_stamp stamp = given_stamp(0, 1);
	struct routes_builder builder;
	struct given_routes *routes;
	struct buf bytes = {0};

	given_builder(&builder);
	for (uint32_t i = 0; i < PATHS; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/p%u", i);
		entries[i] = (struct routes_entry){
			.path = span_from(paths[i]),
			.route = given_route(&builder, span_from(paths[i]), ROUTE_PREFIX),
		};
	}
	routes_builder_add_host(&builder, S(""), HOST_EXACT, entries, PATHS);
	routes_builder_finish(&builder, &stamp, &bytes);
	routes = given_routes_of(buf_span(&bytes));

	for (uint32_t i = 0; i < PATHS; i++) {
		struct route_match match = routes_find(&routes->shards, S("any"),
						       span_from(paths[i]));

		assert_non_null(match.route);
		assert_true(span_equals(routes_text(&routes->routes, match.route->path),
					span_from(paths[i])));
	}
	given_routes_end(routes);
	routes_builder_fini(&builder);
	buf_fini(&bytes);
	free(entries);
	free(paths);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_matches_whole_path_elements_only),
		cmocka_unit_test(the_longest_prefix_wins),
		cmocka_unit_test(exact_goes_before_prefix_and_serves_its_path_alone),
		cmocka_unit_test(exact_with_a_slash_is_another_path_than_without),
		cmocka_unit_test(a_prefix_with_a_slash_redirects_its_bare_path),
		cmocka_unit_test(nothing_is_redirected_where_the_bare_path_is_served),
		cmocka_unit_test(paths_are_compared_with_their_case),
		cmocka_unit_test(an_exact_host_goes_before_a_wildcard_and_that_before_every_other),
		cmocka_unit_test(a_wildcard_is_exactly_one_label),
		cmocka_unit_test(a_wildcard_of_many_labels_takes_the_longest_suffix),
		cmocka_unit_test(a_host_without_a_match_does_not_fall_to_another_host),
		cmocka_unit_test(a_path_that_was_not_merged_keeps_its_empty_elements),
		cmocka_unit_test(
			of_two_equal_rules_the_first_counts_and_an_implicit_root_gives_way),
		cmocka_unit_test(random_tables_answer_like_the_rules_read_one_by_one),
		cmocka_unit_test(the_same_rules_hold_whatever_the_size_of_the_table),
		cmocka_unit_test(every_host_of_a_large_table_finds_its_own_routes),
		cmocka_unit_test(many_paths_on_one_host_are_all_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
