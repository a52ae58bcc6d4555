/* SPDX-License-Identifier: Apache-2.0 */
/* A client's connection that speaks HTTP/1.1. It owns its transport and its buffer; a buffer and an
 * exchange only while a request is in progress, so that an idle connection costs this struct and no more.
 * An empty line is no request yet (RFC 9112, 2.2): who sends no more than that is idle.
 *
 *   IDLE ---> BUSY ---> IDLE …          a byte of a request; its exchange has ended
 *     |         +-----> LINGERING       the answer is out, but the client may still be sending
 *     +---------+-----------+---> closed
 */
#pragma once

#include <assert.h>
#include <stdbool.h>

#include "base/ip.h"
#include "io/iobuf.h"
#include "io/transport.h"

struct worker;
struct exchange;
struct listener;

enum downstream_state {
	DOWNSTREAM_IDLE,
	DOWNSTREAM_BUSY,
	DOWNSTREAM_LINGERING,
	DOWNSTREAM_STATE_COUNT
};

struct downstream {
	struct transport transport;
	struct timer timer;
	struct list link; /* in worker->clients[state] */
	struct worker *worker;
	struct iobuf *in;          /* NULL while idle */
	struct exchange *exchange; /* NULL unless busy */
	struct ip_port peer;
	uint16_t local_port;
	uint16_t lingered_kib;
	uint32_t requests; /* exchanges so far */
	uint8_t state;     /* enum downstream_state; moved by downstream_move alone */
	uint8_t blank; /* while idle: bytes of an empty line that came before the next head, 0 to 2 */
};

static_assert(sizeof(struct downstream) <= 160, "an idle connection is small");

/* Takes an accepted socket. Where there is no room, the client that has been idle longest makes it, or the new one
 * is closed. */
void downstream_open(const struct listener *listener, int fd, const struct ip_port *peer);

/* An idle or lingering connection, at once. */
void downstream_close(struct downstream *downstream);

/* Closes the client that has been idle longest and has said nothing meanwhile. False: there is none. */
bool downstream_give_up(struct worker *worker);

/* Goes on with a head of which bytes lie in the buffer already: once a turn for those who pipeline. */
void downstream_on_turn(struct downstream *downstream);

/* Whatever it is doing ends now: the worker stops. */
void downstream_cut(struct downstream *downstream);

/* What becomes of the connection when its exchange has ended. */
enum downstream_after {
	DOWNSTREAM_KEEP,   /* the next request, if the client has one */
	DOWNSTREAM_LINGER, /* an answer is out that the client must get, whatever it still sends */
	DOWNSTREAM_END,    /* orderly close */
	DOWNSTREAM_RESET,  /* a response was cut: the client must not take it for complete */
};

/* Called by the exchange last of all; the exchange is gone afterwards, and maybe the connection. */
void downstream_on_exchange_end(struct downstream *downstream, enum downstream_after after);
