/* SPDX-License-Identifier: Apache-2.0 */
#include "io/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"

/* A timer and what a simple model says of it. */
struct alarm {
	struct timer timer;
	bool runs;       /* in the model */
	uint64_t due_ms; /* in the model: the first millisecond in which it may fire */
	unsigned fired;
	struct alarm *stops; /* stopped when this one fires */
	uint32_t again_ms;   /* started again with this delay when it fires; 0: not */
};

static struct timers timers;
static uint64_t now_ms;

/* The first millisecond of the tick in which a timer started now fires. */
static uint64_t due_of(uint32_t delay_ms)
{
	return ((now_ms + delay_ms) / TIMER_TICK_MS + 1) * TIMER_TICK_MS;
}

static void start(struct alarm *alarm, uint32_t delay_ms)
{
	timer_start(&timers, &alarm->timer, delay_ms);
	alarm->runs = true;
	alarm->due_ms = due_of(delay_ms);
}

static void stop(struct alarm *alarm)
{
	timer_stop(&timers, &alarm->timer);
	alarm->runs = false;
}

static void on_expired(struct timer *timer)
{
	struct alarm *alarm = container_of(timer, struct alarm, timer);

	assert_true(alarm->runs);
	assert_true(now_ms >= alarm->due_ms);
	assert_false(timer_is_running(timer));
	alarm->runs = false;
	alarm->fired++;
	if (alarm->stops != NULL)
		stop(alarm->stops);
	if (alarm->again_ms != 0)
		start(alarm, alarm->again_ms);
}

static void given_time(uint64_t start_ms)
{
	now_ms = start_ms;
	timers_init(&timers, now_ms);
}

static void given_alarms(struct alarm *alarms, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		alarms[i] = (struct alarm){0};
		timer_init(&alarms[i].timer, on_expired);
	}
}

static void advance(uint64_t ms)
{
	now_ms += ms;
	timers_advance(&timers, now_ms);
}

static void a_timer_fires_once_and_never_early(void **state)
{
	struct alarm alarm;

	(void)state;
	given_time(1003);
	given_alarms(&alarm, 1);
	start(&alarm, 10);

	advance(10);
	assert_int_equal(alarm.fired, 0);
	advance(2 * TIMER_TICK_MS);
	assert_int_equal(alarm.fired, 1);
	advance(1000);
	assert_int_equal(alarm.fired, 1);
	assert_int_equal(timers.count, 0);
}

static void a_delay_of_nothing_fires_with_the_next_tick(void **state)
{
	struct alarm alarm;

	(void)state;
	given_time(0);
	given_alarms(&alarm, 1);
	start(&alarm, 0);

	advance(0);
	assert_int_equal(alarm.fired, 0);
	advance(TIMER_TICK_MS);
	assert_int_equal(alarm.fired, 1);
}

static void a_timer_that_is_moved_fires_at_its_last_deadline(void **state)
{
	struct alarm alarm;

	(void)state;
	given_time(0);
	given_alarms(&alarm, 1);
	for (unsigned i = 0; i < 1000; i++) {
		start(&alarm, 60000);
		advance(500);
	}
	assert_int_equal(alarm.fired, 0);
	assert_int_equal(timers.count, 1);

	advance(59000);
	assert_int_equal(alarm.fired, 0);
	advance(1000);
	assert_int_equal(alarm.fired, 1);
}

static void a_timer_that_is_moved_to_an_earlier_time_fires_then(void **state)
{
	struct alarm alarm;

	(void)state;
	given_time(0);
	given_alarms(&alarm, 1);
	start(&alarm, 1000000);
	start(&alarm, 5000000);
	start(&alarm, 20);

	advance(28);
	assert_int_equal(alarm.fired, 1);
	advance(6000000);
	assert_int_equal(alarm.fired, 1);
}

static void a_stopped_timer_does_not_fire_and_may_be_stopped_again(void **state)
{
	struct alarm alarm;

	(void)state;
	given_time(0);
	given_alarms(&alarm, 1);
	start(&alarm, 20);
	stop(&alarm);
	stop(&alarm);

	advance(1000);
	assert_int_equal(alarm.fired, 0);
	assert_int_equal(timers.count, 0);
}

static void a_timer_may_stop_another_that_is_due_in_the_same_tick(void **state)
{
	struct alarm alarms[3];

	(void)state;
	given_time(0);
	given_alarms(alarms, 3);
	alarms[0].stops = &alarms[1];
	for (unsigned i = 0; i < 3; i++)
		start(&alarms[i], 20);

	advance(1000);
	assert_int_equal(alarms[0].fired, 1);
	assert_int_equal(alarms[1].fired, 0);
	assert_int_equal(alarms[2].fired, 1);
	assert_int_equal(timers.count, 0);
}

static void a_timer_that_starts_itself_again_does_not_fire_twice_in_one_advance(void **state)
{
	struct alarm alarm;

	(void)state;
	given_time(0);
	given_alarms(&alarm, 1);
	alarm.again_ms = 1;
	start(&alarm, 1);

	advance(10000);
	assert_int_equal(alarm.fired, 1);
	advance(2 * TIMER_TICK_MS);
	assert_int_equal(alarm.fired, 2);
	stop(&alarm);
}

static void a_delay_counts_from_the_time_that_was_set(void **state)
{
	struct alarm alarm;

	(void)state;
	given_time(0);
	given_alarms(&alarm, 1);
	now_ms = 60000;
	timers_set_now(&timers, now_ms);
	start(&alarm, 50);

	timers_advance(&timers, now_ms);
	assert_int_equal(alarm.fired, 0);
	advance(58);
	assert_int_equal(alarm.fired, 1);
}

