/* SPDX-License-Identifier: Apache-2.0 */
/* A loop for tests, which turns until a condition holds and fails when that takes too long. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/list.h"
#include "io/loop.h"

enum { GIVEN_DEADLINE_MS = 20000 };

struct given_loop {
	struct loop *loop;
	struct loop_task task;
	uint32_t turns_left;
	struct timer look;
	struct timer deadline;
	bool (*is_reached)(void *owner);
	void *owner;
	bool is_late;
};

static inline void given_loop_on_turn_end(struct loop_task *task)
{
	struct given_loop *given = container_of(task, struct given_loop, task);

	if (--given->turns_left == 0)
		loop_stop(given->loop);
	else
		loop_defer(given->loop, task);
}

static inline void given_loop_on_look(struct timer *timer)
{
	struct given_loop *given = container_of(timer, struct given_loop, look);

	if (given->is_reached(given->owner))
		loop_stop(given->loop);
	else
		timer_start(loop_timers(given->loop), timer, 0);
}

static inline void given_loop_on_deadline(struct timer *timer)
{
	struct given_loop *given = container_of(timer, struct given_loop, deadline);

	given->is_late = true;
	loop_stop(given->loop);
}

static inline void given_loop_init(struct given_loop *given)
{
	struct error err;

	*given = (struct given_loop){.loop = loop_new(&err)};
	assert_non_null(given->loop);
	loop_task_init(&given->task, given_loop_on_turn_end);
	timer_init(&given->look, given_loop_on_look);
	timer_init(&given->deadline, given_loop_on_deadline);
}

static inline void given_loop_fini(struct given_loop *given)
{
	loop_free(given->loop);
}

/* That many turns, none of which waits. */
static inline void run_turns(struct given_loop *given, uint32_t turns)
{
	given->turns_left = turns;
	loop_defer(given->loop, &given->task);
	loop_run(given->loop);
}

/* Turns until the condition holds, which is looked at every few milliseconds; fails after GIVEN_DEADLINE_MS. */
static inline void run_until(struct given_loop *given, bool (*is_reached)(void *owner), void *owner)
{
	given->is_reached = is_reached;
	given->owner = owner;
	timer_start(loop_timers(given->loop), &given->look, 0);
	timer_start(loop_timers(given->loop), &given->deadline, GIVEN_DEADLINE_MS);
	loop_run(given->loop);
	timer_stop(loop_timers(given->loop), &given->look);
	timer_stop(loop_timers(given->loop), &given->deadline);
	assert_false(given->is_late);
}
