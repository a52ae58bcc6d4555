/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstream_stream.h"

#include <errno.h>

#include "base/bug.h"
#include "proxy/attempt.h"
#include "proxy/exchange.h"
#include "proxy/upstream.h"
#include "proxy/upstream_h2.h"
#include "proxy/worker.h"

static struct upstream_stream *stream_of(struct h2_stream *h2)
{
	return container_of(h2, struct upstream_stream, h2);
}

static struct upstream_stream *of(struct server *server)
{
	return container_of(server, struct upstream_stream, server);
}

static struct worker *worker_of(const struct upstream_stream *stream)
{
	return stream->connection->wire.worker;
}

/*
 * From waiting to open to gone
 */

/* Lines and names of an endpoint's head as in HTTP/1.1: what counts is the whole. */
static struct h2_head_limits limits_of(const struct exchange *exchange)
{
	uint32_t head_bytes = attempt_head_bytes_max(exchange);

	return (struct h2_head_limits){
		.path_bytes = head_bytes,
		.field_bytes = head_bytes,
		.head_bytes = head_bytes,
		.fields = HEAD_RESPONSE_FIELDS_MAX,
		.underscores = true,
		.keep_odd_names = true,
	};
}

static void join(struct upstream_stream *stream, struct upstream_h2 *connection)
{
	stream->connection = connection;
	stream->server.connection = connection->upstream;
	stream->waits = !upstream_h2_is_open(connection);
	stream->server.connecting = stream->waits;
	connection->waiting_count += stream->waits;
	list_add_last(stream->waits ? &connection->waiting : &connection->streams, &stream->link);
	upstream_h2_count_streams(connection);
}

static void leave(struct upstream_stream *stream)
{
	stream->connection->waiting_count -= stream->waits;
	list_remove(&stream->link);
	upstream_h2_count_streams(stream->connection);
}

static struct upstream_stream *new_stream(struct exchange *exchange)
{
	struct upstream_stream *stream = slab_take(&exchange->worker->upstream_streams);

	if (stream == NULL)
		return NULL;
	*stream = (struct upstream_stream){
		.limits = limits_of(exchange),
		.server = {.stream = &stream->h2, .exchange = exchange},
	};
	stream->h2.arena = &exchange->arena;
	stream->h2.response = &exchange->response;
	stream->h2.head_limits = &stream->limits;
	timer_init(&stream->server.timer, server_on_expired);
	list_init(&stream->link);
	list_init(&stream->moved);
	return stream;
}

