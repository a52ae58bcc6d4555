/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to an endpoint that speaks HTTP/1.1: busy with one exchange, or idle in the conn_pool. */
#pragma once

#include "base/ip.h"
#include "io/iobuf.h"
#include "io/transport.h"
#include "table/endpoints.h"

struct worker;
struct exchange;
struct tls_context;

struct upstream {
	struct transport transport;
	struct timer timer;
	struct worker *worker;
	struct exchange *exchange; /* NULL while idle */
	struct iobuf *in;          /* NULL while idle */
	struct ip_port at;
	struct tls_context *tls; /* held by the transport; NULL: plain */
	uint32_t slot;           /* of the endpoint; TABLE_NONE for an address of a resolved name */
	uint32_t incarnation;
	uint32_t requests; /* sent over it so far */
	bool connecting;
	bool reused; /* it came from the pool */
	uint64_t opened_ns;
	struct list lru;        /* private to conn_pool.c: all idle ones, longest first */
	struct upstream *next;  /* private to conn_pool.c: idle ones of one endpoint */
	struct upstream **link; /* private to conn_pool.c: what points to this one */
};

/* A new connection to an endpoint for the exchange, being made: transport edges go to the exchange. tls: NULL: plain.
 * Where there is no
 * room, one that is idle makes it. NULL: errno says why. */
struct upstream *upstream_open(struct worker *worker, const struct endpoint_record *endpoint,
			       struct tls_context *tls, struct exchange *exchange);

/* Busy or idle; takes it out of the pool. */
void upstream_close(struct upstream *upstream);

/* The exchange is done with it: into the pool where it may be used again, else closed. */
void upstream_release(struct upstream *upstream, bool reusable);
