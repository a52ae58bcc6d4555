/* SPDX-License-Identifier: Apache-2.0 */
/* A client's connection, whatever it speaks: its life from accept to close. It begins with HTTP/1.1 (downstream_h1.h)
 * unless ALPN or the client's first bytes say HTTP/2 (downstream_h2.h).
 *
 * It owns its transport; buffers and exchanges only while requests are in progress, so that an idle connection costs
 * this struct, what the protocol must remember, and no more.
 *
 *   OPENING ---> PASSING   what comes before the protocol (opening.h); TLS that is ended elsewhere (passthrough.h)
 *     |           |
 *   IDLE <--> BUSY         no request is in progress; at least one is
 *     |         +-----> LINGERING       the last is out, but the client may still be sending
 *     +---------+-----------+---> closed
 */
#pragma once

#include <assert.h>
#include <stdbool.h>

#include "base/ip.h"
#include "base/list.h"
#include "io/iobuf.h"
#include "io/transport.h"
#include "proxy/client.h"

struct worker;
struct listener;
struct downstream_h2;
struct passthrough;

enum downstream_state {
	DOWNSTREAM_OPENING,
	DOWNSTREAM_PASSING,
	DOWNSTREAM_IDLE,
	DOWNSTREAM_BUSY,
	DOWNSTREAM_LINGERING,
	DOWNSTREAM_STATE_COUNT
};

struct downstream {
	struct transport transport;
	struct client
		client; /* of HTTP/1.1; with HTTP/2 its timer is the connection's and the rest is unused */
	struct list link; /* in worker->clients[state] */
	struct worker *worker;
	struct downstream_h2 *h2; /* NULL while it speaks HTTP/1.1 */
	union {
		struct iobuf *in;                /* of HTTP/1.1; NULL while idle */
		struct passthrough *passthrough; /* in PASSING */
	};
	struct ip_port
		peer; /* the client, as a PROXY header has it where there is one; so the next */
	uint16_t local_port;
	uint16_t lingered_kib;
	uint32_t requests; /* exchanges so far */
	uint8_t state;     /* enum downstream_state; moved by downstream_move alone */
	uint8_t blank; /* while idle: bytes of an empty line that came before the next head, 0 to 2 */
	uint8_t opening;     /* enum opening; in OPENING */
	bool by_tls : 1;     /* the listener's kind */
	bool is_fronted : 1; /* a PROXY header said whose connection it is */
};

static_assert(sizeof(struct downstream) <= 160, "an idle connection is small");

/* Takes an accepted socket. Where there is no room, the client that has been idle longest makes it, or the new one
 * is closed. */
void downstream_open(const struct listener *listener, int fd, const struct ip_port *peer);

/* At once. No exchange is in progress, and HTTP/2 has been stopped. */
void downstream_close(struct downstream *downstream);

/* Closes the client that has been idle longest, or longest in a handshake, and has said nothing meanwhile. False:
 * there is none. */
bool downstream_give_up(struct worker *worker);

/* Whatever it is doing ends now: the worker stops. */
void downstream_cut(struct downstream *downstream);

/* The worker drains, and the connection is older than that: it ends as soon as no request is in progress. */
void downstream_drain(struct downstream *downstream);

/* What came before it has come: the protocol begins. The connection may be gone afterwards. */
void downstream_begin(struct downstream *downstream);

/* For the protocols. */
void downstream_move(struct downstream *downstream, enum downstream_state to);
void downstream_arm(struct downstream *downstream, uint32_t delay_ms);

/* All was said: closes our side, and waits for the client to close its own, for a while. The connection may be gone
 * afterwards. */
void downstream_linger(struct downstream *downstream);

/* A reset: the client must not take what it got for complete. */
void downstream_reset(struct downstream *downstream);

/* Whether the load balancer in front has ended TLS, or seems to (compat spec, 13.3). */
static inline bool client_is_behind_https(const struct client *client)
{
	return client->connection->is_fronted && client->connection->local_port == 443;
}

static inline bool client_is_tls(const struct client *client)
{
	return transport_is_tls(&client->connection->transport);
}
