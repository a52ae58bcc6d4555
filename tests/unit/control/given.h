/* SPDX-License-Identifier: Apache-2.0 */
/* Small tables, workers that are the other end of a channel, a directory, and a loop that runs until something
 * is true: for tests of control/.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "control/publish.h"
#include "io/loop.h"
#include "ipc/channel.h"

/* One rule of an Ingress in namespace "shop". */
struct given_rule {
	const char *host; /* "": every other host */
	const char *path;
	const char *ingress;
	const char *service;
	uint32_t row;
};

/* Segments of these rules; each leads to upstream 0, which has that many endpoints. *out is empty. */
void given_routes(struct buf *out, uint64_t generation, const struct given_rule *rules,
		  size_t count);
void given_endpoints(struct buf *out, uint64_t generation, uint32_t endpoints);

/* The same for tests that do not care what is in it: `what` makes contents differ. */
void given_segment(struct buf *out, enum table_kind kind, uint64_t generation, uint32_t what);

/* Runs the loop until is_true says so; fails after five seconds. */
void run_until(struct loop *loop, bool (*is_true)(void *what), void *what);

/* Runs the loop once round: all that is ready now was handled. */
void run_once(struct loop *loop);

/* The other end of a channel, spoken to without a loop. */
struct fake_worker {
	int fd;
};

/* Connects worker number `index` of the publisher. */
struct fake_worker given_worker(struct publisher *publisher, uint32_t index);
void fake_worker_end(struct fake_worker *worker);

struct received {
	bool has_message;
	struct message message;
	int fd; /* -1: none; the caller closes it */
};

/* What waits to be read, if anything does. */
struct received fake_worker_receive(struct fake_worker *worker);

/* Reads all that waits and closes the descriptors. */
void fake_worker_drain(struct fake_worker *worker);

void fake_worker_ack(struct fake_worker *worker, enum table_kind kind, uint64_t generation,
		     enum ack_code code);

/* Whether the other end is closed. */
bool fake_worker_is_expelled(struct fake_worker *worker);

/* How many descriptors this process has open. */
unsigned count_descriptors(void);

/* An empty directory; gone with all that is in it at the end. */
struct given_directory {
	char path[64];
};

void given_directory(struct given_directory *directory);
void given_directory_end(struct given_directory *directory);
