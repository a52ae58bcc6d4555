/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/conn_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "given.h"
#include "given_loop.h"
#include "io/socket.h"
#include "proxy/exchange.h"
#include "proxy/upstream.h"
#include "proxy/upstream_h1.h"
#include "proxy/worker.h"
#include "table/seal.h"

/* As much of a worker as connections to endpoints need; one endpoint listens, and the test is it. */
static struct given_loop given;
static struct worker *worker;
static struct worker_counters counters;
static struct endpoint_record endpoint;
static int listener;
static struct upstream *opened[8];
static int peers[8];
static unsigned open_count;
static struct exchange
	exchange; /* no edge comes while it has a connection; it never takes an old one */

static void apply_settings(uint32_t connections, uint32_t requests, uint32_t timeout_ms)
{
	struct table_stamp stamp = given_stamp(0, 1);
	struct routes_builder builder;
	struct table_settings *settings;
	struct buf bytes = {0};
	struct error err;
	int fd;

	given_builder(&builder);
	settings = builder_at(&builder.segment, ROUTES_SETTINGS, 0);
	settings->upstream_keepalive_connections = connections;
	settings->upstream_keepalive_requests = requests;
	settings->upstream_keepalive_timeout_ms = timeout_ms;
	settings->upstream_keepalive_time_ms = 3600 * 1000;
	routes_builder_add_host(&builder, S(""), HOST_EXACT, NULL, 0);
	routes_builder_finish(&builder, &stamp, &bytes);
	routes_builder_fini(&builder);
	fd = seal_new("ingot-test-table", buf_span(&bytes), &err);
	assert_int_equal(tables_prepare(&worker->tables, TABLE_ROUTES, fd, &err), 0);
	tables_commit(&worker->tables);
	close(fd);
	buf_fini(&bytes);
}

/* A busy connection, as an exchange has one. */
static struct upstream *open_one(const struct endpoint_record *to, struct tls_context *tls)
{
	const struct upstream_way way = {.tls = tls};
	struct server *server = upstream_h1_take(&exchange, to, &way);
	struct upstream *upstream;
	struct ip_port from;

	assert_non_null(server);
	upstream = server->connection;
	peers[open_count] = socket_accept(listener, &from);
	assert_int_not_equal(peers[open_count], -1);
	upstream->requests = 1;
	opened[open_count++] = upstream;
	return upstream;
}

static void given_idle(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		open_one(&endpoint, NULL);
	for (unsigned i = 0; i < count; i++)
		upstream_h1_release(opened[i], true);
	run_turns(&given, 1);
}

static bool is_closed(unsigned index)
{
	char byte;

	fcntl(peers[index], F_SETFL, O_NONBLOCK);
	return recv(peers[index], &byte, 1, 0) == 0;
}

static struct upstream *take(void)
{
	return upstream_h1_wake(worker, &endpoint, NULL);
}

static void put_back(struct upstream *upstream)
{
	upstream_rest(upstream);
}

static void assert_counts(uint32_t idle, uint32_t active)
{
	assert_int_equal(worker->pool.count, idle);
	assert_int_equal(counters.upstream_idle_now, idle);
	assert_int_equal(counters.upstream_active_now, active);
	assert_int_equal(worker->upstreams.count, idle + active);
}

static int begin(void **state)
{
	struct ip_port at = {0};
	struct error err;

	(void)state;
	counters = (struct worker_counters){0};
	open_count = 0;
	given_loop_init(&given);
	worker = calloc(1, sizeof(*worker));
	assert_non_null(worker);
	worker->loop = given.loop;
	worker->timers = loop_timers(given.loop);
	worker->counters = &counters;
	exchange = (struct exchange){.worker = worker, .fresh_connection = true};
	slab_init(&worker->upstreams, sizeof(struct upstream), 8, 64);
	iobuf_pool_init(&worker->iobufs, 8);
	conn_pool_init(&worker->pool, 4);
	for (unsigned i = 0; i < DOWNSTREAM_STATE_COUNT; i++)
		list_init(&worker->clients[i]);
	tables_init(&worker->tables);
	for (uint32_t slot = 1; slot <= 2; slot++)
		worker->tables.slots[slot] = (struct slot_use){.incarnation = 7, .count = 1};
	apply_settings(8, 100, 60000);
	assert_true(ip_parse(S("127.0.0.1"), &at.ip));
	listener = socket_listen(&at, 16, &err);
	fcntl(listener, F_SETFL, 0);
	assert_int_equal(socket_local(listener, &at), 0);
	endpoint = (struct endpoint_record){
		.ip = at.ip, .port = at.port, .weight = 1, .slot = 2, .incarnation = 7};
	return 0;
}

