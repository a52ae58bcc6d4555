/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of bytes to a peer: plain TCP now, TLS on top of it later; whoever uses it does not know.
 *
 * It remembers what the edges of the loop said, so that nobody asks the kernel for what it has just denied.
 * Reads and writes are tried at once; waiting begins only after the kernel said EAGAIN.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "io/loop.h"

struct transport {
	struct loop_source source;
	bool can_read;  /* there may be bytes, or the end, that were not read */
	bool can_write; /* the kernel did not refuse the last write */
	bool peer_done; /* the peer will send no more: its end was announced or read */
};

/* What read and write return besides a number of bytes. */
enum { TRANSPORT_AGAIN = -1, TRANSPORT_BROKEN = -2 };

/* Takes a connected (or connecting) socket into the loop. 0, or -1 and the descriptor is still the caller's. */
int transport_open(struct transport *transport, struct loop *loop, int fd,
		   void (*on_ready)(struct loop_source *source, uint32_t events));

void transport_close(struct transport *transport, struct loop *loop);

static inline bool transport_is_open(const struct transport *transport)
{
	return transport->source.fd != -1;
}

/* First thing in on_ready. */
void transport_note(struct transport *transport, uint32_t events);

/* At least one byte; 0: the peer's orderly end; TRANSPORT_AGAIN; TRANSPORT_BROKEN with errno. */
ssize_t transport_read(struct transport *transport, char *bytes, size_t size);

/* At least one byte of the pieces; TRANSPORT_AGAIN; TRANSPORT_BROKEN with errno. */
ssize_t transport_write(struct transport *transport, const struct iovec *pieces, int count);

/* The same from and to a pipe, without a copy; pipe->filled follows. splice_from takes at most max bytes. */
struct pipe;
ssize_t transport_splice_from(struct transport *transport, struct pipe *pipe, size_t max);
ssize_t transport_splice_to(struct transport *transport, struct pipe *pipe);

/* Ends our side of the stream; the peer's goes on. */
void transport_finish(struct transport *transport);

/* Whether bytes or an end arrived that nobody asked for: a look at the kernel. For idle connections. */
bool transport_has_news(const struct transport *transport);
