/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/server.h"

#include "base/bug.h"
#include "proxy/attempt.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/upstream.h"
#include "proxy/upstream_h1.h"
#include "proxy/upstream_stream.h"

void server_on_expired(struct timer *timer)
{
	attempt_on_timeout(container_of(timer, struct server, timer)->exchange);
}

struct server *server_take(struct exchange *exchange, const struct endpoint_record *endpoint,
			   const struct upstream_way *way)
{
	switch (way->protocol) {
	case UPSTREAM_HTTP1:
		return upstream_h1_take(exchange, endpoint, way);
	case UPSTREAM_HTTP2:
		return upstream_stream_take(exchange, endpoint, way);
	case UPSTREAM_PROTOCOL_COUNT:
		break;
	}
	BUG_ON(true); /* verify refuses it */
	return NULL;
}

void server_begin_body(const struct server *server)
{
	struct exchange *exchange = server->exchange;
	struct body_reader *reader = &exchange->to_downstream.reader;

	if (server->stream != NULL)
		return; /* since its head has come, and what has come behind it lies there */
	body_reader_init(reader, &server->connection->transport, server->connection->in,
			 exchange->response.framing, exchange->response.content_length, false);
	if (exchange_takes_trailers(exchange))
		reader->trailer_arena = &exchange->arena;
}

void server_on_timeout(const struct server *server)
{
	if (server->stream != NULL)
		upstream_stream_on_timeout(server); /* a connection of HTTP/1.1 ends with it */
}

void server_hear_out(struct server *server)
{
	BUG_ON(server->stream != NULL); /* it is told by the end of the stream */
	server->connection->transport.can_read = true;
}

bool server_may_have_spoken(const struct server *server)
{
	return server->stream == NULL && server->connection->transport.can_read;
}

void server_hear(struct server *server)
{
	upstream_h1_go_on(server->connection);
}

uint64_t server_unread(const struct server *server)
{
	const struct iobuf *in = server->connection->in;

	return in == NULL ? 0 : in->end - in->start;
}

void server_finish(struct server *server, bool whole)
{
	if (server->stream != NULL)
		upstream_stream_end(server);
	else
		upstream_h1_finish(server->connection, whole);
}

void server_drop(struct server *server)
{
	if (server->stream != NULL)
		upstream_stream_end(server);
	else
		upstream_close(server->connection);
}
