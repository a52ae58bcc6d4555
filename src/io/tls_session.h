/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions by which we resume as a client; private to tls*.c.
 *
 * One is known by its context and its peer, so that nothing that was settled under other settings, other authorities or
 * with another certificate of ours goes on, and the last one that a peer gave is kept. A resumed connection sees no
 * certificate: what a full handshake found out is believed for TLS_SESSION_TRUST_S, however often it was resumed
 * since. The process has TLS_SESSIONS_MAX of them at most, and the one used longest ago goes first.
 */
#pragma once

#include <openssl/ssl.h>

struct ip_port;
struct tls;
struct tls_context;

enum { TLS_SESSIONS_MAX = 1024, TLS_SESSION_TRUST_S = 600 };

/* Connections of this context, which is a client's, learn of sessions. */
void tls_sessions_attach(SSL_CTX *ssl_ctx);

/* A client whose handshake has not begun: a session of the peer's is offered, and those that it gives are kept. */
void tls_session_offer(struct tls *tls, const struct ip_port *peer);

/* The client's handshake is over: what the peer gives from now on is as good as this connection, and what it gave
 * before is judged. */
void tls_session_note_open(struct tls *tls);

/* What there is of the peer is not offered again: its handshake failed. */
void tls_session_forget(const struct tls *tls);

/* The context goes. */
void tls_sessions_drop(struct tls_context *context);
