/* SPDX-License-Identifier: Apache-2.0 */
#include "io/signals.h"

#include <string.h>
#include <unistd.h>

#include "given_loop.h"

static struct given_loop given;
static struct signals signals;
static int heard[8];
static unsigned heard_count;
static bool stops_at_first;

static void on_signal(struct signals *from, int number)
{
	heard[heard_count++] = number;
	if (stops_at_first)
		signals_stop(given.loop, from);
}

static int begin(void **state)
{
	struct error err;
	sigset_t set;

	(void)state;
	heard_count = 0;
	stops_at_first = false;
	given_loop_init(&given);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	return signals_start(given.loop, &signals, &set, on_signal, &err);
}

static int end(void **state)
{
	struct timespec now = {0};
	sigset_t set;

	(void)state;
	signals_stop(given.loop, &signals);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	while (sigtimedwait(&set, NULL, &now) > 0) {
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	given_loop_fini(&given);
	return 0;
}

static bool has_heard_two(void *owner)
{
	(void)owner;
	return heard_count == 2;
}

static void a_signal_is_an_event_of_the_loop(void **state)
{
	(void)state;
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGHUP);
	run_until(&given, has_heard_two, NULL);

	assert_true(heard[0] + heard[1] == SIGTERM + SIGHUP);
	run_turns(&given, 2);
	assert_int_equal(heard_count, 2);
}

static void one_may_stop_listening_while_more_signals_wait(void **state)
{
	(void)state;
	stops_at_first = true;
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGHUP);
	run_turns(&given, 5);

	assert_int_equal(heard_count, 1);
	assert_int_equal(signals.source.fd, -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_signal_is_an_event_of_the_loop),
		TEST(one_may_stop_listening_while_more_signals_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
