/* SPDX-License-Identifier: Apache-2.0 */
/* A body on its way from one side to the other, with back-pressure: it is read from one side only when the
 * other has taken what was read before. What is left of a large body of known length, once the buffer is empty,
 * passes through a pipe and is not copied; where TLS is on either side, through a block of memory, in larger pieces.
 */
#pragma once

#include "base/arena.h"
#include "io/pipe_pool.h"
#include "proxy/body_reader.h"
#include "proxy/message_sender.h"

enum relay_status {
	RELAY_DONE,      /* the whole message has been sent */
	RELAY_WAIT,      /* for an edge of one side: relay_waits_for_… says which */
	RELAY_TURN_OVER, /* it has had its share of this turn: to be called again in the next */
	RELAY_CUT,       /* the reading side ended too early */
	RELAY_BAD,       /* the reading side broke its framing: reader->fault */
	RELAY_BROKEN,    /* the sending side is gone */
	RELAY_TOO_LARGE, /* the body is longer than allowed */
	RELAY_NO_MEMORY, /* the head cannot be kept for a slow sending side; no side's fault */
};

struct relay {
	struct body_reader reader;
	struct message_sender sender;
	uint64_t body_limit;     /* bytes; UINT64_MAX: none */
	struct pipe_pool *pipes; /* where a large body takes its pipe from; NULL: it is copied */
	struct iobuf_pool *
		blocks; /* where it takes a block from; NULL: it passes through the reader's buffer */
	struct pipe *pipe;   /* private to relay.c: it passes through this */
	struct iobuf *block; /* private to relay.c: or this */
	bool waiting;        /* the last pump ended with RELAY_WAIT */
};

/* Gives pipe or block back. The relay may be used for another body. */
void relay_fini(struct relay *relay);

/* Bytes of a stream have come. Those before them may move, and the sender is told. False: there is no memory. */
bool relay_feed(struct relay *relay, struct iobuf_pool *pool, struct span bytes);

/* Moves what can be moved. reader and sender are initialised. arena: as message_sender_flush, and for
 * trailers. */
enum relay_status relay_pump(struct relay *relay, struct arena *arena);

/* Bytes that were read and not sent, in pipe or block. */
static inline bool relay_holds(const struct relay *relay)
{
	return (relay->pipe != NULL && relay->pipe->filled > 0) ||
	       (relay->block != NULL && relay->block->start != relay->block->end);
}

static inline bool relay_is_pending(const struct relay *relay)
{
	return message_sender_is_pending(&relay->sender) || relay_holds(relay);
}

/* Whether it waits because the sending side is full, or because the reading side is empty. */
static inline bool relay_waits_for_sink(const struct relay *relay)
{
	return relay->waiting && relay_is_pending(relay);
}

static inline bool relay_waits_for_source(const struct relay *relay)
{
	return relay->waiting && !relay_is_pending(relay);
}
