/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts of TLS towards endpoints: made when they are needed first, kept while they are used. One is known by the
 * settings of the upstream and by what is in the certificates that these name, so that a renewed Secret makes another
 * context. Connections under the old one are not used again, and its key is gone from memory with the last of them.
 */
#pragma once

#include <stdbool.h>

#include "proxy/upstream_way.h"
#include "table/shards.h"

struct upstream_tls_store;

/* So many are kept; the one that was asked for longest ago goes first. */
enum { UPSTREAM_TLS_CONTEXTS_MAX = 1024 };

/* certificates: the table, kept. */
struct upstream_tls_store *upstream_tls_store_new(const struct shards *certificates);

/* NULL is harmless. */
void upstream_tls_store_free(struct upstream_tls_store *store);

/* Other certificates are in effect: contexts of those that are no longer among them are dropped. */
void upstream_tls_on_certificates(struct upstream_tls_store *store);

/* How endpoints of the upstream are spoken to; a context of TLS is borrowed until the next call: a connection holds it.
 * False: TLS is, and cannot be. */
bool upstream_tls_find(struct upstream_tls_store *store, const struct upstream_match *match,
		       struct upstream_way *way);
