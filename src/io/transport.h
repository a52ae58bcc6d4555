/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of bytes to a peer: TCP, or TLS on top of it; whoever uses it does not know.
 *
 * It remembers what the edges of the loop said, so that nobody asks the kernel for what it has just denied.
 * Reads and writes are tried at once; waiting begins only after the kernel said EAGAIN.
 *
 * The handshake of TLS is a matter of transport_note. Until it is over, nothing can be read or written; when it has
 * failed, reading and writing are BROKEN, and transport_failure says why.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/span.h"
#include "io/loop.h"
#include "io/tls_context.h"

struct ip_port;
struct tls;
struct tls_context;
struct tls_server;

struct transport {
	struct loop_source source;
	struct tls *tls; /* private to transport.c; NULL: plain */
	bool can_read;   /* there may be bytes, or the end, that were not read */
	bool can_write;  /* the last write was not refused */
	bool peer_done;  /* the peer will send no more: its end was announced or read */
};

/* What read and write return besides a number of bytes. */
enum { TRANSPORT_AGAIN = -1, TRANSPORT_BROKEN = -2 };

/* Takes a connected (or connecting) socket into the loop. 0, or -1 and the descriptor is still the caller's. */
int transport_open(struct transport *transport, struct loop *loop, int fd,
		   void (*on_ready)(struct loop_source *source, uint32_t events));

/* The same over TLS: as a server, or as a client to whom the context says what to ask for. Both are kept until the
 * transport is closed. on_ready is also called with no events: when the handshake goes on, or fails by time. */
int transport_open_server_tls(struct transport *transport, struct loop *loop, int fd,
			      void (*on_ready)(struct loop_source *source, uint32_t events),
			      struct tls_server *server);
int transport_open_client_tls(struct transport *transport, struct loop *loop, int fd,
			      void (*on_ready)(struct loop_source *source, uint32_t events),
			      struct tls_context *context);

/* Right after transport_open_client_tls: what the context last settled with that peer goes on, where the peer agrees,
 * and what is settled now is kept for the next connection to it (io/tls_session.h). Without it handshakes are full. */
void transport_resume(struct transport *transport, const struct ip_port *peer);

/* Goes on as a server of TLS, behind plain bytes that were read already. The caller calls transport_note
 * next, with no events. 0, or -1 without memory: the transport is good for nothing but to be closed. */
int transport_start_server_tls(struct transport *transport, struct loop *loop,
			       struct tls_server *server);

/* Over TLS the peer is told that the stream ends here, so that what it has is whole. */
void transport_close(struct transport *transport, struct loop *loop);

/* By a reset: the peer sees that something is missing. */
void transport_reset(struct transport *transport, struct loop *loop);

static inline bool transport_is_open(const struct transport *transport)
{
	return transport->source.fd != -1;
}

/* First thing in on_ready. */
void transport_note(struct transport *transport, uint32_t events);

/* At least one byte; 0: the peer's orderly end; TRANSPORT_AGAIN; TRANSPORT_BROKEN with errno. A stream of TLS that
 * ends without the peer saying so is BROKEN, for anybody could have cut it: transport_is_cut. Writing goes on. */
ssize_t transport_read(struct transport *transport, char *bytes, size_t size);

/* Looks at what has come without taking it: as many bytes as there are, up to size, from the first that was not taken;
 * else as transport_read. Of plain ones alone. More is there at the next edge, and not before. */
ssize_t transport_peek(struct transport *transport, char *bytes, size_t size);

/* Takes bytes that were looked at. False: the connection broke meanwhile. TCP alone. */
bool transport_skip(struct transport *transport, size_t count);

/* At least one byte of the pieces; TRANSPORT_AGAIN: none of them; TRANSPORT_BROKEN with errno. Who has written a part
 * begins the next write with the rest, unchanged: over TLS it may be encrypted already. All of it counts
 * as written once the kernel has all of it. */
ssize_t transport_write(struct transport *transport, const struct iovec *pieces, int count);

static inline bool transport_is_tls(const struct transport *transport)
{
	return transport->tls != NULL;
}

/* Whether bytes may pass from and to a pipe. */
static inline bool transport_can_splice(const struct transport *transport)
{
	return transport->tls == NULL;
}

/* The same from and to a pipe, without a copy; pipe->filled follows. splice_from takes at most max bytes. */
struct pipe;
ssize_t transport_splice_from(struct transport *transport, struct pipe *pipe, size_t max);
ssize_t transport_splice_to(struct transport *transport, struct pipe *pipe);

/* Ends our side of the stream; the peer's goes on. */
void transport_finish(struct transport *transport);

/* Whether bytes or an end arrived that nobody asked for: a look at the kernel. For idle connections. What TLS has to
 * say to itself is no news. In a handshake news is what has come and was not looked at yet: a peer that leaves us
 * waiting for the next step has none. */
bool transport_has_news(struct transport *transport);

/*
 * Of TLS
 */

/* The first bytes of a handshake have come, and its end has not: a request may follow. */
bool transport_has_begun(const struct transport *transport);

/* The peer's stream ended without its saying so. */
bool transport_is_cut(const struct transport *transport);

/* Why TLS failed, a literal from a closed list; NULL: it did not. */
const char *transport_failure(const struct transport *transport);

/* It failed because the peer's certificate is not one that the context accepts. */
bool transport_is_distrusted(const struct transport *transport);

/* What was settled. */
struct transport_tls {
	const char *version; /* "TLSv1.3" */
	const char *cipher;  /* as libssl names it */
	enum tls_alpn alpn;
	bool resumed;
	struct span
		server_name; /* that the client asked for, as in tls_hello; valid until the end */
	struct tls_context *context; /* that was chosen; held until the end */
};

/* False: it is plain, or the handshake is not over. */
bool transport_tls(const struct transport *transport, struct transport_tls *facts);
