/* SPDX-License-Identifier: Apache-2.0 */
/* What a client says in its first message (RFC 8446, 4.1.2): by it the owner of a listener chooses the context. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum { TLS_SERVER_NAME_MAX = 253 };

struct tls_hello {
	/* Lower case, without the trailing dot, nothing but letters, digits, '-', '_' and '.'; empty: none was sent. */
	struct span server_name;
	struct span
		alpn; /* its list as it was sent: each name behind its length; empty: none was sent */
	struct span signatures; /* its signature algorithms as they were sent: two bytes each */
	bool takes_ecdsa;       /* it can check a signature of a P-256 certificate */
	bool takes_rsa;
	bool extends_secret; /* the extended master secret (RFC 7627) */
	/* private to tls*.c */
	char name[TLS_SERVER_NAME_MAX + 1];
};

/* A name as a client sent it, in the form of server_name; its length; 0: it is none (security spec, T3). */
size_t tls_hello_level_name(struct span sent, char level[static TLS_SERVER_NAME_MAX + 1]);

enum tls_hello_status { TLS_HELLO_OK, TLS_HELLO_BAD_NAME, TLS_HELLO_BAD };

/* private to tls*.c: within libssl's callback for the first message. */
enum tls_hello_status tls_hello_read(struct tls_hello *hello, SSL *ssl);
