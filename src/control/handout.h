/* SPDX-License-Identifier: Apache-2.0 */
/* control.sock in the state directory: hands the present tables to `ingot table`.
 *
 * A seqpacket Unix socket that only its owner may open (mode 0600). Whoever connects gets one
 * MESSAGE_SEGMENT with a descriptor for each present table, all shards in one bundle, then the end; nothing is
 * read. The bundles are sealed, so that nobody can change what the workers read.
 */
#pragma once

#include "base/error.h"
#include "control/publish.h"
#include "io/loop.h"

#define HANDOUT_NAME "control.sock"

struct handout;

/* Replaces a socket that a predecessor left. publisher is kept until handout_stop. NULL with the reason. */
struct handout *handout_start(struct loop *loop, const char *directory, struct publisher *publisher,
			      struct error *err);
void handout_stop(struct handout *handout);

/* A connection to the handout of a directory, close-on-exec and non-blocking. -1 with the reason. */
int handout_connect(const char *directory, struct error *err);
