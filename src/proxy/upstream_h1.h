/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to an endpoint that speaks HTTP/1.1: one exchange at a time, between them it idles in the conn_pool. */
#pragma once

#include <stdbool.h>

#include "proxy/upstream_way.h"
#include "table/endpoints.h"

struct exchange;
struct server;
struct tls_context;
struct upstream;
struct worker;

/* As server_take. */
struct server *upstream_h1_take(struct exchange *exchange, const struct endpoint_record *endpoint,
				const struct upstream_way *way);

/* An idle one that lives, in use from now on, or NULL. */
struct upstream *upstream_h1_wake(struct worker *worker, const struct endpoint_record *endpoint,
				  const struct tls_context *tls);

/* Something may have come from the endpoint, or gone to it. The connection and its exchange may be gone afterwards. */
void upstream_h1_go_on(struct upstream *upstream);

/* The exchange is done with it: into the pool where it may be used again, else closed. */
void upstream_h1_release(struct upstream *upstream, bool reusable);

/* As server_finish. */
void upstream_h1_finish(struct upstream *upstream, bool whole);
