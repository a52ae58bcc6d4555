/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint's side of one attempt: a connection of HTTP/1.1, or one stream of a connection of HTTP/2. Here both
 * meet; exchange and attempt know no more of an endpoint than this. What client.h is for the other side.
 *
 *   ready      once the request may go out the protocol calls attempt_on_connected
 *   request    request_out.h makes the head in the endpoint's form and sets exchange->to_upstream.sender over what
 *              takes the body
 *   response   the protocol fills exchange->response and calls attempt_on_head; server_begin_body sets
 *              exchange->to_downstream.reader over what brings the body; exchange_pump whenever something has come or
 *              gone
 *   failure    attempt_fail before the response head, attempt_break after it
 *   end        server_finish, or server_drop
 */
#pragma once

#include <stdbool.h>

#include "io/timer.h"
#include "proxy/upstream_way.h"
#include "table/endpoints.h"

struct exchange;
struct h2_stream;
struct upstream;

struct server {
	struct upstream *connection;
	struct h2_stream *stream;  /* NULL: HTTP/1.1 */
	struct exchange *exchange; /* NULL while idle */
	struct timer timer;        /* for exchange->upstream_deadline */
	bool connecting;           /* the request may not go out yet */
};

/* To that endpoint, for the exchange: an idle connection, one with room for a stream, or a new one, being made. NULL:
 * errno says why. */
struct server *server_take(struct exchange *exchange, const struct endpoint_record *endpoint,
			   const struct upstream_way *way);

/* The final head is there: sets the exchange's to_downstream.reader. */
void server_begin_body(const struct server *server);

/* It has let a deadline pass, and the attempt is about to end. */
void server_on_timeout(const struct server *server);

/* For HTTP/1.1: the endpoint takes no more of the request, and what it has said before it closed counts (U10). */
void server_hear_out(struct server *server);
bool server_may_have_spoken(const struct server *server);
void server_hear(struct server *server);

/* Bytes that came and that nobody has read. */
uint64_t server_unread(const struct server *server);

/* The whole response was read, and all of the request was sent or is not wanted any more. The server is gone
 * afterwards; what carried it may serve again. whole: all of the request was sent. */
void server_finish(struct server *server, bool whole);

/* The attempt is given up; what the endpoint has to say does not matter any more. The server is gone afterwards. */
void server_drop(struct server *server);

/* Whether 101 can open a tunnel there. */
static inline bool server_can_tunnel(const struct server *server)
{
	return server->stream == NULL;
}

/* private to the protocols: a server's timer has ended */
void server_on_expired(struct timer *timer);
