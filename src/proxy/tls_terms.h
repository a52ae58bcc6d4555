/* SPDX-License-Identifier: Apache-2.0 */
/* Under which terms of its host a connection was opened: what clients were asked for, and with which ciphers. They are
 * the tag of the connection's context, and decide which other hosts it may reach (security spec, T6). Which
 * certificate was shown is none of them, and what holds for every host, such as the versions of TLS, neither.
 */
#pragma once

#include <stdbool.h>

#include "io/tls_context.h"
#include "table/shards.h"

/* All zero: those of a host that says nothing about TLS. */
struct tls_terms {
	struct certificate_id client_policy;
	uint8_t authorities[16]; /* the beginning of their digest */
	struct certificate_id cipher_policy;
};

/* Those of a host as they are now; host: NULL: it says nothing. False: it asks clients for certificates and its
 * authorities are not in the table: as if it did not ask, and requests are to be refused. */
bool tls_terms_of(const struct shards *certificates, const struct host_tls *host,
		  struct tls_terms *terms);

struct tls_tag tls_terms_tag(const struct tls_terms *terms);
struct tls_terms tls_terms_from_tag(struct tls_tag tag);

/* Whether the same is asked of clients, in the name of the same authorities. */
bool tls_terms_same_clients(const struct tls_terms *a, const struct tls_terms *b);
