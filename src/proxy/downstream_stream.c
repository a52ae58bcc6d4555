/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/downstream_stream.h"

#include "base/bug.h"
#include "proxy/downstream.h"
#include "proxy/downstream_h2.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

static struct downstream_stream *stream_of(struct h2_stream *h2)
{
	return container_of(h2, struct downstream_stream, h2);
}

static struct worker *worker_of(const struct downstream_stream *stream)
{
	return stream->client.connection->worker;
}

static void on_expired(struct timer *timer)
{
	exchange_on_client_timeout(container_of(timer, struct client, timer)->exchange);
}

struct downstream_stream *downstream_stream_new(struct downstream_h2 *connection)
{
	struct worker *worker = connection->downstream->worker;
	struct downstream_stream *stream = slab_take(&worker->streams);
	struct exchange *exchange;

	if (stream == NULL)
		return NULL;
	*stream = (struct downstream_stream){
		.client = {.connection = connection->downstream, .stream = &stream->h2},
		.connection = connection,
	};
	list_init(&stream->moved);
	list_init(&stream->link);
	timer_init(&stream->client.timer, on_expired);
	exchange = exchange_new(&stream->client);
	if (exchange == NULL) {
		slab_give(&worker->streams, stream);
		return NULL;
	}
	exchange->head_started = true;
	list_add_last(&connection->streams, &stream->link);
	stream->client.exchange = exchange;
	stream->h2.arena = &exchange->arena;
	stream->h2.request = &exchange->request;
	return stream;
}

/* After h2_release the codec knows nothing of it any more. */
static void free_stream(struct downstream_stream *stream)
{
	struct worker *worker = worker_of(stream);
	struct downstream_h2 *connection = stream->connection;

	h2_release(&stream->h2);
	timer_stop(worker->timers, &stream->client.timer);
	list_remove(&stream->moved);
	list_remove(&stream->link);
	slab_give(&worker->streams, stream);
	downstream_h2_count_streams(connection);
}

/*
 * What happened
 */

static void note(struct downstream_stream *stream)
{
	h2_wire_note(&stream->connection->wire, &stream->moved);
}

void downstream_stream_on_head(void *owner, struct h2_stream *h2, enum fault fault)
{
	struct downstream_stream *stream = stream_of(h2);
	struct exchange *exchange = stream->client.exchange;

	(void)owner;
	stream->head_came = true;
	stream->fault = fault;
	body_reader_init_stream(&exchange->to_upstream.reader, h2, exchange->request.framing);
	note(stream);
}

void downstream_stream_on_body(void *owner, struct h2_stream *h2, struct span bytes)
{
	struct downstream_stream *stream = stream_of(h2);
	struct relay *relay = &stream->client.exchange->to_upstream;

	(void)owner;
	if (!relay_feed(relay, &worker_of(stream)->iobufs, bytes))
		stream->starved = true;
	note(stream);
}

void downstream_stream_on_remote_end(void *owner, struct h2_stream *h2)
{
	(void)owner;
	note(stream_of(h2));
}

void downstream_stream_on_closed(void *owner, struct h2_stream *h2, enum fault fault, uint32_t code)
{
	struct downstream_stream *stream = stream_of(h2);

	(void)owner;
	(void)code;
	if (fault != FAULT_NONE) {
		stream->closed = true;
		stream->fault = fault;
	}
	note(stream);
}

struct h2_body downstream_stream_read_body(void *owner, struct h2_stream *h2, size_t max)
{
	struct downstream_stream *stream = stream_of(h2);
	struct h2_body body = message_sender_fetch(&stream->client.exchange->to_downstream.sender,
						   max);

	(void)owner;
	if (body.status != H2_BODY_WAIT)
		note(stream);
	return body;
}

void downstream_stream_body_sent(void *owner, struct h2_stream *h2, size_t bytes)
{
	(void)owner;
	message_sender_fetched(&stream_of(h2)->client.exchange->to_downstream.sender, bytes);
}

/*
 * What is done about it
 */

/* Its head has not come and will not: as if there had been nothing. */
static void forget(struct downstream_stream *stream)
{
	exchange_forget(stream->client.exchange);
	stream->client.exchange = NULL;
	free_stream(stream);
}

static bool has_no_head(const struct downstream_stream *stream)
{
	return stream->client.exchange->state == EXCHANGE_HEAD && !stream->head_came;
}

/* HTTP/2 is done with it, and the response was not out. */
static void end_closed(struct downstream_stream *stream)
{
	if (has_no_head(stream) && stream->fault == FAULT_CLIENT_CLOSED) {
		forget(stream);
		return;
	}
	if (stream->head_came)
		worker_of(stream)->counters->requests++;
	exchange_cut(stream->client.exchange, stream->fault);
}

static void pass_head(struct downstream_stream *stream)
{
	struct exchange *exchange = stream->client.exchange;
	enum fault fault = stream->starved ? FAULT_OUT_OF_MEMORY : stream->fault;

	stream->head_came = false;
	stream->starved = false;
	if (fault == FAULT_NONE) {
		exchange_on_head(exchange, stream->h2.head_bytes);
		return;
	}
	exchange->head_bytes = stream->h2.head_bytes;
	exchange_answer(exchange, fault);
}

/* A part of the body is lost; where there is an answer already nobody wants it. */
static void end_starved(struct downstream_stream *stream)
{
	stream->starved = false;
	if (stream->client.exchange->state != EXCHANGE_ANSWERING)
		exchange_answer(stream->client.exchange, FAULT_OUT_OF_MEMORY);
}

void downstream_stream_go_on(struct downstream_stream *stream)
{
	if (stream->closed)
		end_closed(stream);
	else if (stream->head_came)
		pass_head(stream);
	else if (stream->starved)
		end_starved(stream);
	else
		exchange_on_downstream(stream->client.exchange);
}

void downstream_stream_cut(struct downstream_stream *stream)
{
	if (has_no_head(stream))
		forget(stream);
	else if (stream->client.exchange->state == EXCHANGE_ANSWERING)
		exchange_cut(stream->client.exchange, FAULT_SHUTDOWN);
	else
		exchange_answer(stream->client.exchange, FAULT_SHUTDOWN);
}

/*
 * The end
 */

/* What a client hears of a response that is not whole (U9). REFUSED_STREAM would let it send the request again, which
 * an endpoint may have acted on. */
static enum h2_error reset_code(struct client_end end)
{
	enum h2_error code = fault_facts(end.fault)->h2_error;

	if (code == H2_NO_ERROR)
		return H2_CANCEL; /* a tunnel whose other side broke (RFC 8441, 5) */
	return code == H2_REFUSED_STREAM && end.attempted ? H2_INTERNAL_ERROR : code;
}

void downstream_stream_on_end(struct client *client, struct client_end end)
{
	struct downstream_stream *stream = container_of(client, struct downstream_stream, client);

	if (!stream->h2.local_ended)
		h2_reset(&stream->h2, reset_code(end));
	free_stream(stream);
}
