/* SPDX-License-Identifier: Apache-2.0 */
#include "control/traffic.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "given.h"
#include "stats/row.h"

enum { WORKERS = 2, SERIES_OF_ROW = 20 };

struct world {
	int stats_fd;
	struct stats_map stats; /* as a worker maps it */
	struct traffic_meanings *meanings;
	struct buf content;
	struct shards routes;
	struct arena arena;
	struct traffic traffic;
};

static int set_up(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));
	struct error err;

	world->stats_fd = stats_new(WORKERS, &err);
	assert_int_equal(stats_map(&world->stats, world->stats_fd, STATS_WRITE, &err), 0);
	world->meanings = traffic_meanings_new();
	arena_init(&world->arena, NULL, 0, SIZE_MAX);
	shards_init(&world->routes, TABLE_ROUTES);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	arena_fini(&world->arena);
	shards_fini(&world->routes);
	traffic_meanings_free(world->meanings);
	stats_unmap(&world->stats);
	close(world->stats_fd);
	buf_fini(&world->content);
	test_free(world);
	return 0;
}

static void given_table(struct world *world, const struct given_rule *rules, size_t count)
{
	struct error err;

	shards_fini(&world->routes);
	buf_clear(&world->content);
	given_routes(&world->content, 1, rules, count);
	assert_int_equal(shards_apply(&world->routes, buf_span(&world->content), NULL, &err), 0);
	traffic_note_routes(world->meanings, &world->stats, &world->routes.at[0]->routes);
}

static void request(struct world *world, uint32_t worker, uint32_t row, uint16_t status,
		    uint64_t duration_us)
{
	const struct row_request one = {.status = status,
					.method = 1,
					.protocol = 11,
					.duration_us = duration_us,
					.request_bytes = 100,
					.response_bytes = 1000};

	row_count(&stats_worker(&world->stats, worker)->routes[row], &one);
}

static const struct traffic *collect(struct world *world)
{
	traffic_collect(world->meanings, &world->stats, &world->routes, SERIES_OF_ROW,
			&world->arena, &world->traffic);
	return &world->traffic;
}

static uint64_t count_cells(const struct traffic_row *row)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < row->cell_count; i++)
		sum += row->cells[i].count;
	return sum;
}

static void assert_text(struct span text, const char *expected)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "%.*s", (int)text.len, text.ptr);
	assert_string_equal(copy, expected);
}

static void a_row_has_the_names_of_its_rule(void **state)
{
	const struct given_rule rules[] = {{"a.example", "/x", "web", "cart", 1}};
	struct world *world = *state;
	const struct traffic *traffic;

	given_table(world, rules, 1);
	request(world, 0, 1, 200, 300);
	request(world, 1, 1, 200, 300);
	request(world, 1, 1, 404, 300);

	traffic = collect(world);

	assert_int_equal(traffic->count, 1);
	assert_text(traffic->rows[0].namespace, "shop");
	assert_text(traffic->rows[0].ingress, "web");
	assert_text(traffic->rows[0].service, "cart");
	assert_text(traffic->rows[0].host, "a.example");
	assert_text(traffic->rows[0].path, "/x");
	assert_int_equal(count_cells(&traffic->rows[0]), 3);
	assert_int_equal(traffic->rows[0].cell_count, 2);
	assert_int_equal(traffic->rows[0].duration_buckets[0], 3);
	assert_int_equal(traffic->rows[0].response_bytes, 3000);
}

static void rules_without_requests_make_no_rows(void **state)
{
	const struct given_rule rules[] = {{"a.example", "/", "web", "cart", 1}};
	struct world *world = *state;

	given_table(world, rules, 1);

	assert_int_equal(collect(world)->count, 0);
}

static void what_has_no_rule_is_under_no_name(void **state)
{
	struct world *world = *state;
	const struct traffic *traffic;

	given_table(world, NULL, 0);
	request(world, 0, 0, 404, 10);

	traffic = collect(world);

	assert_int_equal(traffic->count, 1);
	assert_text(traffic->rows[0].ingress, "");
	assert_text(traffic->rows[0].host, "_");
}

static void several_paths_on_one_row_have_no_path(void **state)
{
	const struct given_rule rules[] = {{"a.example", "/x", "web", "cart", 1},
					   {"a.example", "/y", "web", "cart", 1}};
	struct world *world = *state;

	given_table(world, rules, 2);
	request(world, 0, 1, 200, 10);

	assert_text(collect(world)->rows[0].path, "");
}

static void rows_come_in_the_order_of_their_names(void **state)
{
	const struct given_rule rules[] = {{"b.example", "/", "web", "cart", 1},
					   {"a.example", "/", "web", "cart", 2},
					   {"c.example", "/", "api", "core", 3}};
	struct world *world = *state;
	const struct traffic *traffic;

	given_table(world, rules, 3);
	for (uint32_t row = 1; row <= 3; row++)
		request(world, 0, row, 200, 10);

	traffic = collect(world);

	assert_int_equal(traffic->count, 3);
	assert_text(traffic->rows[0].host, "c.example");
	assert_text(traffic->rows[1].host, "a.example");
	assert_text(traffic->rows[2].host, "b.example");
	assert_int_equal(traffic_same_service(traffic, 0), 1);
	assert_int_equal(traffic_same_service(traffic, 1), 2);
	assert_int_equal(traffic_sum(&traffic->rows[1], 2).request_bytes, 200);
}

