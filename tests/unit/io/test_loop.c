/* SPDX-License-Identifier: Apache-2.0 */
#include "io/loop.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "given_loop.h"

/* The loop's clock is the real one and this much more (linked with --wrap). */
static uint64_t clock_ahead_ns;
static const uint64_t ns_per_ms = 1000000;

uint64_t __real_clock_monotonic_ns(void);
uint64_t __wrap_clock_monotonic_ns(void);

uint64_t __wrap_clock_monotonic_ns(void)
{
	return __real_clock_monotonic_ns() + clock_ahead_ns;
}

/* One end of a socket pair in the loop; the other is the test's. */
struct watched {
	struct loop_source source;
	int peer;
	unsigned calls;
	uint32_t events;       /* of the last call */
	uint32_t ready_before; /* of the other, when this one was called first */
	struct watched *other;
	void (*in_call)(struct watched *watched);
};

static struct given_loop given;

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct watched *watched = container_of(source, struct watched, source);

	if (watched->calls++ == 0 && watched->other != NULL)
		watched->ready_before = watched->other->source.ready;
	watched->events = events;
	assert_int_equal(source->ready, 0);
	if (watched->in_call != NULL)
		watched->in_call(watched);
}

static void watch_with(struct watched *watched,
		       int (*add)(struct loop *loop, struct loop_source *source, int fd,
				  void (*on_ready)(struct loop_source *source, uint32_t events)))
{
	int ends[2];

	*watched = (struct watched){0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	watched->peer = ends[1];
	assert_int_equal(add(given.loop, &watched->source, ends[0], on_ready), 0);
}

static void watch(struct watched *watched)
{
	watch_with(watched, loop_add);
}

static void unwatch(struct watched *watched)
{
	loop_close(given.loop, &watched->source);
	close(watched->peer);
}

static void say(struct watched *watched)
{
	assert_int_equal(write(watched->peer, "x", 1), 1);
}

static void hear(struct watched *watched)
{
	char byte;

	assert_int_equal(read(watched->source.fd, &byte, 1), 1);
}

static void close_other(struct watched *watched)
{
	if (watched->other->source.fd != -1)
		unwatch(watched->other);
}

static int begin(void **state)
{
	(void)state;
	clock_ahead_ns = 0;
	given_loop_init(&given);
	return 0;
}

static int end(void **state)
{
	(void)state;
	given_loop_fini(&given);
	return 0;
}

/*
 * Sources
 */

static void readiness_that_is_there_already_is_reported(void **state)
{
	struct watched one;

	(void)state;
	watch(&one);
	say(&one);
	run_turns(&given, 1);

	assert_int_equal(one.calls, 1);
	assert_int_equal(one.events, EPOLLIN | EPOLLOUT);
	unwatch(&one);
}

static void an_edge_is_reported_once_even_if_nothing_is_read(void **state)
{
	struct watched one;

	(void)state;
	watch(&one);
	say(&one);
	run_turns(&given, 5);
	assert_int_equal(one.calls, 1);

	say(&one);
	run_turns(&given, 5);
	assert_int_equal(one.calls, 2);
	unwatch(&one);
}

static void a_level_is_reported_in_every_turn_until_all_is_read(void **state)
{
	struct watched one;

	(void)state;
	watch_with(&one, loop_add_level);
	run_turns(&given, 2);
	assert_int_equal(one.calls, 0);
	say(&one);
	run_turns(&given, 5);
	assert_int_equal(one.calls, 5);
	assert_int_equal(one.events, EPOLLIN);

	hear(&one);
	run_turns(&given, 5);
	assert_int_equal(one.calls, 5);
	unwatch(&one);
}

static void the_end_of_the_peer_is_an_event(void **state)
{
	struct watched half;
	struct watched whole;

	(void)state;
	watch(&half);
	watch(&whole);
	shutdown(half.peer, SHUT_WR);
	close(whole.peer);
	whole.peer = -1;
	run_turns(&given, 1);

	assert_int_equal(half.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP), EPOLLIN | EPOLLRDHUP);
	assert_int_equal(whole.events & EPOLLHUP, EPOLLHUP);
	unwatch(&half);
	loop_close(given.loop, &whole.source);
}

static void all_are_marked_before_the_first_is_called(void **state)
{
	struct watched one;
	struct watched other;

	(void)state;
	watch(&one);
	watch(&other);
	run_turns(&given, 1);
	one = (struct watched){.source = one.source, .peer = one.peer, .other = &other};
	other = (struct watched){.source = other.source, .peer = other.peer, .other = &one};
	say(&one);
	say(&other);
	run_turns(&given, 1);

	/* whichever came first saw the other marked, and the second saw the first one's mark gone */
	assert_int_equal(one.calls, 1);
	assert_int_equal(other.calls, 1);
	assert_int_equal((one.ready_before & EPOLLIN) + (other.ready_before & EPOLLIN), EPOLLIN);
	unwatch(&one);
	unwatch(&other);
}

