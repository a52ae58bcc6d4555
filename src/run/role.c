/* SPDX-License-Identifier: Apache-2.0 */
#include "run/role.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/log.h"

/* How long a role that closed its channel may take to end by itself: it does so when it exits in order. */
enum { SILENT_MAX_MS = 1000 };

static const unsigned moves[ROLE_STATE_COUNT] = {
	[ROLE_DOWN] = BIT(ROLE_STARTING) | BIT(ROLE_OVER),
	[ROLE_STARTING] = BIT(ROLE_READY) | BIT(ROLE_DOWN) | BIT(ROLE_ENDING),
	[ROLE_READY] = BIT(ROLE_DOWN) | BIT(ROLE_ENDING),
	[ROLE_ENDING] = BIT(ROLE_OVER),
	[ROLE_OVER] = 0,
};

static void role_move(struct role *role, enum role_state to)
{
	BUG_ON(!(moves[role->state] & BIT(to)));
	role->state = to;
}

bool role_is_running(const struct role *role)
{
	return role->state == ROLE_STARTING || role->state == ROLE_READY ||
	       role->state == ROLE_ENDING;
}

static void on_other_message(struct role *role, const struct message *message)
{
	if (role->on_said != NULL && role->on_said(role, message))
		return;
	log_warn("role said what it may not say", "name=%s kind=%u", role->name, message->kind);
	role_kill(role);
}

static void on_message(struct channel *channel, const struct message *message, int fd)
{
	struct role *role = channel->owner;

	if (fd != -1)
		close(fd);
	if (message->kind != MESSAGE_READY) {
		on_other_message(role, message);
		return;
	}
	if (role->state != ROLE_STARTING)
		return;
	role_move(role, ROLE_READY);
	role->on_ready(role);
}

static void on_closed(struct channel *channel)
{
	struct role *role = channel->owner;

	timer_start(loop_timers(role->loop), &role->kill_timer, SILENT_MAX_MS);
}

static void on_kill_timer(struct timer *timer)
{
	struct role *role = container_of(timer, struct role, kill_timer);

	log_warn("role left its channel and goes on", "name=%s pid=%d", role->name, (int)role->pid);
	role_kill(role);
}

static void try_again(struct role *role);

static void on_restart_timer(struct timer *timer)
{
	try_again(container_of(timer, struct role, restart_timer));
}

/* Waits for the process that is over; its descriptor closes with it. */
static struct role_end reap(struct role *role)
{
	siginfo_t how = {0};
	int result;

	do
		result = waitid(P_PIDFD, (id_t)role->process.fd, &how, WEXITED);
	while (result == -1 && errno == EINTR);
	BUG_ON(result == -1);
	loop_close(role->loop, &role->process);
	timer_stop(loop_timers(role->loop), &role->kill_timer);
	channel_stop(&role->channel);
	return (struct role_end){.killed = how.si_code != CLD_EXITED,
				 .number = how.si_status,
				 .was_ready = role->state == ROLE_READY};
}

static void log_end(const struct role *role, const struct role_end *end, uint32_t delay_ms)
{
	const char *how = end->killed ? "signal" : "status";

	if (role->state == ROLE_OVER && !end->killed && end->number == 0)
		log_debug("role ended", "name=%s pid=%d", role->name, (int)role->pid);
	else if (role->state == ROLE_OVER)
		log_warn("role ended", "name=%s pid=%d %s=%d", role->name, (int)role->pid, how,
			 end->number);
	else
		log_warn("role ended", "name=%s pid=%d %s=%d deaths=%u restart_ms=%u", role->name,
			 (int)role->pid, how, end->number, role->restart.deaths, delay_ms);
}

static void start_later(struct role *role, uint32_t delay_ms)
{
	/* a timer would take up to two ticks */
	if (delay_ms == 0)
		try_again(role);
	else
		timer_start(loop_timers(role->loop), &role->restart_timer, delay_ms);
}

static void on_process(struct loop_source *source, uint32_t events)
{
	struct role *role = container_of(source, struct role, process);
	struct role_end end = reap(role);
	uint32_t delay_ms = 0;

	(void)events;
	if (role->state == ROLE_ENDING) {
		role_move(role, ROLE_OVER);
	} else {
		role_move(role, ROLE_DOWN);
		delay_ms = restart_on_death(&role->restart, loop_now_ns(role->loop), role->random);
	}
	log_end(role, &end, delay_ms);
	role->on_gone(role, &end);
	if (role->state == ROLE_DOWN)
		start_later(role, delay_ms);
}

void role_init(struct role *role, struct loop *loop, struct random *random)
{
	role->state = ROLE_DOWN;
	role->loop = loop;
	role->random = random;
	role->process.fd = -1;
	role->channel = (struct channel){
		.owner = role, .on_message = on_message, .on_closed = on_closed};
	timer_init(&role->restart_timer, on_restart_timer);
	timer_init(&role->kill_timer, on_kill_timer);
}

/* Takes both descriptors. */
static int watch(struct role *role, const struct spawned *child, int channel_fd, struct error *err)
{
	if (loop_add_level(role->loop, &role->process, child->pidfd, on_process) == -1) {
		error_sys(err, "cannot watch process %d", (int)child->pid);
		close(child->pidfd);
		close(channel_fd);
		return -1;
	}
	if (channel_start(&role->channel, role->loop, channel_fd, err) == -1) {
		loop_close(role->loop, &role->process);
		return -1;
	}
	return 0;
}

int role_start(struct role *role, struct error *err)
{
	struct spawned child;
	int ends[2];
	int result;

	if (channel_pair(ends, err) == -1)
		return -1;
	result = role->on_spawn(role, ends[1], &child, err);
	close(ends[1]);
	if (result == -1) {
		close(ends[0]);
		return -1;
	}
	if (watch(role, &child, ends[0], err) == -1) {
		/* nobody would notice its end */
		kill(child.pid, SIGKILL);
		waitpid(child.pid, NULL, 0);
		return -1;
	}
	role->pid = child.pid;
	restart_on_start(&role->restart, loop_now_ns(role->loop));
	role_move(role, ROLE_STARTING);
	log_debug("role started", "name=%s pid=%d", role->name, (int)role->pid);
	role->on_started(role);
	return 0;
}

static void try_again(struct role *role)
{
	struct error err;
	uint32_t delay_ms;

	if (role_start(role, &err) == 0)
		return;
	delay_ms = restart_on_death(&role->restart, loop_now_ns(role->loop), role->random);
	log_error("role could not be started", "name=%s error=\"%s\" restart_ms=%u", role->name,
		  log_quote(span_from(err.text)), delay_ms);
	timer_start(loop_timers(role->loop), &role->restart_timer, delay_ms);
}

void role_retire(struct role *role)
{
	timer_stop(loop_timers(role->loop), &role->restart_timer);
	if (role->state == ROLE_DOWN)
		role_move(role, ROLE_OVER);
	else if (role->state != ROLE_ENDING && role->state != ROLE_OVER)
		role_move(role, ROLE_ENDING);
}

void role_send(struct role *role, const struct message *message, int fd)
{
	if (role_is_running(role))
		channel_send(&role->channel, message, fd);
}

void role_kill(struct role *role)
{
	/* by descriptor: it cannot be another process of the same number */
	if (role_is_running(role) && pidfd_send_signal(role->process.fd, SIGKILL, NULL, 0) == -1)
		BUG_ON(errno != ESRCH);
}
