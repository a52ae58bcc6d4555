/* SPDX-License-Identifier: Apache-2.0 */
/* A process that run keeps alive: started, watched, started again when it ends. What it is for is its
 * owner's business, who says how it is started and is told how it fares.
 */
#pragma once

#include "io/loop.h"
#include "ipc/channel.h"
#include "run/restart.h"
#include "run/spawn.h"

/*
 *   DOWN ------> STARTING -----> READY
 *    |  ^           |  |          |  |
 *    |  +-----------+--|----------+  |      it ended, and a timer runs or has no need to
 *    |                 v             |
 *    |               ENDING <--------+      it is not to be started again
 *    v                 v
 *   OVER <-------------+
 *
 * DOWN      -> STARTING   role_start    a process runs, its channel is open
 * STARTING  -> READY      on_message    it said so
 * any       -> DOWN       on_process    the process is gone and waited for
 * running   -> ENDING     role_retire
 * DOWN      -> OVER       role_retire
 * ENDING    -> OVER       on_process
 */
enum role_state { ROLE_DOWN, ROLE_STARTING, ROLE_READY, ROLE_ENDING, ROLE_OVER, ROLE_STATE_COUNT };

/* How a process ended. */
struct role_end {
	bool killed;
	int number; /* exit status, or signal */
	bool was_ready;
};

struct role {
	/* set by the owner before role_init */
	char name[24];   /* for the log: "control", "proxy-0" */
	uint32_t worker; /* index */
	void *owner;
	/* Starts the program with channel_fd, which is borrowed. */
	int (*on_spawn)(struct role *role, int channel_fd, struct spawned *child,
			struct error *err);
	void (*on_started)(struct role *role);
	void (*on_ready)(struct role *role);
	/* It said something other than that it is ready; false: it may not. NULL: it may say nothing else. */
	bool (*on_said)(struct role *role, const struct message *message);
	/* The process is gone; the role is DOWN or OVER. May retire it. */
	void (*on_gone)(struct role *role, const struct role_end *end);

	enum role_state state;
	pid_t pid;              /* while it runs */
	struct channel channel; /* open while it runs */
	struct restart restart;
	struct loop *loop; /* private to role.c, likewise below */
	struct random *random;
	struct loop_source process; /* the pid descriptor */
	struct timer restart_timer;
	struct timer kill_timer;
};

void role_init(struct role *role, struct loop *loop, struct random *random);

/* The first start; later ones are the role's own. 0 or -1. */
int role_start(struct role *role, struct error *err);

bool role_is_running(const struct role *role);

/* Not to be started again from now on. A process that runs goes on until it ends. */
void role_retire(struct role *role);

/* Sends a message; nothing where it does not run. fd as of channel_send. */
void role_send(struct role *role, const struct message *message, int fd);

/* SIGKILL; on_gone follows. Harmless where it does not run. */
void role_kill(struct role *role);
