/* SPDX-License-Identifier: Apache-2.0 */
/* A connection of TLS that is not ended here: by the name it asks for it goes to an endpoint of that host, byte for
 * byte (compat spec, 17.6; load-balancer spec, 11.1).
 *
 *   NAMING --> CONNECTING --> PASSING ---> the end
 *     |  ^         |   ^         |
 *     |  +---------+---+ retry   |
 *     +------------+-------------+-------> the end
 *
 * NAMING      the addresses of an ExternalName are awaited
 * CONNECTING  an endpoint is picked, and the connection to it is being made; nothing was taken from the client
 * PASSING     bytes go both ways; each side may end its half first
 *
 * It pins its table. The client's transport stays the downstream's, as does its timer.
 */
#pragma once

#include "io/tls_hello.h"
#include "observe/access_log.h"
#include "proxy/deadline.h"
#include "proxy/load.h"
#include "proxy/names.h"
#include "proxy/way.h"
#include "table/shards.h"

struct downstream;
struct worker;

enum passthrough_state { PASSTHROUGH_NAMING, PASSTHROUGH_CONNECTING, PASSTHROUGH_PASSING };

enum { PASSTHROUGH_TRIES_MAX = 16 };

struct passthrough {
	struct worker *worker;
	struct downstream *client;
	struct transport endpoint; /* not open in NAMING */
	struct way up;
	struct way down;
	struct shard *table; /* of routes, pinned */
	const struct route *route;
	struct name_waiter name_waiter;
	struct loop_task task;    /* goes on in the next turn (WAY_TURN_OVER) */
	struct deadline deadline; /* for the client's timer */
	uint64_t started_ns;
	uint64_t attempt_ns;
	struct load_key load_key; /* of the endpoint */
	uint32_t tries;
	uint8_t state;   /* enum passthrough_state */
	uint8_t failure; /* enum fault: of the last try that failed */
	uint8_t name_length;
	struct access_attempt attempts[ACCESS_ATTEMPTS_MAX]; /* the last one goes on changing */
	struct ip_port tried[PASSTHROUGH_TRIES_MAX];         /* one try each */
	char name[TLS_SERVER_NAME_MAX + 1];                  /* that the client asked for */
};

struct route_match;

/* Takes a connection in OPENING, of which nothing was read: to the route, which is ROUTE_PROXY. name: that was asked
 * for. The connection may be gone afterwards. */
void passthrough_start(struct downstream *client, const struct route_match *match,
		       struct span name);

/* Edges of the client's connection, noted already. */
void passthrough_on_client(struct passthrough *passthrough, uint32_t events);

/* The client's timer. */
void passthrough_on_expired(struct passthrough *passthrough);

/* The worker stops. */
void passthrough_cut(struct passthrough *passthrough);
