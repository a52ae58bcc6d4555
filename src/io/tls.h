/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS connection below a transport: only transport.c calls this.
 *
 * libssl reads from the socket and writes into one buffer that all connections of the process share; it is sent at
 * the end of each call, so that several records, or a whole flight of a handshake, leave at once. What the
 * kernel does not take is kept in memory of the connection until it does. Otherwise an idle connection owns nothing
 * but what libssl needs.
 *
 *   HANDSHAKING ----> OPEN ----> ENDED
 *        |              |
 *        +---> FAILED <-+
 *
 * HANDSHAKING -> OPEN     tls_note, tls_take_turn   both sides are who they say
 * OPEN        -> ENDED    tls_read                  the peer said that it sends no more
 * any         -> FAILED   fail                      the word is in `failure`; what is read from now on is BROKEN
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/ip.h"
#include "base/span.h"
#include "io/loop.h"

struct tls_context;
struct tls_server;
struct tls_unsent;
struct transport;
struct transport_tls;

enum tls_state { TLS_HANDSHAKING, TLS_OPEN, TLS_ENDED, TLS_FAILED };

/* All of it is private to tls*.c. */
struct tls {
	struct transport *transport; /* around this connection */
	struct loop *loop;
	SSL *ssl;
	struct tls_server *server;   /* NULL: we are the client */
	struct tls_context *context; /* held; a server's: NULL until it is chosen */
	struct tls_unsent *unsent;   /* ciphertext that the kernel did not take; mostly NULL */
	char *server_name;           /* what the client asked for, levelled; NULL: nothing */
	const char *failure;         /* a literal; NULL: none */
	struct timer timer;          /* how long a server's handshake may take */
	struct list link;            /* in its server's queue, while it waits for its turn */
	struct loop_task rest; /* it has used up its share of a call: more at the end of the turn */
	uint64_t queued_ns;    /* since when */
	uint64_t trusted_ns;   /* a client: when its peer was found good by a full handshake */
	struct ip_port peer;   /* a client: of whom sessions are kept; port 0: they are not */
	uint64_t updates_since_ns; /* when the first of updates came */
	uint32_t updates;          /* of the peer's keys, in about a second */
	uint32_t owed;        /* plaintext that was encrypted and not reported as written yet */
	uint32_t gone;        /* ciphertext that the kernel took since the last report */
	uint32_t hello_bytes; /* received before the context was chosen */
	int verdict;          /* X509_V_…: the first fault of the peer's certificates */
	int reason;           /* errno of a failure of the socket */
	enum tls_state state;
	bool can_receive; /* the kernel may have bytes */
	bool has_started; /* a client: the socket is connected */
	bool has_turn;    /* a server: its handshake may go on now */
	bool holds_bytes; /* libssl may have some that nobody read */
	bool has_opened;  /* the handshake was over once */
	bool is_cut;      /* the stream ended without a goodbye; writing goes on */
	bool finishing;   /* our end is to follow what is unsent */
	bool send_failed; /* nothing more can be sent; what the peer sent before can still be read */
	bool owes_ticket;    /* goes out with the first answer */
	bool extends_secret; /* the client spoke of it in its first message */
};

/* The transport is open, its socket in the loop. NULL: no memory. server and context are kept; a context is held. */
struct tls *tls_new_server(struct transport *transport, struct loop *loop,
			   struct tls_server *server);
struct tls *tls_new_client(struct transport *transport, struct loop *loop,
			   struct tls_context *context);

/* See transport_resume. */
void tls_resume(struct tls *tls, const struct ip_port *peer);

/* Says goodbye where that is still possible. The socket is the caller's. */
void tls_free(struct tls *tls);

/* Without a goodbye: the peer is to see that the stream is not whole. */
void tls_abandon(struct tls *tls);

/* These do for the transport what the functions of the same name in transport.h promise. */
void tls_note(struct tls *tls, uint32_t events);
ssize_t tls_read(struct tls *tls, char *bytes, size_t size);
ssize_t tls_write(struct tls *tls, const struct iovec *pieces, int count);
bool tls_finish(
	struct tls *tls); /* false: what is unsent goes first, and tls_note ends the stream */
bool tls_has_news(struct tls *tls);
bool tls_has_begun(const struct tls *tls);
const char *tls_failure(const struct tls *tls);
bool tls_is_distrusted(const struct tls *tls);
bool tls_facts(const struct tls *tls, struct transport_tls *facts);

/* private to tls*.c: its turn has come to go on with the handshake; tells the transport's owner. */
void tls_take_turn(struct tls *tls);

/* private to tls*.c: it waited too long for its turn. */
void tls_refuse_turn(struct tls *tls);

/* private to tls*.c: libssl's callback for each certificate of the peer. */
int tls_on_verified(int is_valid, X509_STORE_CTX *store);

/* private to tls*.c: the connection that libssl calls back for. */
struct tls *tls_of(const SSL *ssl);

/* private to tls*.c: the server has chosen for this name. False: no memory. */
bool tls_set_server_name(struct tls *tls, struct span name);
