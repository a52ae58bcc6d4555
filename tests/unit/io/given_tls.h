/* SPDX-License-Identifier: Apache-2.0 */
/* A server and a client of TLS on the two ends of one stream, in one loop. */
#pragma once

#include "given_certificates.h"
#include "given_loop.h"
#include "io/tls_context.h"
#include "io/tls_server.h"
#include "io/transport.h"

/* One end. */
struct given_side {
	struct transport transport;
	uint32_t calls; /* of on_ready */
};

struct given_tls {
	struct given_loop loop;
	struct tls_server *tls_server;
	struct tls_context *chosen; /* what the server chooses; NULL: it refuses */
	enum tls_alert alert;       /* and how */
	struct tls_hello hello;     /* what it was asked with; its spans are gone */
	char asked_name[256];
	uint32_t asked; /* how often */
	struct given_side server;
	struct given_side client;
	int client_fd; /* of a client that the test plays itself; else -1 */
};

/* Loop and server, no connection yet. lifetime_s and timeout_ms: as in tls_server_options. */
void given_tls_init(struct given_tls *given);

/* Closes what is open. */
void given_tls_fini(struct given_tls *given);

/* Contexts of these settings; they must be right. */
struct tls_context *given_server_context(const struct tls_settings *settings);
struct tls_context *given_client_context(const struct tls_settings *settings);

/* The server of a stream whose other end is client_fd. */
void given_tls_accept(struct given_tls *given);

/* Both ends. The contexts are borrowed: the connections hold them. */
void given_tls_connect(struct given_tls *given, struct tls_context *server,
		       struct tls_context *client);

/* Turns until the handshake of both is over or has failed. */
void given_tls_shake(struct given_tls *given);

/* connect, shake; both must be open. */
void given_tls_open(struct given_tls *given, struct tls_context *server,
		    struct tls_context *client);

/* Both ends, orderly; then another connection may be opened. */
void given_tls_close(struct given_tls *given);

/* Writes all, turning the loop where the stream is full. */
void given_tls_say(struct given_tls *given, struct given_side *side, const char *text);

/* Turns until that many bytes were read; they must be these. */
void given_tls_expect(struct given_tls *given, struct given_side *side, const char *text);

/* Reads once more until it is not AGAIN; returns that. */
ssize_t given_tls_read_end(struct given_tls *given, struct given_side *side);

struct transport_tls given_facts(const struct given_side *side);

/* One certificate for "shop.example", P-256, and the authority that signed it. */
struct given_issuer *given_shop_authority(void);
struct tls_identity given_shop(void);

/* Over TLS with that certificate; NULL settings: defaults. Made anew, for the caller to drop. */
struct tls_context *given_shop_context(void);

/* A client that verifies nothing and asks for shop.example. */
struct tls_context *given_plain_client(void);

/*
 * A client that the test plays itself, with libssl alone: for what our own never does
 */

struct given_raw {
	SSL_CTX *ssl_ctx; /* may be set up further before given_raw_shake */
	SSL *ssl;
	int error;            /* reason of libssl for which it failed; 0: it did not */
	SSL_SESSION *session; /* the last one that the server gave; NULL: none */
};

/* given_tls_accept was called. Asks for shop.example. session: to be resumed; NULL: none; borrowed. */
void given_raw_init(struct given_raw *raw, const struct given_tls *given, SSL_SESSION *session);
void given_raw_fini(struct given_raw *raw);

/* What may resume this one, for the caller to free; NULL: nothing. */
SSL_SESSION *given_raw_session(struct given_raw *raw);

/* Until its handshake is over (true) or has failed (false), and the server knows. */
bool given_raw_shake(struct given_raw *raw, struct given_tls *given);

/* Writes all. */
void given_raw_say(struct given_raw *raw, struct given_tls *given, const char *text);

/* Reads exactly this. */
void given_raw_expect(struct given_raw *raw, struct given_tls *given, const char *text);

/* Reads until something comes that is no data; its reason is in raw->error. Returns SSL_get_error's word. */
int given_raw_read_end(struct given_raw *raw, struct given_tls *given);
