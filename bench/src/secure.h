/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.3 as a client of a proxy on loopback that is trusted whatever it shows. Blocking; what goes wrong ends the
 * program.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

/* For all connections of a program. */
SSL_CTX *secure_new(void);

/* A connection on that socket, its handshake over. name: what it asks for; session: what it resumes, or NULL. */
SSL *secure_connect(SSL_CTX *ctx, int fd, const char *name, SSL_SESSION *session);

/* The head of an answer of 200, or false; a small body comes with it. */
bool secure_ask(SSL *ssl, const char *request);

/* With a goodbye; the socket too. */
void secure_close(SSL *ssl);