static void delays_beyond_24_days_are_cut_to_24_days(void **state)
{
	const uint32_t day_ms = 86400 * 1000;
	struct alarm alarm;

	(void)state;
	given_time(0);
	given_alarms(&alarm, 1);
	timer_start(&timers, &alarm.timer, UINT32_MAX);
	alarm.runs = true;
	alarm.due_ms = due_of(24 * day_ms);

	advance(24ULL * day_ms);
	assert_int_equal(alarm.fired, 0);
	advance(2 * TIMER_TICK_MS);
	assert_int_equal(alarm.fired, 1);
}

static void without_timers_one_may_wait_as_long_as_one_likes(void **state)
{
	(void)state;
	given_time(1234);

	assert_int_equal(timers_wait_ms(&timers, 60000), 60000);
	assert_int_equal(timers_wait_ms(&timers, 0), 0);
}

static void a_wait_is_never_longer_than_asked_for(void **state)
{
	struct alarm alarm;

	(void)state;
	given_time(100);
	given_alarms(&alarm, 1);
	advance(0);
	start(&alarm, 500000);

	for (int max_ms = 0; max_ms < 50; max_ms++)
		assert_in_range(timers_wait_ms(&timers, max_ms), 0, max_ms);
	stop(&alarm);
}

/*
 * Against the model
 */

enum { ALARMS = 200 };

/* Short delays often, long ones seldom: as many at each power of two. */
static uint32_t any_delay_ms(struct random *random)
{
	return random_below(random, 1U << random_below(random, 22));
}

static uint64_t next_due_ms(const struct alarm *alarms)
{
	uint64_t due_ms = UINT64_MAX;

	for (unsigned i = 0; i < ALARMS; i++)
		if (alarms[i].runs && alarms[i].due_ms < due_ms)
			due_ms = alarms[i].due_ms;
	return due_ms;
}

/* What the model says is exact: who is due has fired, and on_expired saw that nobody else did. */
static void assert_model(const struct alarm *alarms)
{
	uint32_t running = 0;

	for (unsigned i = 0; i < ALARMS; i++) {
		if (alarms[i].runs)
			assert_true(alarms[i].due_ms > now_ms);
		assert_int_equal(timer_is_running(&alarms[i].timer), alarms[i].runs);
		running += alarms[i].runs;
	}
	assert_int_equal(timers.count, running);
}

static void change_something(struct random *random, struct alarm *alarm)
{
	if (random_below(random, 8) == 0)
		stop(alarm);
	else
		start(alarm, any_delay_ms(random));
	alarm->again_ms = random_below(random, 4) == 0 ? any_delay_ms(random) : 0;
}

static void compare_with_model(uint64_t seed, uint64_t start_ms)
{
	static struct alarm alarms[ALARMS];
	uint64_t end_ms = start_ms + 60000000;
	struct random random;

	random_seed(&random, seed);
	given_time(start_ms);
	given_alarms(alarms, ALARMS);
	for (unsigned i = 0; i < ALARMS; i++)
		alarms[i].stops = random_below(&random, 3) == 0
					  ? &alarms[random_below(&random, ALARMS)]
					  : NULL;
	while (now_ms < end_ms) {
		int wait_ms;

		for (uint32_t n = random_below(&random, 4); n > 0; n--)
			change_something(&random, &alarms[random_below(&random, ALARMS)]);
		advance(0);
		wait_ms = timers_wait_ms(&timers, 60000);
		assert_in_range(wait_ms, 1, 60000);
		assert_true(now_ms + (uint64_t)wait_ms <= next_due_ms(alarms));
		advance(random_below(&random, 16) == 0 ? any_delay_ms(&random) : (uint64_t)wait_ms);
		assert_model(alarms);
	}
	for (unsigned i = 0; i < ALARMS; i++)
		stop(&alarms[i]);
}

static void timers_do_what_a_simple_model_does(void **state)
{
	uint64_t seed = clock_monotonic_ns();

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	compare_with_model(seed, seed / 1000000);
}

static void timers_do_so_where_ticks_wrap(void **state)
{
	const uint64_t wrap_ms = (1ULL << 32) * TIMER_TICK_MS;
	uint64_t seed = clock_monotonic_ns();

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	compare_with_model(seed, wrap_ms - 30000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_once_and_never_early),
		cmocka_unit_test(a_delay_of_nothing_fires_with_the_next_tick),
		cmocka_unit_test(a_timer_that_is_moved_fires_at_its_last_deadline),
		cmocka_unit_test(a_timer_that_is_moved_to_an_earlier_time_fires_then),
		cmocka_unit_test(a_stopped_timer_does_not_fire_and_may_be_stopped_again),
		cmocka_unit_test(a_timer_may_stop_another_that_is_due_in_the_same_tick),
		cmocka_unit_test(
			a_timer_that_starts_itself_again_does_not_fire_twice_in_one_advance),
		cmocka_unit_test(a_delay_counts_from_the_time_that_was_set),
		cmocka_unit_test(delays_beyond_24_days_are_cut_to_24_days),
		cmocka_unit_test(without_timers_one_may_wait_as_long_as_one_likes),
		cmocka_unit_test(a_wait_is_never_longer_than_asked_for),
		cmocka_unit_test(timers_do_what_a_simple_model_does),
		cmocka_unit_test(timers_do_so_where_ticks_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
