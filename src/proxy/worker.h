/* SPDX-License-Identifier: Apache-2.0 */
/* A proxy worker: one single-threaded process that carries requests. It holds its sockets, a read-only
 * table and its rows of the live figures; no file, no credentials, no way to start a program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum access_log_format { ACCESS_LOG_NGINX, ACCESS_LOG_JSON };

enum { WORKER_LISTENERS_MAX = 16 };

/* What run passes; all descriptors are inherited and belong to the worker. */
struct worker_options {
	uint32_t index;
	int channel_fd;     /* to run */
	int stats_fd;       /* live figures */
	int access_log_fd;  /* -1: none */
	enum access_log_format access_log_format;
	uint32_t connections_max; /* client connections at one time */
	uint32_t listener_count;
	int listeners[WORKER_LISTENERS_MAX]; /* plain HTTP */
};

/* Serves until told to stop over the channel; returns the exit status. Segments come from control, whose
 * channel run sends (MESSAGE_PEER). Without a table the listeners wait in their queues. */
int worker_run(const struct worker_options *options);
