/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, keys and revocation lists as bytes in memory, made into what libssl wants. No file is ever
 * opened, no passphrase asked for.
 */
#pragma once

#include <openssl/ssl.h>

#include "base/error.h"
#include "base/span.h"

/* A certificate with its key. Both are PEM (anything between the blocks is skipped) or DER. */
struct tls_identity {
	struct span chain; /* the certificate itself first, then those that lead to the root */
	struct span key;
};

/* Makes it one of the context's identities: at most one of each kind of key. Borrows the bytes. 0, or -1: what is
 * wrong with them. */
int tls_certificates_use(SSL_CTX *ssl_ctx, const struct tls_identity *identity, struct error *err);

/* The authorities that the peer's certificate must come from; also the names that a client is told. 0 or -1. */
int tls_certificates_trust(SSL_CTX *ssl_ctx, struct span authorities, struct error *err);

/* Revocation lists, one for each authority of a chain; without its list a certificate is not valid. 0 or -1. */
int tls_certificates_revoke(SSL_CTX *ssl_ctx, struct span lists, struct error *err);

/* Appends what libssl says to a text, ": reason", and empties its queue. Returns -1. */
int tls_certificates_error(struct error *err, const char *what);
