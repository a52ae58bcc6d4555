/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to an endpoint, whatever it speaks: its life from connect to close, and what is remembered of it while
 * it idles in the conn_pool. It is busy with one exchange (upstream_h1.h), or with a stream for each of several
 * (upstream_h2.h).
 */
#pragma once

#include "base/ip.h"
#include "base/list.h"
#include "http/fault.h"
#include "io/iobuf.h"
#include "io/transport.h"
#include "proxy/server.h"
#include "table/endpoints.h"

struct worker;
struct upstream_h2;

struct upstream {
	struct transport transport;
	struct server
		server; /* of HTTP/1.1; with HTTP/2 its timer is the connection's and the rest is unused */
	struct worker *worker;
	struct upstream_h2 *h2; /* NULL: it speaks HTTP/1.1 */
	struct iobuf *in;       /* of HTTP/1.1; NULL while idle */
	struct ip_port at;
	struct tls_context *tls; /* held by the transport; NULL: plain */
	uint32_t slot;           /* of the endpoint; TABLE_NONE for an address of a resolved name */
	uint32_t incarnation;
	uint32_t requests; /* sent over it so far */
	bool idle;         /* nobody uses it, and it is counted so */
	bool reused;       /* it was idle before */
	uint64_t opened_ns;
	struct list lru;        /* private to conn_pool.c */
	struct upstream *next;  /* private to conn_pool.c: others of the endpoint */
	struct upstream **link; /* private to conn_pool.c: what points to this one; NULL: nothing */
};

/* A new connection to an endpoint, being made; server.connecting says whether it is made already. Where there is no
 * room, one that is idle makes it. on_expired: of server.timer. NULL: errno says why. */
struct upstream *upstream_open(struct worker *worker, const struct endpoint_record *endpoint,
			       struct tls_context *tls,
			       void (*on_ready)(struct loop_source *source, uint32_t events),
			       void (*on_expired)(struct timer *timer));

/* Busy or idle; takes it out of the pool. With HTTP/2 no stream is on it, and that has been stopped. */
void upstream_close(struct upstream *upstream);

/* Whatever it is that idles: it ends. */
void upstream_give_up(struct upstream *upstream);

/* The endpoint has left: what is in progress goes on, and nothing new begins. */
void upstream_leave(struct upstream *upstream);

/* Why a connection that is being made cannot be, as far as the kernel and TLS say; FAULT_NONE: nothing is wrong. */
enum fault upstream_connect_fault(const struct upstream *upstream);

/* The same of a reason of the kernel's. */
enum fault upstream_errno_fault(int reason);

/* Whether it may serve another request, by its age, its use, and the state of the table and the worker. */
bool upstream_may_serve_on(const struct upstream *upstream);

/* Between use and rest: counts it, and keeps the pool within its limit. HTTP/1.1 comes into the pool by this and goes
 * out of it. */
void upstream_rest(struct upstream *upstream);
void upstream_wake(struct upstream *upstream);
