/* SPDX-License-Identifier: Apache-2.0 */
#include "control/health.h"

#include <string.h>

#include "base/clock.h"
#include "given.h"

enum { WORKERS = 2 };

struct world {
	struct loop *loop;
	struct publisher *publisher;
	struct fake_worker workers[WORKERS];
	struct health health;
};

static int set_up(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));
	struct error err;

	world->loop = loop_new(&err);
	world->publisher = publisher_new(world->loop, WORKERS, &(struct publisher_events){0});
	for (uint32_t i = 0; i < WORKERS; i++)
		world->workers[i] = given_worker(world->publisher, i);
	world->health = (struct health){.publisher = world->publisher, .listed = true};
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	publisher_free(world->publisher);
	for (uint32_t i = 0; i < WORKERS; i++)
		fake_worker_end(&world->workers[i]);
	loop_free(world->loop);
	test_free(world);
	return 0;
}

static void publish(struct world *world, enum table_kind kind, uint64_t generation)
{
	struct buf content = {0};

	given_segment(&content, kind, generation, (uint32_t)generation);
	assert_int_equal(publisher_offer(world->publisher, kind, buf_span(&content), 1),
			 PUBLISH_NEW);
	publisher_send(world->publisher);
	buf_fini(&content);
}

static void ack(struct world *world, uint32_t worker, enum table_kind kind, uint64_t generation)
{
	fake_worker_ack(&world->workers[worker], kind, generation, ACK_APPLIED);
	run_once(world->loop);
}

static void given_all_serve(struct world *world)
{
	publish(world, TABLE_ENDPOINTS, 1);
	publish(world, TABLE_ROUTES, 1);
	for (uint32_t i = 0; i < WORKERS; i++) {
		ack(world, i, TABLE_ENDPOINTS, 1);
		ack(world, i, TABLE_ROUTES, 1);
	}
}

static bool is_ready(struct world *world)
{
	return health_is_ready(&world->health, clock_monotonic_ns());
}

static bool is_ready_later(struct world *world)
{
	return health_is_ready(&world->health,
			       clock_monotonic_ns() + (HEALTH_LAG_MS + 1) * UINT64_C(1000000));
}

static void without_a_table_nothing_is_well_but_life(void **state)
{
	struct world *world = *state;

	assert_true(health_is_alive(&world->health));
	assert_false(health_is_healthy(&world->health));
	assert_false(is_ready(world));
}

static void half_a_table_is_none(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ROUTES, 1);
	for (uint32_t i = 0; i < WORKERS; i++)
		ack(world, i, TABLE_ROUTES, 1);

	assert_false(health_is_healthy(&world->health));
	assert_false(is_ready(world));
}

static void it_is_ready_when_the_last_worker_serves_both_kinds(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ENDPOINTS, 1);
	publish(world, TABLE_ROUTES, 1);
	ack(world, 0, TABLE_ENDPOINTS, 1);
	ack(world, 0, TABLE_ROUTES, 1);
	ack(world, 1, TABLE_ENDPOINTS, 1);
	assert_true(health_is_healthy(&world->health));
	assert_false(is_ready(world));

	ack(world, 1, TABLE_ROUTES, 1);

	assert_true(is_ready(world));
}

static void certificates_that_are_there_are_to_be_served_too(void **state)
{
	struct world *world = *state;

	given_all_serve(world);

	publish(world, TABLE_CERTIFICATES, 1);
	assert_false(is_ready_later(world));
	ack(world, 0, TABLE_CERTIFICATES, 1);
	ack(world, 1, TABLE_CERTIFICATES, 1);

	assert_true(is_ready_later(world));
}

static void a_change_on_its_way_makes_nobody_unready(void **state)
{
	struct world *world = *state;

	given_all_serve(world);

	publish(world, TABLE_ROUTES, 2);

	assert_true(is_ready(world));
}

static void a_worker_that_does_not_take_a_change_is_not_ready(void **state)
{
	struct world *world = *state;

	given_all_serve(world);
	publish(world, TABLE_ROUTES, 2);
	ack(world, 0, TABLE_ROUTES, 2);

	assert_false(is_ready_later(world));
	ack(world, 1, TABLE_ROUTES, 2);
	assert_true(is_ready_later(world));
}

static void a_refused_table_makes_nobody_unready(void **state)
{
	struct world *world = *state;

	given_all_serve(world);
	publish(world, TABLE_ROUTES, 2);
	for (uint32_t i = 0; i < WORKERS; i++)
		fake_worker_ack(&world->workers[i], TABLE_ROUTES, 2, ACK_REFUSED);
	run_once(world->loop);

	assert_true(is_ready_later(world));
}

static void a_dead_worker_takes_readiness_and_not_health(void **state)
{
	struct world *world = *state;

	given_all_serve(world);

	publisher_drop_peer(world->publisher, 1, 1);

	assert_false(is_ready(world));
	assert_true(health_is_healthy(&world->health));
	assert_true(health_is_alive(&world->health));
}

static void without_workers_nothing_lives(void **state)
{
	struct world *world = *state;

	given_all_serve(world);

	publisher_drop_peer(world->publisher, 0, 1);
	publisher_drop_peer(world->publisher, 1, 1);

	assert_false(health_is_healthy(&world->health));
	assert_false(health_is_alive(&world->health));
}

static void stopping_takes_readiness_and_health_at_once(void **state)
{
	struct world *world = *state;

	given_all_serve(world);

	world->health.stopping = true;

	assert_false(is_ready(world));
	assert_false(health_is_healthy(&world->health));
	assert_true(health_is_alive(&world->health));
}

static void the_parts_say_what_is_missing(void **state)
{
	struct world *world = *state;
	struct buf text = {0};

	publish(world, TABLE_ENDPOINTS, 1);
	publish(world, TABLE_ROUTES, 1);
	ack(world, 0, TABLE_ENDPOINTS, 1);
	ack(world, 0, TABLE_ROUTES, 1);
	publisher_drop_peer(world->publisher, 1, 1);

	health_write_parts(&world->health, clock_monotonic_ns(), &text);

	assert_string_equal(buf_text(&text),
			    "[+] table: routes generation 1, endpoints generation 1\n"
			    "[-] workers: 1 of 2 run\n"
			    "[-] serving: 1 of 2 serve the whole table\n"
			    "[+] running: not stopping\n");
	buf_fini(&text);
}

static void the_parts_name_a_stored_table(void **state)
{
	struct world *world = *state;
	struct buf text = {0};

	given_all_serve(world);
	world->health.listed = false;

	health_write_parts(&world->health, clock_monotonic_ns(), &text);

	assert_non_null(strstr(buf_text(&text), "as stored; objects are not listed yet"));
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(without_a_table_nothing_is_well_but_life),
		TEST(half_a_table_is_none),
		TEST(it_is_ready_when_the_last_worker_serves_both_kinds),
		TEST(certificates_that_are_there_are_to_be_served_too),
		TEST(a_change_on_its_way_makes_nobody_unready),
		TEST(a_worker_that_does_not_take_a_change_is_not_ready),
		TEST(a_refused_table_makes_nobody_unready),
		TEST(a_dead_worker_takes_readiness_and_not_health),
		TEST(without_workers_nothing_lives),
		TEST(stopping_takes_readiness_and_health_at_once),
		TEST(the_parts_say_what_is_missing),
		TEST(the_parts_name_a_stored_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
