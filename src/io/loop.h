/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of a process: descriptors, timers, and what is to be done at the end of a turn.
 *
 * One epoll instance, edge-triggered; a descriptor is registered once, for reading and writing, and
 * stays so until it is closed. Whoever gets an edge reads or writes until the kernel says EAGAIN (or gives less
 * than was asked for), or remembers that it has not. The loop is the only thing that waits.
 *
 * A turn: wait, mark every ready source, then call them one after the other, then the tasks, then expired
 * timers. Since all are marked before the first is called, a source can ask whether another one
 * has news that were not looked at yet (loop_source.ready).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "io/timer.h"

struct loop;

/* A descriptor in the loop; a field of the struct that owns it. */
struct loop_source {
	/* events: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR. May close any source, its own too. */
	void (*on_ready)(struct loop_source *source, uint32_t events);
	int fd;         /* -1: not open */
	uint16_t ready; /* events of this turn that were not delivered yet */
	uint16_t place; /* private to loop.c */
};

/* Something to be done once at the end of the turn. A field of its owner. */
struct loop_task {
	struct list link;
	void (*on_turn_end)(struct loop_task *task);
};

struct loop *loop_new(struct error *err);

/* Sources and timers must be gone. */
void loop_free(struct loop *loop);

/* Registers fd, which is non-blocking. source is kept until loop_close or loop_forget. 0, or -1 where the kernel
 * has no more room (errno). Readiness that is there already is reported as an edge. */
int loop_add(struct loop *loop, struct loop_source *source, int fd,
	     void (*on_ready)(struct loop_source *source, uint32_t events));

/* The same, level-triggered and for reading only: for descriptors of libraries and of accept queues that are to be
 * shared out over turns. */
int loop_add_level(struct loop *loop, struct loop_source *source, int fd,
		   void (*on_ready)(struct loop_source *source, uint32_t events));

/* Closes the descriptor, which ends its registration; harmless when it is not open. */
void loop_close(struct loop *loop, struct loop_source *source);

/* Ends the registration and gives the descriptor back, open. */
int loop_forget(struct loop *loop, struct loop_source *source);

void loop_task_init(struct loop_task *task, void (*on_turn_end)(struct loop_task *task));

/* At the end of this turn; once, however often it is asked for. */
void loop_defer(struct loop *loop, struct loop_task *task);

static inline bool loop_task_is_queued(const struct loop_task *task)
{
	return !list_is_empty(&task->link);
}

/* Not run, if it was asked for. */
void loop_task_cancel(struct loop_task *task);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);

/* Returns from loop_run at the end of this turn. */
void loop_stop(struct loop *loop);

/* The monotonic clock as of the beginning of this turn. */
uint64_t loop_now_ns(const struct loop *loop);

/* The wall clock, read at most once a turn. */
uint64_t loop_wall_ns(struct loop *loop);

struct timers *loop_timers(struct loop *loop);

uint64_t loop_turns(const struct loop *loop);
