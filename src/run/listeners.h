/* SPDX-License-Identifier: Apache-2.0 */
/* The listening sockets of all workers: each worker has its own for every address (SO_REUSEPORT), and run keeps them
 * all open, so that connections wait in the queue of a dead worker for its successor.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/ip.h"

struct listeners {
	int *fds; /* workers × addresses; NULL: none */
	uint32_t workers;
	uint32_t addresses;
};

/* Every address of this machine: 0.0.0.0, and :: where the kernel has IPv6. Returns how many. */
uint32_t listeners_everywhere(struct ip_port at[static 2], uint16_t port);

/* How many connections may wait in one queue: what is asked for, cut by the kernel to net.core.somaxconn. */
uint32_t listeners_queue_length(void);

/* 0, or -1 with a message that names the address; a port that another program has is refused although
 * SO_REUSEPORT would share it. */
int listeners_open(struct listeners *listeners, const struct ip_port *at, uint32_t count,
		   uint32_t workers, struct error *err);

/* The descriptors of one worker, as many as there are addresses. */
const int *listeners_of(const struct listeners *listeners, uint32_t worker);

/* Harmless when they are closed. */
void listeners_close(struct listeners *listeners);