struct server *upstream_stream_take(struct exchange *exchange,
				    const struct endpoint_record *endpoint,
				    const struct upstream_way *way)
{
	struct worker *worker = exchange->worker;
	struct upstream_stream *stream = new_stream(exchange);
	struct upstream_h2 *connection;

	if (stream == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	connection = upstream_h2_take(worker, endpoint, way, exchange->fresh_connection);
	if (connection == NULL) {
		slab_give(&worker->upstream_streams, stream);
		return NULL;
	}
	join(stream, connection);
	return &stream->server;
}

enum fault upstream_stream_request(struct server *server, const struct h2_request *request,
				   const struct header *headers, uint32_t count, enum h2_then then)
{
	struct upstream_stream *stream = of(server);

	stream->received = stream->connection->wire.received;
	return h2_request(&stream->connection->wire.session, &stream->h2, request, headers, count,
			  then);
}

void upstream_stream_on_timeout(const struct server *server)
{
	const struct upstream_stream *stream = container_of(server, const struct upstream_stream,
							    server);

	if (stream->received == stream->connection->wire.received)
		upstream_h2_doubt(stream->connection);
}

void upstream_stream_end(struct server *server)
{
	struct upstream_stream *stream = of(server);
	struct worker *worker = worker_of(stream);
	struct body_reader *reader = &server->exchange->to_downstream.reader;

	if (reader->stream == &stream->h2) {
		body_reader_fini(reader, &worker->iobufs);
		*reader = (struct body_reader){0};
	}
	h2_release(&stream->h2);
	timer_stop(worker->timers, &server->timer);
	list_remove(&stream->moved);
	leave(stream);
	slab_give(&worker->upstream_streams, stream);
}

void upstream_stream_start(struct upstream_stream *stream)
{
	stream->connection->waiting_count--;
	list_remove(&stream->link);
	list_add_last(&stream->connection->streams, &stream->link);
	stream->waits = false;
	stream->server.connecting = false;
	attempt_on_connected(stream->server.exchange);
}

void upstream_stream_move(struct upstream_stream *stream, struct upstream_h2 *to)
{
	BUG_ON(!stream->waits);
	stream->moves++;
	leave(stream);
	join(stream, to);
	if (!stream->waits)
		attempt_on_connected(stream->server.exchange);
}

void upstream_stream_fail(struct upstream_stream *stream, enum fault fault)
{
	attempt_fail(stream->server.exchange, fault);
}

/*
 * What happened
 */

static void note(struct upstream_stream *stream)
{
	stream->received = stream->connection->wire.received;
	h2_wire_note(&stream->connection->wire, &stream->moved);
}

/* An interim head that another follows at once told nobody anything sooner; but it counts. */
void upstream_stream_on_head(void *owner, struct h2_stream *h2, enum fault fault)
{
	struct upstream_stream *stream = stream_of(h2);
	struct exchange *exchange = stream->server.exchange;

	(void)owner;
	(void)fault; /* what is wrong with a response closes its stream */
	if (stream->head_came && exchange->informational < UINT8_MAX)
		exchange->informational++;
	stream->head_came = true;
	exchange->response_head_bytes = h2->head_bytes;
	if (exchange->response.status >= 200)
		body_reader_init_stream(&exchange->to_downstream.reader, h2,
					exchange->response.framing);
	note(stream);
}

void upstream_stream_on_body(void *owner, struct h2_stream *h2, struct span bytes)
{
	struct upstream_stream *stream = stream_of(h2);
	struct relay *relay = &stream->server.exchange->to_downstream;

	(void)owner;
	if (!relay_feed(relay, &worker_of(stream)->iobufs, bytes))
		stream->starved = true;
	note(stream);
}

void upstream_stream_on_end(void *owner, struct h2_stream *h2)
{
	(void)owner;
	note(stream_of(h2));
}

void upstream_stream_on_sent(void *owner, struct h2_stream *h2)
{
	(void)owner;
	note(stream_of(h2));
}

void upstream_stream_on_closed(void *owner, struct h2_stream *h2, enum fault fault, uint32_t code)
{
	struct upstream_stream *stream = stream_of(h2);

	(void)owner;
	(void)code;
	stream->closed = true;
	stream->fault = fault;
	note(stream);
}

struct h2_body upstream_stream_read_body(void *owner, struct h2_stream *h2, size_t max)
{
	struct upstream_stream *stream = stream_of(h2);
	struct h2_body body = message_sender_fetch(&stream->server.exchange->to_upstream.sender,
						   max);

	(void)owner;
	if (body.status != H2_BODY_WAIT)
		note(stream);
	return body;
}

void upstream_stream_body_sent(void *owner, struct h2_stream *h2, size_t bytes)
{
	(void)owner;
	message_sender_fetched(&stream_of(h2)->server.exchange->to_upstream.sender, bytes);
}

/*
 * What is done about it
 */

/* Once the response goes to the client a reset of the endpoint's is no matter of attempts. */
static enum fault fault_of_body(enum fault fault)
{
	return fault_facts(fault)->retry == FAULT_RETRY_NEVER ? fault : FAULT_RESPONSE_CUT;
}

/* HTTP/2 is done with it, and the response was not whole. */
static void end_closed(struct upstream_stream *stream)
{
	struct exchange *exchange = stream->server.exchange;

	if (exchange->state == EXCHANGE_RELAYING)
		attempt_break(exchange, fault_of_body(stream->fault));
	else
		attempt_fail(exchange, stream->fault);
}

static void pass_head(struct upstream_stream *stream)
{
	struct exchange *exchange = stream->server.exchange;

	stream->head_came = false;
	if (attempt_on_head(exchange))
		exchange_pump(exchange);
}

void upstream_stream_go_on(struct upstream_stream *stream)
{
	struct exchange *exchange = stream->server.exchange;

	if (stream->closed && !stream->h2.remote_ended) {
		end_closed(stream);
		return;
	}
	/* the endpoint wants no more of the request (RFC 9113, 8.1) */
	if (stream->closed && !stream->h2.local_ended)
		exchange->request_given_up = true;
	if (stream->starved)
		exchange_answer(exchange, FAULT_OUT_OF_MEMORY);
	else if (stream->head_came)
		pass_head(stream);
	else
		exchange_pump(exchange);
}
