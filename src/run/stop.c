/* SPDX-License-Identifier: Apache-2.0 */
/* The stop sequence: not ready, listeners closed, requests finish, control last. */
#include "base/log.h"
#include "run/parent.h"

/* Beyond the grace period, workers get time to close and count what is left; control to end. */
enum { WORKERS_MARGIN_MS = 1000, CONTROL_MAX_MS = 5000 };

static void kill_all(struct parent *parent)
{
	for (uint32_t i = 0; i < parent->options->workers; i++)
		role_kill(&parent->workers[i]);
	if (parent->state == PARENT_ENDING)
		role_kill(&parent->control);
}

static void on_stop_timer(struct timer *timer)
{
	struct parent *parent = container_of(timer, struct parent, stop_timer);

	log_warn("time to stop is over", "grace_ms=%u", parent->options->shutdown_grace_ms);
	kill_all(parent);
}

void stop_init(struct parent *parent)
{
	timer_init(&parent->stop_timer, on_stop_timer);
}

static void retire_all(struct parent *parent)
{
	for (uint32_t i = 0; i < parent->options->workers; i++)
		role_retire(&parent->workers[i]);
	role_retire(&parent->control);
}

void stop_begin(struct parent *parent)
{
	uint32_t grace_ms = parent->options->shutdown_grace_ms;
	/* 0 tells control to be ready no more, but to go on */
	struct message unready = {.kind = MESSAGE_STOP, .number = 0};
	struct message finish = {.kind = MESSAGE_STOP, .number = grace_ms};

	log_info("stopping", "grace_ms=%u", grace_ms);
	parent->state = PARENT_DRAINING;
	retire_all(parent);
	role_send(&parent->control, &unready, -1);
	listeners_close(&parent->listeners);
	for (uint32_t i = 0; i < parent->options->workers; i++)
		role_send(&parent->workers[i], &finish, -1);
	timer_start(loop_timers(parent->loop), &parent->stop_timer, grace_ms + WORKERS_MARGIN_MS);
	stop_on_gone(parent);
}

void stop_at_once(struct parent *parent, int exit_status)
{
	parent->state = PARENT_ENDING;
	parent->exit_status = exit_status;
	retire_all(parent);
	kill_all(parent);
	stop_on_gone(parent);
}

static bool has_workers(const struct parent *parent)
{
	for (uint32_t i = 0; i < parent->options->workers; i++) {
		if (parent->workers[i].state != ROLE_OVER)
			return true;
	}
	return false;
}

void stop_on_gone(struct parent *parent)
{
	if (parent->state == PARENT_SERVING || has_workers(parent))
		return;
	if (parent->control.state == ROLE_OVER) {
		parent->state = PARENT_OVER;
		loop_stop(parent->loop);
		return;
	}
	if (parent->state == PARENT_ENDING)
		return;
	parent->state = PARENT_ENDING;
	/* the end of its channel is what tells it to end */
	channel_stop(&parent->control.channel);
	timer_start(loop_timers(parent->loop), &parent->stop_timer, CONTROL_MAX_MS);
}
