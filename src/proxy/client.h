/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of one exchange: a connection of HTTP/1.1, or one stream of a connection of HTTP/2. Here both
 * meet; exchange and what serves it know no more of a client than this.
 *
 *   the request   the protocol fills exchange->request, sets exchange->to_upstream.reader over what brings the body,
 *                 calls exchange_on_head, and exchange_on_downstream whenever something has come or gone
 *   the response  response_out.h makes the head in the client's form and sets exchange->to_downstream.sender over
 *                 what takes the body
 *   the end       exchange_end says by client_on_exchange_end what became of it
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "http/fault.h"
#include "io/timer.h"

struct downstream;
struct exchange;
struct h2_stream;

struct client {
	struct downstream *connection; /* on which it speaks */
	struct h2_stream *stream;      /* of HTTP/2; NULL: the connection speaks HTTP/1.1 */
	struct exchange *exchange;     /* NULL while no request is in progress */
	struct timer timer;            /* for exchange->client_deadline */
};

enum client_after {
	CLIENT_KEEP, /* the response is out whole, and another request may follow on this connection */
	CLIENT_DONE,   /* it is out whole, and no other may follow */
	CLIENT_LINGER, /* an answer is out that the client must get, whatever it still sends */
	CLIENT_CUT,    /* the response was cut, and its framing tells */
	CLIENT_RESET,  /* it was cut, and only a reset tells */
};

struct client_end {
	enum client_after after;
	enum fault fault;
	bool attempted; /* an endpoint may have seen the request */
};

/* Called by the exchange last of all; the exchange is gone afterwards, and maybe the client. */
void client_on_exchange_end(struct client *client, struct client_end end);

/* What was put off until the end of the turn while the head was still to come. */
void client_on_turn(struct client *client);

/* Whether any 2xx opens a tunnel that was asked for (RFC 8441, 4), and not 101 alone. */
static inline bool client_tunnels_by_success(const struct client *client)
{
	return client->stream != NULL;
}
