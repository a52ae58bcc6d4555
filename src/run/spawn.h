/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a program that was opened before, so that an upgrade on disk never mixes versions, with exactly
 * the descriptors it is to have: 0 and 1 are /dev/null, 2 is ours, then those of the list from 3 on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum { SPAWN_FIRST_FD = 3 };

/* How much of our environment the program gets. */
enum spawn_environment {
	SPAWN_ENVIRONMENT_WHOLE,
	/* Only what its libraries need to be found and to resolve names: the environment of a pod is full of
	 * addresses and often of secrets. */
	SPAWN_ENVIRONMENT_BARE,
};

/* All borrowed for the call. */
struct spawn {
	int program_fd;
	const char *const *argv; /* ends with NULL */
	enum spawn_environment environment;
	const int *fds;
	uint32_t fd_count;
};

struct spawned {
	pid_t pid;
	int pidfd; /* readable when it has ended; the caller closes it */
};

/* Opens /dev/null where whoever started us had closed 0, 1 or 2, so that nothing of ours gets these numbers. First of
 * all, before anything is opened. 0 or -1. */
int spawn_hold_standard(struct error *err);

/* Returns once the program runs. It starts with SIGINT, SIGTERM and SIGHUP blocked, since a terminal
 * sends them to all; what we ignore, as SIGPIPE, it ignores too. 0, or -1 where it could not be started. */
int spawn(const struct spawn *what, struct spawned *child, struct error *err);
