/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "given_loop.h"
#include "io/socket.h"
#include "proxy/downstream.h"
#include "proxy/worker.h"

/* As much of a worker as a listener needs. accept fails on demand (linked with --wrap), as it does where descriptors or
 * memory are used up. */
static struct given_loop given;
static struct worker *worker;
static struct worker_counters counters;
static struct listener *listener;
static struct ip_port at;
static int clients[16];
static unsigned client_count;
static int failure;       /* errno of an accept that fails */
static unsigned passes;   /* how many calls of accept work before one fails */
static unsigned failures; /* how many fail then */
static unsigned accept_calls;

int __real_socket_accept(int fd, struct ip_port *peer);
int __wrap_socket_accept(int fd, struct ip_port *peer);

int __wrap_socket_accept(int fd, struct ip_port *peer)
{
	accept_calls++;
	if (passes > 0) {
		passes--;
	} else if (failures > 0) {
		failures--;
		errno = failure;
		return -1;
	}
	return __real_socket_accept(fd, peer);
}

static void fail_accept(int reason, unsigned times)
{
	passes = 0;
	failure = reason;
	failures = times;
}

static void connect_one(void)
{
	bool pending;

	clients[client_count] = socket_connect(&at, &pending);
	assert_int_not_equal(clients[client_count], -1);
	client_count++;
}

/* The client is served or waits; true: it was closed. */
static bool is_closed(unsigned index)
{
	char byte;

	return recv(clients[index], &byte, 1, MSG_DONTWAIT) != -1 ||
	       (errno != EAGAIN && errno != EWOULDBLOCK);
}

static int begin(void **state)
{
	struct ip_port any = {0};
	struct error err;
	int fd;

	(void)state;
	counters = (struct worker_counters){0};
	client_count = 0;
	failures = 0;
	accept_calls = 0;
	given_loop_init(&given);
	worker = calloc(1, sizeof(*worker));
	assert_non_null(worker);
	worker->loop = given.loop;
	worker->timers = loop_timers(given.loop);
	worker->counters = &counters;
	slab_init(&worker->downstreams, sizeof(struct downstream), 8, 4);
	conn_pool_init(&worker->pool, 1);
	tables_init(&worker->tables);
	for (unsigned i = 0; i < DOWNSTREAM_STATE_COUNT; i++)
		list_init(&worker->clients[i]);
	assert_true(ip_parse(S("127.0.0.1"), &any.ip));
	fd = socket_listen(&any, 16, &err);
	assert_int_equal(socket_local(fd, &at), 0);
	listener = &worker->listeners[0];
	assert_int_equal(listener_init(listener, worker, fd, LISTENER_PLAIN, &err), 0);
	assert_int_equal(listener_start(listener, &err), 0);
	return 0;
}

static int end(void **state)
{
	struct list *link;

	(void)state;
	while ((link = list_first(&worker->clients[DOWNSTREAM_IDLE])) != NULL)
		downstream_close(container_of(link, struct downstream, link));
	assert_int_equal(counters.downstream_idle_now, 0);
	listener_stop(listener);
	conn_pool_fini(&worker->pool);
	tables_fini(&worker->tables);
	slab_fini(&worker->downstreams);
	free(worker);
	for (unsigned i = 0; i < client_count; i++)
		close(clients[i]);
	given_loop_fini(&given);
	return 0;
}

static void given_clients(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		connect_one();
		run_turns(&given, 2);
	}
	assert_int_equal(worker->client_count, count);
}

static void who_connects_is_a_client(void **state)
{
	(void)state;
	given_clients(3);

	assert_int_equal(counters.downstream_accepted, 3);
	assert_int_equal(counters.downstream_idle_now, 3);
}

static void the_client_that_idled_longest_makes_room_for_a_new_one(void **state)
{
	(void)state;
	given_clients(3);
	fail_accept(EMFILE, 1);
	connect_one();
	run_turns(&given, 2);

	assert_true(is_closed(0));
	assert_false(is_closed(1));
	assert_false(is_closed(3));
	assert_int_equal(worker->client_count, 3);
	assert_int_equal(counters.downstream_refused, 0);
}

static void a_client_that_has_said_something_is_not_given_up(void **state)
{
	(void)state;
	given_clients(2);
	/* the loop has not seen it yet when it is asked for room */
	assert_int_equal(write(clients[0], "G", 1), 1);
	assert_true(downstream_give_up(worker));

	assert_false(is_closed(0));
	assert_true(is_closed(1));
	assert_false(downstream_give_up(worker));
}

static void no_connection_is_given_up_when_nobody_waits(void **state)
{
	(void)state;
	given_clients(3);
	/* the second look of a turn finds no descriptor, and would find no client either */
	connect_one();
	fail_accept(EMFILE, 1);
	passes = 1;
	run_turns(&given, 2);
	assert_int_equal(failures, 0);

	assert_int_equal(worker->client_count, 4);
	assert_false(is_closed(0));
}

static void accepting_pauses_where_nobody_can_make_room(void **state)
{
	(void)state;
	fail_accept(ENFILE, 1);
	connect_one();
	run_turns(&given, 3);

	assert_true(is_closed(0));
	assert_int_equal(counters.downstream_refused, 1);
	assert_true(timer_is_running(&listener->pause));
}

static void want_of_memory_does_not_make_a_listener_spin(void **state)
{
	(void)state;
	fail_accept(ENOMEM, 1000);
	connect_one();
	run_turns(&given, 50);

	assert_true(timer_is_running(&listener->pause));
	assert_in_range(accept_calls, 1, 4);
	failures = 0;
}

static bool is_accepted(void *owner)
{
	(void)owner;
	return worker->client_count == 1;
}

static void accepting_goes_on_after_the_pause(void **state)
{
	(void)state;
	fail_accept(ENOMEM, 2);
	connect_one();
	run_turns(&given, 3);
	assert_int_equal(worker->client_count, 0);

	run_until(&given, is_accepted, NULL);
}

static void a_new_client_takes_the_place_of_an_idle_one_at_the_limit(void **state)
{
	(void)state;
	given_clients(4);
	connect_one();
	run_turns(&given, 2);

	assert_true(is_closed(0));
	assert_int_equal(worker->client_count, 4);
	assert_int_equal(counters.downstream_refused, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(who_connects_is_a_client),
		TEST(the_client_that_idled_longest_makes_room_for_a_new_one),
		TEST(a_client_that_has_said_something_is_not_given_up),
		TEST(no_connection_is_given_up_when_nobody_waits),
		TEST(accepting_pauses_where_nobody_can_make_room),
		TEST(want_of_memory_does_not_make_a_listener_spin),
		TEST(accepting_goes_on_after_the_pause),
		TEST(a_new_client_takes_the_place_of_an_idle_one_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
