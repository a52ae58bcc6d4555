/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstream_h1.h"

#include <string.h>
#include <sys/epoll.h>

#include "base/bug.h"
#include "http/h1_parse.h"
#include "proxy/attempt.h"
#include "proxy/conn_pool.h"
#include "proxy/exchange.h"
#include "proxy/tunnel.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

/*
 * From rest to use and back
 */

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct upstream *upstream = container_of(source, struct upstream, transport.source);

	transport_note(&upstream->transport, events);
	if (!upstream->idle)
		upstream_h1_go_on(upstream);
	else if ((events & ~(uint32_t)EPOLLOUT) != 0 && transport_has_news(&upstream->transport))
		upstream_close(upstream);
}

static void on_expired(struct timer *timer)
{
	struct upstream *upstream = container_of(timer, struct upstream, server.timer);

	if (upstream->idle)
		upstream_close(upstream);
	else
		server_on_expired(timer);
}

/* The kernel is asked once more: one on which anything has come meanwhile is closed and never used (security
 * spec, U8). */
static bool serves(struct upstream *upstream)
{
	if (upstream->h2 != NULL)
		return false;
	if (!transport_has_news(&upstream->transport))
		return true;
	upstream_close(upstream);
	return false;
}

struct upstream *upstream_h1_wake(struct worker *worker, const struct endpoint_record *endpoint,
				  const struct tls_context *tls)
{
	struct upstream *upstream = conn_pool_find(&worker->pool, endpoint, tls, serves);

	if (upstream == NULL)
		return NULL;
	upstream_wake(upstream);
	worker->counters->upstream_reused++;
	return upstream;
}

struct server *upstream_h1_take(struct exchange *exchange, const struct endpoint_record *endpoint,
				const struct upstream_way *way)
{
	struct upstream *upstream = NULL;

	if (!exchange->fresh_connection)
		upstream = upstream_h1_wake(exchange->worker, endpoint, way->tls);
	if (upstream == NULL)
		upstream = upstream_open(exchange->worker, endpoint, way->tls, on_ready,
					 on_expired);
	if (upstream == NULL)
		return NULL;
	upstream->server.exchange = exchange;
	return &upstream->server;
}

/* Nothing lies behind the response, in the kernel either: an edge that was used up tells nobody (U8). */
static bool is_quiet(struct transport *transport)
{
	if (!transport->can_read)
		return true;
	if (transport_has_news(transport))
		return false;
	transport->can_read = false;
	return true;
}

static bool is_reusable(struct upstream *upstream)
{
	const struct exchange *exchange = upstream->server.exchange;
	const struct body_reader *reader = &exchange->to_downstream.reader;

	return exchange->response.keep_alive && exchange->response.framing != BODY_CLOSE &&
	       reader->ended && reader->buf->start == reader->buf->end &&
	       !upstream->transport.peer_done && is_quiet(&upstream->transport);
}

void upstream_h1_release(struct upstream *upstream, bool reusable)
{
	struct worker *worker = upstream->worker;

	if (!reusable || !upstream_may_serve_on(upstream)) {
		upstream_close(upstream);
		return;
	}
	iobuf_give(&worker->iobufs, upstream->in);
	upstream->in = NULL;
	upstream->server.exchange = NULL;
	timer_start(worker->timers, &upstream->server.timer,
		    shards_settings(&worker->tables.routes)->upstream_keepalive_timeout_ms);
	upstream_rest(upstream);
}

void upstream_h1_finish(struct upstream *upstream, bool whole)
{
	upstream_h1_release(upstream, whole && is_reusable(upstream));
}

/*
 * The connection is made
 */

/* Whatever can be read from it already is no answer (security spec, U8), and where nothing can, the edge that said so
 * must not be waited for again. */
static enum fault look_at_connected(struct upstream *upstream)
{
	enum fault fault = upstream_connect_fault(upstream);

	if (fault != FAULT_NONE || !upstream->transport.can_read)
		return fault;
	if (upstream->transport.peer_done)
		return FAULT_UPSTREAM_CLOSED;
	if (transport_has_news(&upstream->transport))
		return FAULT_BAD_RESPONSE;
	upstream->transport.can_read = false;
	return FAULT_NONE;
}

static void on_connected(struct exchange *exchange)
{
	struct server *server = exchange->server;
	enum fault fault = look_at_connected(server->connection);

	if (fault != FAULT_NONE) {
		attempt_fail(exchange, fault);
		return;
	}
	if (!server->connection->transport.can_write)
		return;
	server->connecting = false;
	attempt_on_connected(exchange);
}

