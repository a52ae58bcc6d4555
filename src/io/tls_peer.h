/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate that the peer showed, in the forms that headers want. */
#pragma once

#include "base/arena.h"
#include "base/span.h"

struct transport;

enum tls_peer_status {
	TLS_PEER_NONE,       /* it showed none, or the connection is plain */
	TLS_PEER_VERIFIED,   /* an authority of the context vouches for it, now */
	TLS_PEER_UNVERIFIED, /* it showed one that counts for nothing */
};

enum tls_peer_status tls_peer_status(const struct transport *transport);

/* Why it is not verified, a literal; NULL: it is, or there is none. */
const char *tls_peer_failure(const struct transport *transport);

struct tls_peer {
	struct span pem;
	struct span subject; /* RFC 2253: "CN=ann,O=shop"; bytes beyond ASCII are escaped */
	struct span issuer;  /* likewise */
};

/* All text lies in the arena. False: there is no certificate, or no room. */
bool tls_peer_read(const struct transport *transport, struct arena *arena, struct tls_peer *peer);
