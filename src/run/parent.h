/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of run share: the parent and its roles. */
#pragma once

#include "io/signals.h"
#include "run/listeners.h"
#include "run/role.h"
#include "run/run.h"

/*
 *   SERVING ---> DRAINING ---> ENDING ---> OVER
 *      |            |             ^
 *      +------------+-- at once --+
 *
 * SERVING   -> DRAINING   stop_begin     first signal: listeners closed, workers told to finish
 * DRAINING  -> ENDING     stop_on_gone   no worker is left: control is told to end
 * any       -> ENDING     stop_at_once   second signal, or a role that cannot start: all are killed
 * ENDING    -> OVER       stop_on_gone   no role is left, and the loop ends
 */
enum parent_state { PARENT_SERVING, PARENT_DRAINING, PARENT_ENDING, PARENT_OVER };

struct parent {
	const struct run_options *options;
	struct loop *loop;
	struct signals signals;
	struct random random;
	struct listeners listeners;
	int access_log_fd;        /* -1: off */
	uint32_t connections_max; /* of a worker */
	enum parent_state state;
	int exit_status;
	struct timer stop_timer;
	bool announced; /* that every worker serves */
	struct role control;
	struct role *workers; /* as many as options say */
};

/* The functions that start the two kinds of roles (command.c); role->owner is the parent. */
int command_spawn_control(struct role *role, int channel_fd, struct spawned *child,
			  struct error *err);
int command_spawn_proxy(struct role *role, int channel_fd, struct spawned *child,
			struct error *err);

/* The stop sequence (stop.c). */
void stop_init(struct parent *parent);
void stop_begin(struct parent *parent);
void stop_at_once(struct parent *parent, int exit_status);
void stop_on_gone(struct parent *parent);

/* SIGHUP (reread.c). */
void reread(struct parent *parent);
