/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as they are from one connection to another, in one direction, with back-pressure: nothing is read while
 * something is unsent. They pass through a block of memory, and once they are many through a pipe, where the kernel
 * can do that; both are held only while they hold something.
 */
#pragma once

#include "io/iobuf.h"
#include "io/pipe_pool.h"
#include "io/transport.h"

struct way {
	struct transport *from; /* kept while the way is used, as the other three */
	struct transport *to;
	struct iobuf_pool *blocks;
	struct pipe_pool *pipes;
	struct iobuf *block; /* private to way.c */
	struct pipe *pipe;   /* private */
	uint64_t received;   /* bytes taken */
	uint64_t sent;       /* and passed on */
	bool has_ended;      /* WAY_ENDED or WAY_BROKEN */
};

enum way_status {
	WAY_WAIT,      /* for an edge of one side */
	WAY_TURN_OVER, /* it has had its share of this turn: to be called again in the next */
	WAY_ENDED, /* all that came is sent, and so is its end; or nobody takes any more, and nothing is read */
	WAY_BROKEN, /* the source broke off: what is missing nobody knows */
	WAY_NO_MEMORY,
	WAY_MOVED, /* private to way.c */
};

void way_init(struct way *way, struct transport *from, struct transport *to,
	      struct iobuf_pool *blocks, struct pipe_pool *pipes);

/* Gives back what it holds. */
void way_fini(struct way *way);

/* Moves what can be moved. */
enum way_status way_pump(struct way *way);
