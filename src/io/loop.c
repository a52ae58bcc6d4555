/* SPDX-License-Identifier: Apache-2.0 */
#include "io/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/memory.h"

enum { EVENTS_MAX = 256, WAIT_MAX_MS = 60 * 1000 };

/* A turn that begins this much later than it was to is taken for a stop of the process. */
static const uint64_t stall_ns = 1000000000;
static const uint64_t ns_per_ms = 1000000;

struct loop {
	int epoll;
	bool stopping;
	uint64_t now_ns;
	uint64_t wall_ns;    /* 0: not read in this turn */
	uint64_t skipped_ns; /* length of all stalls: the timers' clock is behind by that */
	uint64_t turns;
	struct timers timers;
	struct list tasks;
	struct epoll_event events[EVENTS_MAX];
};

struct loop *loop_new(struct error *err)
{
	struct loop *loop = memory_new(sizeof(*loop));

	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll == -1) {
		error_sys(err, "cannot make an epoll instance");
		free(loop);
		return NULL;
	}
	loop->now_ns = clock_monotonic_ns();
	timers_init(&loop->timers, loop->now_ns / ns_per_ms);
	list_init(&loop->tasks);
	return loop;
}

void loop_free(struct loop *loop)
{
	close(loop->epoll);
	free(loop);
}

static int add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	       void (*on_ready)(struct loop_source *source, uint32_t events))
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	*source = (struct loop_source){.fd = fd, .on_ready = on_ready};
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == -1) {
		source->fd = -1;
		return -1;
	}
	return 0;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd,
	     void (*on_ready)(struct loop_source *source, uint32_t events))
{
	return add(loop, source, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_ready);
}

int loop_add_level(struct loop *loop, struct loop_source *source, int fd,
		   void (*on_ready)(struct loop_source *source, uint32_t events))
{
	return add(loop, source, fd, EPOLLIN, on_ready);
}

/* News of this turn that were not delivered yet must not reach a source that is gone. */
static void drop_news(struct loop *loop, struct loop_source *source)
{
	if (source->place != 0)
		loop->events[source->place - 1].data.ptr = NULL;
	source->place = 0;
	source->ready = 0;
}

void loop_close(struct loop *loop, struct loop_source *source)
{
	if (source->fd == -1)
		return;
	drop_news(loop, source);
	/* the only descriptor of its file, so that closing ends the registration; see loop_forget */
	close(source->fd);
	source->fd = -1;
}

int loop_forget(struct loop *loop, struct loop_source *source)
{
	int fd = source->fd;

	if (fd == -1)
		return -1;
	drop_news(loop, source);
	BUG_ON(epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL) == -1);
	source->fd = -1;
	return fd;
}

void loop_task_init(struct loop_task *task, void (*on_turn_end)(struct loop_task *task))
{
	list_init(&task->link);
	task->on_turn_end = on_turn_end;
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
	if (list_is_empty(&task->link))
		list_add_last(&loop->tasks, &task->link);
}

void loop_task_cancel(struct loop_task *task)
{
	list_remove(&task->link);
}

static int wait_ms(struct loop *loop)
{
	if (!list_is_empty(&loop->tasks) || loop->stopping)
		return 0;
	return timers_wait_ms(&loop->timers, WAIT_MAX_MS);
}

/* Reads the clock after a wait that was to last expected_ms at most. */
static void read_clock(struct loop *loop, int expected_ms)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t allowed_ns = (uint64_t)expected_ms * ns_per_ms + stall_ns;

	if (now_ns - loop->now_ns > allowed_ns)
		loop->skipped_ns += now_ns - loop->now_ns - allowed_ns;
	loop->now_ns = now_ns;
	loop->wall_ns = 0;
}

/* The clock of the timers, in milliseconds. */
static uint64_t timers_now_ms(const struct loop *loop)
{
	return (loop->now_ns - loop->skipped_ns) / ns_per_ms;
}

static void deliver(struct loop *loop, int count)
{
	for (int i = 0; i < count; i++) {
		struct loop_source *source = loop->events[i].data.ptr;

		source->ready = (uint16_t)loop->events[i].events;
		source->place = (uint16_t)(i + 1);
	}
	for (int i = 0; i < count; i++) {
		struct loop_source *source = loop->events[i].data.ptr;

		if (source == NULL)
			continue;
		source->ready = 0;
		source->place = 0;
		source->on_ready(source, loop->events[i].events);
	}
}

static void run_tasks(struct loop *loop)
{
	struct list last;

	/* tasks that are asked for meanwhile belong to the next turn */
	list_add_last(&loop->tasks, &last);
	while (loop->tasks.next != &last) {
		struct loop_task *task = container_of(loop->tasks.next, struct loop_task, link);

		list_remove(&task->link);
		task->on_turn_end(task);
	}
	list_remove(&last);
}

void loop_run(struct loop *loop)
{
	loop->stopping = false;
	while (!loop->stopping) {
		int expected_ms = wait_ms(loop);
		int count = epoll_wait(loop->epoll, loop->events, EVENTS_MAX, expected_ms);

		BUG_ON(count == -1 && errno != EINTR);
		read_clock(loop, expected_ms);
		loop->turns++;
		/* delays count from this turn, and not from before a long wait */
		timers_set_now(&loop->timers, timers_now_ms(loop));
		if (count > 0)
			deliver(loop, count);
		run_tasks(loop);
		timers_advance(&loop->timers, timers_now_ms(loop));
	}
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

uint64_t loop_now_ns(const struct loop *loop)
{
	return loop->now_ns;
}

uint64_t loop_wall_ns(struct loop *loop)
{
	if (loop->wall_ns == 0)
		loop->wall_ns = clock_wall_ns();
	return loop->wall_ns;
}

struct timers *loop_timers(struct loop *loop)
{
	return &loop->timers;
}

uint64_t loop_turns(const struct loop *loop)
{
	return loop->turns;
}