/*
 * The response head comes in
 */

static enum fault fault_of_close(const struct exchange *exchange, bool broken)
{
	const struct upstream *upstream = exchange->server->connection;
	bool silent = upstream->in->end == 0 && exchange->informational == 0;

	if (upstream->reused && silent)
		return FAULT_STALE_CONNECTION;
	return broken ? FAULT_UPSTREAM_RESET : FAULT_UPSTREAM_CLOSED;
}

/* The head is larger than the buffer: a larger one takes over, and the head is read anew. */
static bool grow_buffer(struct exchange *exchange)
{
	struct upstream *upstream = exchange->server->connection;
	struct iobuf_pool *pool = &exchange->worker->iobufs;
	struct iobuf *larger;

	iobuf_compact(upstream->in);
	exchange->progress = (struct h1_progress){0};
	exchange->response = (struct response_head){.headers = exchange->response_headers};
	if (upstream->in->end < upstream->in->room)
		return true;
	larger = iobuf_take_large(pool, (size_t)upstream->in->room * 4);
	if (larger == NULL)
		return false;
	memcpy(larger->bytes, upstream->in->bytes, upstream->in->end);
	larger->end = upstream->in->end;
	iobuf_give(pool, upstream->in);
	upstream->in = larger;
	return true;
}

static struct h1_limits response_limits(const struct exchange *exchange)
{
	uint32_t head_bytes = attempt_head_bytes_max(exchange);

	return (struct h1_limits){
		.line_bytes = head_bytes,
		.field_bytes = head_bytes,
		.head_bytes = head_bytes,
		.fields = HEAD_RESPONSE_FIELDS_MAX,
		.underscores = true,
		.keep_odd_names = true,
	};
}

/* Parses what is there. True: more bytes are needed. */
static bool parse_head(struct exchange *exchange)
{
	struct h1_limits limits = response_limits(exchange);

	for (;;) {
		struct iobuf *in = exchange->server->connection->in;
		struct h1_result result = h1_parse_response(
			span_make(in->bytes + in->start, in->end - in->start), &limits,
			exchange->request.method_id, &exchange->progress, &exchange->response);

		if (result.status == H1_BAD) {
			attempt_fail(exchange, result.fault);
			return false;
		}
		if (result.status == H1_MORE)
			return true;
		in->start += (uint32_t)result.consumed;
		exchange->response_head_bytes += (uint32_t)result.consumed;
		exchange->progress = (struct h1_progress){0};
		if (!attempt_on_head(exchange))
			return false;
	}
}

static bool has_response_buffer(struct exchange *exchange)
{
	struct upstream *upstream = exchange->server->connection;

	if (upstream->in == NULL)
		upstream->in = iobuf_take(&exchange->worker->iobufs);
	return upstream->in != NULL &&
	       (upstream->in->end < upstream->in->room || grow_buffer(exchange));
}

/* Reads and parses until the head is whole. True: the exchange still waits for it. */
static bool read_head(struct exchange *exchange)
{
	struct upstream *upstream = exchange->server->connection;

	while (upstream->transport.can_read) {
		struct iobuf *in;
		ssize_t got;

		if (!has_response_buffer(exchange)) {
			exchange_answer(exchange, FAULT_OUT_OF_MEMORY);
			return false;
		}
		in = upstream->in;
		got = transport_read(&upstream->transport, in->bytes + in->end, in->room - in->end);
		if (got == TRANSPORT_AGAIN)
			return true;
		if (got <= 0) {
			attempt_fail(exchange, fault_of_close(exchange, got == TRANSPORT_BROKEN));
			return false;
		}
		in->end += (uint32_t)got;
		if (!parse_head(exchange))
			return false;
	}
	return true;
}

void upstream_h1_go_on(struct upstream *upstream)
{
	struct exchange *exchange = upstream->server.exchange;

	switch (exchange->state) {
	case EXCHANGE_CONNECTING:
		on_connected(exchange);
		break;
	case EXCHANGE_WAITING:
		if (read_head(exchange))
			exchange_pump(exchange);
		break;
	case EXCHANGE_RELAYING:
		exchange_pump(exchange);
		break;
	case EXCHANGE_TUNNELLING:
		tunnel_pump(exchange);
		break;
	case EXCHANGE_HEAD:
	case EXCHANGE_ROUTING:
	case EXCHANGE_ANSWERING:
	case EXCHANGE_DONE:
		BUG_ON(true); /* no attempt is under way there */
	}
}
