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