static int end(void **state)
{
	(void)state;
	conn_pool_close_all(&worker->pool);
	assert_counts(0, 0);
	conn_pool_fini(&worker->pool);
	tables_fini(&worker->tables);
	iobuf_pool_fini(&worker->iobufs);
	slab_fini(&worker->upstreams);
	free(worker);
	close(listener);
	for (unsigned i = 0; i < open_count; i++)
		close(peers[i]);
	given_loop_fini(&given);
	return 0;
}

static void a_connection_is_used_again(void **state)
{
	struct upstream *taken;

	(void)state;
	given_idle(1);
	assert_counts(1, 0);
	taken = take();

	assert_ptr_equal(taken, opened[0]);
	assert_null(take());
	put_back(taken);
}

static void the_one_used_last_is_used_next(void **state)
{
	struct upstream *first;
	struct upstream *second;

	(void)state;
	given_idle(3);
	first = take();
	assert_ptr_equal(first, opened[2]);
	second = take();
	assert_ptr_equal(second, opened[1]);

	put_back(first);
	assert_ptr_equal(take(), first);
	put_back(second);
	put_back(first);
}

static void a_connection_leads_to_its_own_endpoint_alone(void **state)
{
	struct endpoint_record other = endpoint;

	(void)state;
	given_idle(1);
	other.slot = 1;
	assert_null(upstream_h1_wake(worker, &other, NULL));
	other = endpoint;
	other.incarnation++;
	assert_null(upstream_h1_wake(worker, &other, NULL));
	other = endpoint;
	other.port++;
	assert_null(upstream_h1_wake(worker, &other, NULL));

	assert_counts(1, 0);
}

/* A handshake that never ends is enough: what counts is under which settings it was begun. */
static void a_connection_is_used_again_under_its_own_settings_of_tls_alone(void **state)
{
	const struct tls_settings settings = {0};
	struct error err = {0};
	struct tls_context *one = tls_context_new_client(&settings, &err);
	struct tls_context *other = tls_context_new_client(&settings, &err);
	struct upstream *upstream = open_one(&endpoint, one);

	(void)state;
	put_back(upstream);
	tls_context_drop(one); /* the connection holds it */

	assert_null(upstream_h1_wake(worker, &endpoint, NULL));
	assert_null(upstream_h1_wake(worker, &endpoint, other));
	assert_counts(1, 0);
	tls_context_drop(other);
}

static void endpoints_of_names_are_told_apart_by_their_address(void **state)
{
	struct endpoint_record other;
	struct upstream *taken;

	(void)state;
	endpoint.slot = TABLE_NONE;
	endpoint.incarnation = 0;
	given_idle(2);
	other = endpoint;
	assert_true(ip_parse(S("127.0.0.2"), &other.ip));

	assert_null(upstream_h1_wake(worker, &other, NULL));
	taken = take();
	assert_ptr_equal(taken, opened[1]);
	put_back(taken);
}

static void where_there_are_too_many_the_one_that_idled_longest_goes(void **state)
{
	(void)state;
	apply_settings(2, 100, 60000);
	given_idle(3);

	assert_counts(2, 0);
	assert_true(is_closed(0));
	assert_false(is_closed(1));
	assert_false(is_closed(2));
}

static void a_new_connection_takes_the_room_of_the_one_that_idled_longest(void **state)
{
	(void)state;
	given_idle(2);
	worker->upstreams.limit = 2;
	open_one(&endpoint, NULL);

	assert_counts(1, 1);
	assert_true(is_closed(0));
	assert_false(is_closed(1));
	upstream_close(opened[2]);
}

static void where_every_connection_is_busy_there_is_room_for_no_other(void **state)
{
	const struct upstream_way way = {0};

	(void)state;
	open_one(&endpoint, NULL);
	worker->upstreams.limit = 1;

	assert_null(upstream_h1_take(&exchange, &endpoint, &way));
	assert_int_equal(errno, ENOMEM);
	assert_counts(0, 1);
	upstream_close(opened[0]);
}

static void what_was_used_meanwhile_has_not_idled_longest(void **state)
{
	struct upstream *again;

	(void)state;
	apply_settings(2, 100, 60000);
	given_idle(2);
	again = take();
	put_back(again);
	again = opened[0];
	upstream_wake(again);
	put_back(again);
	upstream_h1_release(open_one(&endpoint, NULL), true);

	assert_counts(2, 0);
	assert_true(is_closed(1));
}

static void one_with_news_is_closed_and_the_next_given(void **state)
{
	struct upstream *taken;

	(void)state;
	given_idle(2);
	assert_int_equal(write(peers[1], "x", 1), 1);
	taken = take();

	assert_ptr_equal(taken, opened[0]);
	put_back(taken);
	assert_counts(1, 0);
}

