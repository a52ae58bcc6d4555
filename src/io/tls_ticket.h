/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets by which a client resumes (RFC 5077, RFC 8446, 4.6.1): sealed with keys that all workers share, so that none
 * of them keeps a session. Private to tls*.c.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "io/tls_server.h"

struct tls_tickets {
	EVP_CIPHER *cipher; /* looked up once: libcrypto takes its time for that */
	uint32_t count;
	struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX];
};

void tls_tickets_init(struct tls_tickets *tickets);

/* Wipes the keys. */
void tls_tickets_fini(struct tls_tickets *tickets);

void tls_tickets_set_keys(struct tls_tickets *tickets, const struct tls_ticket_key *keys,
			  uint32_t count);

/* All connections that begin with this context, which is a server's, use the tickets of that server. */
void tls_tickets_attach(SSL_CTX *base);
