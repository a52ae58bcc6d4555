/* SPDX-License-Identifier: Apache-2.0 */
/* One stream of a connection to an endpoint that speaks HTTP/2: what the codec has for it, the exchange's server, and
 * what lies between. What downstream_stream.h is on the other side.
 *
 *   waiting (upstream_h2.h) --> open --> gone
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "http/h2.h"
#include "proxy/server.h"
#include "proxy/upstream_way.h"

struct upstream_h2;

struct upstream_stream {
	struct h2_stream h2;
	struct h2_head_limits limits; /* of the response */
	struct server server;
	struct upstream_h2 *connection;
	struct list link;  /* in connection->streams or waiting */
	struct list moved; /* in connection->wire.moved: something has happened */
	enum fault fault;  /* with closed: why */
	uint64_t
		received; /* bytes that had come of the connection when this stream was heard of last */
	uint8_t moves;  /* how often it has moved from one connection to another */
	bool waits;     /* the session does not know it yet */
	bool head_came; /* and the exchange has not seen it */
	bool starved;   /* there was no memory for its body */
	bool closed;    /* HTTP/2 is done with it */
};

/* As server_take. */
struct server *upstream_stream_take(struct exchange *exchange,
				    const struct endpoint_record *endpoint,
				    const struct upstream_way *way);

/* The request head goes out. Texts are kept until the exchange ends. */
enum fault upstream_stream_request(struct server *server, const struct h2_request *request,
				   const struct header *headers, uint32_t count, enum h2_then then);

/* The endpoint has let a deadline pass. Where nothing at all has come from it meanwhile the connection is in doubt. */
void upstream_stream_on_timeout(const struct server *server);

/* The attempt is over. Where the endpoint is not done with the stream it is told so. */
void upstream_stream_end(struct server *server);

/* For upstream_h2.c. */

/* Lets its exchange know what has happened. The stream may be gone afterwards. */
void upstream_stream_go_on(struct upstream_stream *stream);

/* It waits no more: the request goes out. The stream may be gone afterwards. */
void upstream_stream_start(struct upstream_stream *stream);

/* It waits at another connection, or goes out there at once. The stream may be gone afterwards. */
void upstream_stream_move(struct upstream_stream *stream, struct upstream_h2 *to);

/* It waits, and there is no connection. */
void upstream_stream_fail(struct upstream_stream *stream, enum fault fault);

/* Calls of the codec, in h2_calls. */
void upstream_stream_on_head(void *owner, struct h2_stream *h2, enum fault fault);
void upstream_stream_on_body(void *owner, struct h2_stream *h2, struct span bytes);
void upstream_stream_on_end(void *owner, struct h2_stream *h2);
void upstream_stream_on_closed(void *owner, struct h2_stream *h2, enum fault fault, uint32_t code);
struct h2_body upstream_stream_read_body(void *owner, struct h2_stream *h2, size_t max);
void upstream_stream_body_sent(void *owner, struct h2_stream *h2, size_t bytes);
void upstream_stream_on_sent(void *owner, struct h2_stream *h2);
