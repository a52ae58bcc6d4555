/* SPDX-License-Identifier: Apache-2.0 */
/* What a TLS connection is to be like: identities, versions, ciphers, who must show a certificate. One context
 * serves any number of connections, each of which holds it, so that its owner may let go of it at
 * any time.
 *
 * Whatever the settings say, there is no renegotiation, no compression and no early data, and with TLS 1.2 a
 * ticket only for who uses the extended master secret (security spec, T1, T8).
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "base/span.h"
#include "io/tls_certificates.h"

enum tls_version { TLS_VERSION_ANY, TLS_VERSION_1_2, TLS_VERSION_1_3 };

/* Protocols that ALPN may settle on. A set of them is BIT(…) of each. */
enum tls_alpn {
	TLS_ALPN_NONE, /* the client did not ask, or the server did not answer */
	TLS_ALPN_HTTP1,
	TLS_ALPN_H2,
	TLS_ALPN_COUNT,
};

enum tls_verify {
	TLS_VERIFY_OFF,
	/* A client is asked for a certificate, and the handshake goes on whatever it shows: what was shown is a
	 * fact of the connection (io/tls_peer.h), for who answers the request to judge. */
	TLS_VERIFY_OPTIONAL,
	TLS_VERIFY_OPTIONAL_NO_CA, /* as before, but nothing counts as verified */
	/* The handshake fails without a certificate that is valid. A client knows this one and OFF only. */
	TLS_VERIFY_REQUIRED,
};

enum { TLS_SESSION_CONTEXT_MAX = 32, TLS_PROTOCOLS_MAX = 16 };

/* By which the user knows a context again; it outlives what the context was made of. */
struct tls_tag {
	uint8_t bytes[48];
};

static inline bool tls_tag_equals(struct tls_tag a, struct tls_tag b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

/* Everything is borrowed for the call that makes a context of it. Zero is the default of each field. */
struct tls_settings {
	const struct tls_identity *identities; /* a server: at least one, one of each kind of key */
	uint32_t identity_count;
	enum tls_version version_min;
	enum tls_version version_max;
	const char *
		ciphers; /* TLS 1.2, in OpenSSL's words; NULL: ECDHE with AEAD, and DHE where there are parameters */
	const char *suites;  /* TLS 1.3 */
	bool client_prefers; /* a server: the order of ciphers is the client's, and not the list's */
	const char *
		groups; /* "X25519:P-256", …; NULL: X25519, P-256, P-384, and a hybrid where libssl has one */
	uint32_t
		alpn; /* a server: what it speaks; a client: what it offers, h2 first. 0: no ALPN */
	struct span dh_parameters; /* a server, DER; empty: no DHE */
	uint32_t
		record_bytes; /* plaintext of a record at most, at least 512; 0: as many as TLS has */
	enum tls_verify verify;
	struct span authorities; /* certificates; a client that verifies needs them */
	struct span revocations; /* lists; empty: revocation is not checked */
	uint32_t verify_depth;   /* intermediate certificates at most; 0: 1 */
	struct tls_tag tag;      /* handed back by tls_context_tag; means nothing here */

	/* servers */
	bool tickets; /* not with client certificates: such connections never resume (T5) */
	/* A ticket resumes only under the same bytes; at most TLS_SESSION_CONTEXT_MAX. */
	struct span session_context;

	/* clients; NUL-terminated */
	const char *server_name; /* SNI; NULL: none is sent */
	const char *verify_name; /* a name or an address of the certificate; NULL: any */
};

struct tls_context {
	/* private to tls*.c */
	SSL_CTX *ssl_ctx;
	struct tls_tag tag;
	char *groups;         /* NULL: the default */
	char *server_name;    /* clients; NULL: none */
	struct list sessions; /* clients: that their peers gave */
	uint32_t holders;
	uint32_t verify_depth;
	uint32_t record_bytes; /* 0: as many as TLS has */
	int version_min;       /* as libssl has it; 0: any */
	int version_max;
	enum tls_verify verify;
	bool is_client;
	bool tickets;
	bool client_prefers;
	uint8_t protocols_length;
	uint8_t session_context_length;
	unsigned char protocols[TLS_PROTOCOLS_MAX]; /* as ALPN writes them */
	uint8_t session_context[TLS_SESSION_CONTEXT_MAX];
};

/* Once in a process, before it gives up opening files: libssl reads its configuration and makes its tables. */
void tls_init(void);

/* Held once, by the caller. NULL: err says what is wrong with the settings, which are as wrong at the next attempt,
 * unless errno is ENOMEM: then there was no memory, in libssl or here. */
struct tls_context *tls_context_new_server(const struct tls_settings *settings, struct error *err);
struct tls_context *tls_context_new_client(const struct tls_settings *settings, struct error *err);

struct tls_tag tls_context_tag(const struct tls_context *context);

struct tls_context *tls_context_hold(struct tls_context *context);

/* The last one frees it. NULL is harmless. */
void tls_context_drop(struct tls_context *context);

/* private to tls*.c: what every server's connection begins with, before a context is chosen for it. NULL: no
 * memory. */
SSL_CTX *tls_context_base(struct error *err);

/* private to tls*.c: a server's connection goes on under this context. False: libssl has no memory. */
bool tls_context_apply(const struct tls_context *context, SSL *ssl);
