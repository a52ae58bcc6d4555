/* SPDX-License-Identifier: Apache-2.0 */
/* A listening socket of this worker. Accepts in small batches, so that a flood of new connections does not
 * starve the old ones (security spec, 7.4).
 */
#pragma once

#include "io/loop.h"

struct worker;

enum listener_kind { LISTENER_PLAIN, LISTENER_TLS };

struct listener {
	struct loop_source source;
	struct worker *worker;
	int fd;             /* open until listener_drain; in the loop or pausing */
	int spare_fd;       /* given up for a moment when descriptors run out */
	struct timer pause; /* runs while nothing is accepted for want of descriptors */
	uint16_t port;
	enum listener_kind kind;
};

/* Takes fd; accepting begins with listener_start. 0 or -1. */
int listener_init(struct listener *listener, struct worker *worker, int fd, enum listener_kind kind,
		  struct error *err);

int listener_start(struct listener *listener, struct error *err);

/* Closes it; what waits in the queue is served by whoever has the socket too. */
void listener_stop(struct listener *listener);

/* Takes what waits in the queue, then closes it. */
void listener_drain(struct listener *listener);