static void room_to_write_is_no_news(void **state)
{
	(void)state;
	given_idle(1);
	opened[0]->transport.source.ready = EPOLLOUT;

	assert_ptr_equal(take(), opened[0]);
	put_back(opened[0]);
}

static void the_kernel_knows_news_that_the_loop_has_not_seen(void **state)
{
	struct upstream *taken;

	(void)state;
	given_idle(3);
	assert_int_equal(write(peers[2], "x", 1), 1);
	shutdown(peers[1], SHUT_WR);

	taken = take();

	assert_ptr_equal(taken, opened[0]);
	put_back(taken);
	assert_counts(1, 0);
}

static bool is_empty(void *owner)
{
	(void)owner;
	return worker->pool.count == 0;
}

static void an_idle_connection_that_its_peer_closes_leaves_the_pool(void **state)
{
	(void)state;
	given_idle(1);
	shutdown(peers[0], SHUT_WR);
	run_until(&given, is_empty, NULL);

	assert_counts(0, 0);
}

static void bytes_that_nobody_asked_for_end_an_idle_connection(void **state)
{
	(void)state;
	given_idle(1);
	assert_int_equal(write(peers[0], "HTTP/1.1 408", 12), 12);
	run_until(&given, is_empty, NULL);

	assert_counts(0, 0);
}

static void an_idle_connection_ends_with_its_time(void **state)
{
	(void)state;
	apply_settings(8, 100, 10);
	given_idle(1);
	run_until(&given, is_empty, NULL);

	assert_true(is_closed(0));
	assert_counts(0, 0);
}

static void connections_to_an_endpoint_that_left_are_closed(void **state)
{
	struct endpoint_record named = endpoint;
	struct endpoint_record left = endpoint;

	(void)state;
	named.slot = TABLE_NONE;
	upstream_h1_release(open_one(&endpoint, NULL), true);
	upstream_h1_release(open_one(&endpoint, NULL), true);
	upstream_h1_release(open_one(&named, NULL), true);
	run_turns(&given, 1);
	left.incarnation = endpoint.incarnation + 1;
	conn_pool_leave(&worker->pool, &left);
	left = endpoint;
	left.slot = endpoint.slot + 1;
	conn_pool_leave(&worker->pool, &left);
	assert_counts(3, 0);

	conn_pool_leave(&worker->pool, &endpoint);
	assert_counts(1, 0);
	assert_true(is_closed(0));
	assert_true(is_closed(1));
	assert_false(is_closed(2));
}

static void a_connection_whose_endpoint_left_while_it_was_busy_is_not_kept(void **state)
{
	(void)state;
	open_one(&endpoint, NULL);
	worker->tables.slots[endpoint.slot].count = 0;
	upstream_h1_release(opened[0], true);

	assert_true(is_closed(0));
	assert_counts(0, 0);
}

static void what_may_not_be_used_again_is_closed(void **state)
{
	(void)state;
	upstream_h1_release(open_one(&endpoint, NULL), false);
	assert_true(is_closed(0));

	open_one(&endpoint, NULL)->requests = 100;
	upstream_h1_release(opened[1], true);
	assert_true(is_closed(1));

	open_one(&endpoint, NULL);
	apply_settings(0, 100, 60000);
	upstream_h1_release(opened[2], true);
	assert_true(is_closed(2));

	open_one(&endpoint, NULL);
	apply_settings(8, 100, 60000);
	worker->draining = true;
	upstream_h1_release(opened[3], true);
	assert_true(is_closed(3));
	assert_counts(0, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_connection_is_used_again),
		TEST(the_one_used_last_is_used_next),
		TEST(a_connection_leads_to_its_own_endpoint_alone),
		TEST(a_connection_is_used_again_under_its_own_settings_of_tls_alone),
		TEST(endpoints_of_names_are_told_apart_by_their_address),
		TEST(where_there_are_too_many_the_one_that_idled_longest_goes),
		TEST(a_new_connection_takes_the_room_of_the_one_that_idled_longest),
		TEST(where_every_connection_is_busy_there_is_room_for_no_other),
		TEST(what_was_used_meanwhile_has_not_idled_longest),
		TEST(one_with_news_is_closed_and_the_next_given),
		TEST(room_to_write_is_no_news),
		TEST(the_kernel_knows_news_that_the_loop_has_not_seen),
		TEST(an_idle_connection_that_its_peer_closes_leaves_the_pool),
		TEST(bytes_that_nobody_asked_for_end_an_idle_connection),
		TEST(an_idle_connection_ends_with_its_time),
		TEST(connections_to_an_endpoint_that_left_are_closed),
		TEST(a_connection_whose_endpoint_left_while_it_was_busy_is_not_kept),
		TEST(what_may_not_be_used_again_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