static void a_source_that_another_one_closes_is_not_called(void **state)
{
	struct watched one;
	struct watched other;

	(void)state;
	watch(&one);
	watch(&other);
	one.other = &other;
	other.other = &one;
	one.in_call = other.in_call = close_other;
	run_turns(&given, 1);

	assert_int_equal(one.calls + other.calls, 1);
	assert_int_equal((one.source.fd == -1) + (other.source.fd == -1), 1);
	if (one.source.fd != -1)
		unwatch(&one);
	else
		unwatch(&other);
}

static void reopen_other(struct watched *watched)
{
	struct watched *other = watched->other;

	if (other == NULL || other->source.fd == -1)
		return;
	unwatch(other);
	watch(other);
	say(other);
}

static void memory_that_is_used_again_gets_no_old_news(void **state)
{
	struct watched one;
	struct watched other;

	(void)state;
	watch(&one);
	watch(&other);
	one.other = &other;
	other.other = &one;
	one.in_call = other.in_call = reopen_other;
	run_turns(&given, 1);
	assert_int_equal(one.calls + other.calls, 1);

	run_turns(&given, 1);
	assert_int_equal(one.calls + other.calls, 2);
	unwatch(&one);
	unwatch(&other);
}

static void close_self(struct watched *watched)
{
	unwatch(watched);
}

static void a_source_may_close_itself(void **state)
{
	struct watched one;

	(void)state;
	watch(&one);
	one.in_call = close_self;
	run_turns(&given, 2);

	assert_int_equal(one.calls, 1);
	assert_int_equal(one.source.fd, -1);
	loop_close(given.loop, &one.source);
}

static void a_forgotten_descriptor_is_open_and_silent(void **state)
{
	struct watched one;
	char byte = 0;
	int fd;

	(void)state;
	watch(&one);
	run_turns(&given, 1);
	say(&one);
	fd = loop_forget(given.loop, &one.source);
	run_turns(&given, 2);

	assert_int_equal(one.calls, 1);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(loop_forget(given.loop, &one.source), -1);
	close(fd);
	close(one.peer);
}

/* Closing would leave the registration to the other descriptor, and its edges to a struct that is gone. */
static void a_duplicated_descriptor_that_is_forgotten_is_silent(void **state)
{
	struct watched one;
	int duplicate;

	(void)state;
	watch(&one);
	run_turns(&given, 1);
	duplicate = dup(one.source.fd);
	close(loop_forget(given.loop, &one.source));
	say(&one);
	run_turns(&given, 2);

	assert_int_equal(one.calls, 1);
	close(duplicate);
	close(one.peer);
}

static void what_cannot_be_watched_is_refused_and_stays_the_callers(void **state)
{
	struct loop_source source;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(loop_add(given.loop, &source, file, on_ready), -1);
	assert_int_equal(source.fd, -1);
	loop_close(given.loop, &source);
	assert_int_equal(close(file), 0);
}

static bool has_heard_all(void *owner)
{
	struct watched *many = owner;

	for (unsigned i = 0; i < 400; i++)
		if (many[i].calls == 0)
			return false;
	return true;
}

static void more_sources_than_fit_in_a_turn_are_all_called(void **state)
{
	struct watched *many = calloc(400, sizeof(*many));

	(void)state;
	for (unsigned i = 0; i < 400; i++)
		watch(&many[i]);
	run_until(&given, has_heard_all, many);

	for (unsigned i = 0; i < 400; i++) {
		assert_int_equal(many[i].calls, 1);
		unwatch(&many[i]);
	}
	free(many);
}

/*
 * Tasks
 */

struct job {
	struct loop_task task;
	unsigned runs;
	bool again; /* asks for itself once more */
	struct job *cancels;
};

static void on_turn_end(struct loop_task *task)
{
	struct job *job = container_of(task, struct job, task);

	job->runs++;
	if (job->again)
		loop_defer(given.loop, task);
	if (job->cancels != NULL)
		loop_task_cancel(&job->cancels->task);
}

static void given_job(struct job *job)
{
	*job = (struct job){0};
	loop_task_init(&job->task, on_turn_end);
}

static void a_task_runs_once_however_often_it_is_asked_for(void **state)
{
	struct job job;

	(void)state;
	given_job(&job);
	loop_defer(given.loop, &job.task);
	loop_defer(given.loop, &job.task);
	run_turns(&given, 3);

	assert_int_equal(job.runs, 1);
}

static void a_task_that_asks_for_itself_runs_once_a_turn(void **state)
{
	struct job job;

	(void)state;
	given_job(&job);
	job.again = true;
	loop_defer(given.loop, &job.task);
	run_turns(&given, 3);

	assert_int_equal(job.runs, 3);
	loop_task_cancel(&job.task);
}

