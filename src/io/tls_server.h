/* SPDX-License-Identifier: Apache-2.0 */
/* The side of TLS that a listener needs: who chooses the context of a connection, which keys seal tickets, and whose
 * turn it is.
 *
 * A handshake costs as much as thirty requests. So that a flood of them does not starve what is open already, a
 * few go on in each turn of the loop and the others wait in line, and who waited too long is refused (security
 * spec, T2).
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "io/loop.h"
#include "io/tls_context.h"
#include "io/tls_hello.h"

struct tls;
struct tls_server;
struct tls_tickets;

/* Alerts with which a server may refuse a client (RFC 8446, 6). */
enum tls_alert {
	TLS_ALERT_HANDSHAKE_FAILURE = 40,
	TLS_ALERT_ACCESS_DENIED = 49,
	TLS_ALERT_INTERNAL_ERROR = 80,
	TLS_ALERT_UNRECOGNIZED_NAME = 112,
};

enum {
	TLS_TICKET_KEYS_MAX = 4,
	TLS_TICKET_NAME_SIZE = 16,
	TLS_TICKET_KEY_SIZE = 32,
	TLS_HANDSHAKE_TIMEOUT_MS = 10 * 1000,
	TLS_TICKET_LIFETIME_S = 600,
	TLS_TICKET_LIFETIME_MAX_S = 7 * 24 * 3600,
};

struct tls_ticket_key {
	uint8_t name[TLS_TICKET_NAME_SIZE]; /* travels with the ticket, in clear */
	uint8_t cipher[TLS_TICKET_KEY_SIZE];
	uint8_t mac[TLS_TICKET_KEY_SIZE];
};

struct tls_server_options {
	struct loop *loop; /* kept */
	/* The context for a client, borrowed: the connection holds it. NULL: the client is refused with *alert, which
	 * is TLS_ALERT_INTERNAL_ERROR unless it is set. It may not touch any connection. */
	struct tls_context *(*choose)(void *owner, const struct tls_hello *hello,
				      enum tls_alert *alert);
	void *owner;
	uint32_t handshake_timeout_ms; /* 0: TLS_HANDSHAKE_TIMEOUT_MS */
	uint32_t ticket_lifetime_s;    /* 0: TLS_TICKET_LIFETIME_S */
};

/* NULL: err says why. */
struct tls_server *tls_server_new(const struct tls_server_options *options, struct error *err);

/* No connection of it is open any more. */
void tls_server_free(struct tls_server *server);

/* The first key seals, all of them open. Copied; the old ones are wiped. Without keys no ticket is given. At most
 * TLS_TICKET_KEYS_MAX. */
void tls_server_set_ticket_keys(struct tls_server *server, const struct tls_ticket_key *keys,
				uint32_t count);

/* For connections that are opened from now on: shorter under pressure (security spec, 7.1). */
void tls_server_set_handshake_timeout(struct tls_server *server, uint32_t timeout_ms);

/* For sessions that begin from now on. 0: TLS_TICKET_LIFETIME_S; a week at most. */
void tls_server_set_ticket_lifetime(struct tls_server *server, uint32_t lifetime_s);

/* private to tls*.c */
SSL_CTX *tls_server_base(struct tls_server *server);
const struct tls_tickets *tls_server_tickets(const struct tls_server *server);
uint32_t tls_server_handshake_timeout_ms(const struct tls_server *server);

/* private to tls*.c: bytes have come for a handshake; tls_take_turn or tls_refuse_turn follows. Harmless for who is in
 * line already. */
void tls_server_queue(struct tls_server *server, struct tls *tls);