static void a_row_that_gets_another_meaning_begins_at_zero(void **state)
{
	const struct given_rule before[] = {{"a.example", "/", "web", "cart", 1}};
	const struct given_rule after[] = {{"b.example", "/", "other", "core", 1}};
	struct world *world = *state;
	const struct traffic *traffic;

	given_table(world, before, 1);
	for (int i = 0; i < 5; i++)
		request(world, 0, 1, 200, 300);

	given_table(world, after, 1);
	request(world, 0, 1, 200, 70000);
	request(world, 0, 1, 500, 70000);
	traffic = collect(world);

	assert_int_equal(traffic->count, 1);
	assert_text(traffic->rows[0].ingress, "other");
	assert_int_equal(count_cells(&traffic->rows[0]), 2);
	assert_int_equal(traffic->rows[0].duration_buckets[0], 0);
	assert_int_equal(traffic->rows[0].duration_sum_us, 140000);
	assert_int_equal(traffic->rows[0].request_bytes, 200);
	assert_int_equal(traffic->rows[0].response_bytes, 2000);
}

static void a_row_that_gets_another_meaning_and_no_request_is_silent(void **state)
{
	const struct given_rule before[] = {{"a.example", "/", "web", "cart", 1}};
	const struct given_rule after[] = {{"b.example", "/", "other", "core", 1}};
	struct world *world = *state;

	given_table(world, before, 1);
	request(world, 0, 1, 200, 300);

	given_table(world, after, 1);

	assert_int_equal(collect(world)->count, 0);
}

static void a_row_that_keeps_its_meaning_goes_on(void **state)
{
	const struct given_rule before[] = {{"a.example", "/", "web", "cart", 1}};
	const struct given_rule after[] = {{"a.example", "/", "web", "cart", 1},
					   {"a.example", "/new", "web", "core", 2}};
	struct world *world = *state;

	given_table(world, before, 1);
	request(world, 0, 1, 200, 300);

	given_table(world, after, 2);
	request(world, 0, 1, 200, 300);

	assert_int_equal(count_cells(&collect(world)->rows[0]), 2);
}

static void what_an_earlier_life_counted_is_not_ours(void **state)
{
	const struct given_rule rules[] = {{"a.example", "/", "web", "cart", 7}};
	struct world *world = *state;

	for (int i = 0; i < 9; i++)
		request(world, 0, 7, 200, 300);

	given_table(world, rules, 1);
	request(world, 0, 7, 200, 300);

	assert_int_equal(count_cells(&collect(world)->rows[0]), 1);
}

static void figures_that_a_worker_lowers_do_not_wrap(void **state)
{
	const struct given_rule before[] = {{"a.example", "/", "web", "cart", 1}};
	const struct given_rule after[] = {{"b.example", "/", "other", "core", 1}};
	struct world *world = *state;
	struct route_row *row = &stats_worker(&world->stats, 0)->routes[1];
	const struct traffic *traffic;

	given_table(world, before, 1);
	for (int i = 0; i < 5; i++)
		request(world, 0, 1, 200, 300);
	given_table(world, after, 1);
	memset(row, 0, sizeof(*row));
	for (int i = 0; i < 6; i++)
		request(world, 0, 1, 404, 300);

	traffic = collect(world);

	assert_int_equal(traffic->count, 1);
	assert_in_range(count_cells(&traffic->rows[0]), 0, 6);
	assert_in_range(traffic->rows[0].request_bytes, 0, 600);
}

static void a_worker_that_writes_noise_harms_only_its_figures(void **state)
{
	const struct given_rule rules[] = {{"a.example", "/", "web", "cart", 1}};
	struct world *world = *state;
	const struct traffic *traffic;

	given_table(world, rules, 1);
	memset(&stats_worker(&world->stats, 0)->routes[1], 0xff, sizeof(struct route_row));

	traffic = collect(world);

	assert_int_equal(traffic->count, 1);
	assert_text(traffic->rows[0].host, "a.example");
	assert_int_equal(traffic->rows[0].cells[0].status, 0);
}

static void what_has_no_place_of_its_own_is_summed(void **state)
{
	struct world *world = *state;
	struct given_rule rules[16];
	char hosts[16][16];
	const struct traffic *traffic;
	const struct traffic_row *last;

	for (uint32_t i = 0; i < 16; i++) {
		snprintf(hosts[i], sizeof(hosts[i]), "h%02u.example", i);
		rules[i] = (struct given_rule){hosts[i], "/", "web", "cart", i + 1};
	}
	given_table(world, rules, 16);
	for (uint32_t row = 1; row <= 16; row++)
		request(world, 0, row, 200, 300);

	traffic_collect(world->meanings, &world->stats, &world->routes, TRAFFIC_SERIES_MAX / 10,
			&world->arena, &world->traffic);
	traffic = &world->traffic;

	assert_int_equal(traffic->count, 10);
	last = &traffic->rows[9];
	assert_text(last->ingress, TRAFFIC_OVERFLOW);
	assert_int_equal(count_cells(last), 7);
	assert_int_equal(last->duration_buckets[0], 7);
	assert_int_equal(traffic->overflowed, 7 * (TRAFFIC_SERIES_MAX / 10 + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_row_has_the_names_of_its_rule),
		TEST(rules_without_requests_make_no_rows),
		TEST(what_has_no_rule_is_under_no_name),
		TEST(several_paths_on_one_row_have_no_path),
		TEST(rows_come_in_the_order_of_their_names),
		TEST(a_row_that_gets_another_meaning_begins_at_zero),
		TEST(a_row_that_gets_another_meaning_and_no_request_is_silent),
		TEST(a_row_that_keeps_its_meaning_goes_on),
		TEST(what_an_earlier_life_counted_is_not_ours),
		TEST(figures_that_a_worker_lowers_do_not_wrap),
		TEST(a_worker_that_writes_noise_harms_only_its_figures),
		TEST(what_has_no_place_of_its_own_is_summed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