static void a_cancelled_task_does_not_run(void **state)
{
	struct job first;
	struct job second;

	(void)state;
	given_job(&first);
	given_job(&second);
	first.cancels = &second;
	loop_defer(given.loop, &first.task);
	loop_defer(given.loop, &second.task);
	run_turns(&given, 2);

	assert_int_equal(first.runs, 1);
	assert_int_equal(second.runs, 0);
	loop_task_cancel(&second.task);
}

/*
 * Time
 */

struct alarm {
	struct timer timer;
	unsigned fired;
	uint32_t delay_ms;
};

static struct alarm bell;

static void on_bell(struct timer *timer)
{
	container_of(timer, struct alarm, timer)->fired++;
}

static void given_bell(uint32_t delay_ms)
{
	bell = (struct alarm){.delay_ms = delay_ms};
	timer_init(&bell.timer, on_bell);
}

static void start_bell(struct watched *watched)
{
	(void)watched;
	timer_start(loop_timers(given.loop), &bell.timer, bell.delay_ms);
}

static bool has_rung(void *owner)
{
	return ((struct alarm *)owner)->fired > 0;
}

static void a_delay_counts_from_the_turn_that_asks_for_it(void **state)
{
	struct watched one;

	(void)state;
	watch(&one);
	given_bell(500);
	one.in_call = start_bell;
	clock_ahead_ns += 900 * ns_per_ms;
	run_turns(&given, 1);
	assert_int_equal(one.calls, 1);
	assert_int_equal(bell.fired, 0);

	clock_ahead_ns += 400 * ns_per_ms;
	run_turns(&given, 1);
	assert_int_equal(bell.fired, 0);
	clock_ahead_ns += 110 * ns_per_ms;
	run_turns(&given, 1);
	assert_int_equal(bell.fired, 1);
	unwatch(&one);
}

static void what_arrived_is_delivered_before_a_timer_expires(void **state)
{
	struct watched one;

	(void)state;
	watch(&one);
	run_turns(&given, 1);
	given_bell(500);
	one.in_call = start_bell;
	timer_start(loop_timers(given.loop), &bell.timer, 500);
	clock_ahead_ns += 600 * ns_per_ms;
	say(&one);
	run_turns(&given, 1);

	/* the byte moved the deadline that had just passed */
	assert_int_equal(bell.fired, 0);
	assert_true(timer_is_running(&bell.timer));
	timer_stop(loop_timers(given.loop), &bell.timer);
	unwatch(&one);
}

static void the_loop_waits_for_its_timers_and_no_longer(void **state)
{
	uint64_t before_ns = clock_monotonic_ns();

	(void)state;
	given_bell(30);
	start_bell(NULL);
	run_until(&given, has_rung, &bell);

	assert_true(clock_monotonic_ns() - before_ns >= 30 * ns_per_ms);
}

static void timers_stand_still_while_the_process_does(void **state)
{
	(void)state;
	run_turns(&given, 1);
	given_bell(10000);
	start_bell(NULL);
	clock_ahead_ns += 3600 * 1000 * ns_per_ms;
	run_turns(&given, 1);
	assert_int_equal(bell.fired, 0);

	for (unsigned i = 0; i < 11; i++) {
		clock_ahead_ns += 900 * ns_per_ms;
		run_turns(&given, 1);
	}
	assert_int_equal(bell.fired, 1);
}

static void the_wall_clock_stands_still_within_a_turn(void **state)
{
	uint64_t first_ns = loop_wall_ns(given.loop);

	(void)state;
	assert_true(loop_wall_ns(given.loop) == first_ns);
	run_turns(&given, 1);
	assert_true(loop_wall_ns(given.loop) > first_ns);
	assert_int_equal(loop_turns(given.loop), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(readiness_that_is_there_already_is_reported),
		TEST(an_edge_is_reported_once_even_if_nothing_is_read),
		TEST(a_level_is_reported_in_every_turn_until_all_is_read),
		TEST(the_end_of_the_peer_is_an_event),
		TEST(all_are_marked_before_the_first_is_called),
		TEST(a_source_that_another_one_closes_is_not_called),
		TEST(memory_that_is_used_again_gets_no_old_news),
		TEST(a_source_may_close_itself),
		TEST(a_forgotten_descriptor_is_open_and_silent),
		TEST(a_duplicated_descriptor_that_is_forgotten_is_silent),
		TEST(what_cannot_be_watched_is_refused_and_stays_the_callers),
		TEST(more_sources_than_fit_in_a_turn_are_all_called),
		TEST(a_task_runs_once_however_often_it_is_asked_for),
		TEST(a_task_that_asks_for_itself_runs_once_a_turn),
		TEST(a_cancelled_task_does_not_run),
		TEST(a_delay_counts_from_the_turn_that_asks_for_it),
		TEST(what_arrived_is_delivered_before_a_timer_expires),
		TEST(the_loop_waits_for_its_timers_and_no_longer),
		TEST(timers_stand_still_while_the_process_does),
		TEST(the_wall_clock_stands_still_within_a_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
