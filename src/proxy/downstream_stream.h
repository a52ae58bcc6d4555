/* SPDX-License-Identifier: Apache-2.0 */
/* One stream of a client's connection that speaks HTTP/2: what the codec has for it, the exchange's client, and
 * what lies between. The codec's calls only note what has happened; streams act on it afterwards
 * (downstream_stream_go_on), so that no exchange runs inside the codec, and what came of a request in one read is
  * seen at once.
 */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "http/h2.h"
#include "proxy/client.h"

struct downstream_h2;

struct downstream_stream {
	struct h2_stream h2;
	struct client client;
	struct downstream_h2 *connection;
	struct list link;  /* in connection->streams */
	struct list moved; /* in connection->wire.moved: something has happened */
	enum fault fault;  /* of the head, or of the stream as a whole */
	bool head_came;    /* and the exchange has not seen it */
	bool starved;      /* there was no memory for its body */
	bool closed;       /* before the response was out */
};

/* A new one, with an exchange that awaits its head; NULL at the limit. */
struct downstream_stream *downstream_stream_new(struct downstream_h2 *connection);

/* Lets its exchange know what has happened. The stream may be gone afterwards. */
void downstream_stream_go_on(struct downstream_stream *stream);

/* Its exchange ends at once: the worker stops. The stream may be gone afterwards, or has an answer to send. */
void downstream_stream_cut(struct downstream_stream *stream);

/* Its exchange has ended. */
void downstream_stream_on_end(struct client *client, struct client_end end);

/* Calls of the codec, in h2_calls. */
void downstream_stream_on_head(void *owner, struct h2_stream *h2, enum fault fault);
void downstream_stream_on_body(void *owner, struct h2_stream *h2, struct span bytes);
void downstream_stream_on_remote_end(void *owner, struct h2_stream *h2);
void downstream_stream_on_closed(void *owner, struct h2_stream *h2, enum fault fault,
				 uint32_t code);
struct h2_body downstream_stream_read_body(void *owner, struct h2_stream *h2, size_t max);
void downstream_stream_body_sent(void *owner, struct h2_stream *h2, size_t bytes);
