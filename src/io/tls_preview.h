/* SPDX-License-Identifier: Apache-2.0 */
/* The server name of a ClientHello (RFC 8446, 4.1.2; RFC 6066, 3) before TLS takes the bytes: who passes a connection
 * on as it is decides by it. Bytes in, a name out. Whatever is wrong with a hello is left for TLS to say.
 */
#pragma once

#include "io/tls_hello.h"

/* A hello that is longer, heads of its records included, is not looked at (security spec, T2). */
enum { TLS_PREVIEW_MAX = 16 * 1024 };

enum tls_preview_status {
	TLS_PREVIEW_DONE, /* the hello is whole */
	TLS_PREVIEW_MORE, /* it begins like one */
	TLS_PREVIEW_BAD,  /* it is none, or too long, or its name is no name */
};

struct tls_preview {
	enum tls_preview_status status;
	size_t name_length;                 /* 0: none was sent */
	char name[TLS_SERVER_NAME_MAX + 1]; /* in the form of tls_hello.server_name */
};

/* bytes: what came so far, borrowed. */
void tls_preview(struct span bytes, struct tls_preview *preview);
