/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/downstream_h2.h"

#include <sys/epoll.h>

#include "base/bug.h"
#include "proxy/downstream.h"
#include "proxy/downstream_stream.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

enum {
	TICK_MS = 1000,
	/* of the setting: each stream is sure of a part of the connection's window */
	STREAMS_MAX = 1024,
	WINDOW_PARTS = 2,
};

static struct worker *worker_of(const struct downstream_h2 *connection)
{
	return connection->downstream->worker;
}

static struct downstream_h2 *of(struct h2_wire *wire)
{
	return container_of(wire, struct downstream_h2, wire);
}

static uint64_t now_ns(const struct downstream_h2 *connection)
{
	return h2_wire_now_ns(&connection->wire);
}

/*
 * Time
 */

/* How long it may be idle. */
static uint32_t idle_ms(const struct downstream_h2 *connection)
{
	const struct table_settings *settings = worker_settings(worker_of(connection));

	if (settings == NULL)
		return WORKER_HEAD_TIMEOUT_MS;
	return connection->downstream->requests == 0 ? settings->client_header_timeout_ms
						     : settings->keep_alive_timeout_ms;
}

static uint32_t idle_left_ms(const struct downstream_h2 *connection)
{
	uint64_t idle = (now_ns(connection) - connection->idle_since_ns) / 1000000;
	uint32_t limit = idle_ms(connection);

	return idle < limit ? limit - (uint32_t)idle : 0;
}

static bool is_idle(const struct downstream_h2 *connection)
{
	return connection->downstream->state == DOWNSTREAM_IDLE;
}

/* Once a second while anything depends on it; else when it has been idle for too long. */
static void arm(struct downstream_h2 *connection)
{
	uint32_t delay_ms = TICK_MS;

	if (is_idle(connection) && h2_is_calm(&connection->wire.session))
		delay_ms = idle_left_ms(connection);
	downstream_arm(connection->downstream, delay_ms);
}

void downstream_h2_count_streams(struct downstream_h2 *connection)
{
	bool is_busy = connection->wire.session.streams > 0;

	if (is_busy != is_idle(connection))
		return;
	if (!is_busy)
		connection->idle_since_ns = now_ns(connection);
	downstream_move(connection->downstream, is_busy ? DOWNSTREAM_BUSY : DOWNSTREAM_IDLE);
	arm(connection);
}

/*
 * Calls of the codec
 */

static bool was_the_last(const struct downstream_h2 *connection)
{
	const struct table_settings *settings = worker_settings(worker_of(connection));

	return settings != NULL &&
	       (settings->keep_alive_timeout_ms == 0 ||
		connection->downstream->requests >= settings->keep_alive_requests);
}

static struct h2_stream *on_begin(void *owner)
{
	struct downstream_h2 *connection = of(owner);
	struct downstream_stream *stream = downstream_stream_new(connection);

	if (stream == NULL) {
		worker_of(connection)->area->faults[FAULT_OVERLOADED]++;
		return NULL;
	}
	connection->downstream->requests++;
	if (was_the_last(connection))
		h2_drain(&connection->wire.session, now_ns(connection));
	return &stream->h2;
}

static void on_settings(void *owner)
{
	(void)owner; /* nothing is asked of a client */
}

static void on_goaway(void *owner, uint32_t last_id, uint32_t code)
{
	(void)owner; /* a client that begins no more requests: its streams go on, then it closes */
	(void)last_id;
	(void)code;
}

static void on_output(void *owner)
{
	h2_wire_defer(owner);
}

static const struct h2_calls calls = {
	.on_begin = on_begin,
	.on_head = downstream_stream_on_head,
	.on_body = downstream_stream_on_body,
	.on_end = downstream_stream_on_remote_end,
	.on_closed = downstream_stream_on_closed,
	.read_body = downstream_stream_read_body,
	.body_sent = downstream_stream_body_sent,
	.on_settings = on_settings,
	.on_goaway = on_goaway,
	.on_output = on_output,
};

/* What the codec's calls have noted is done. */
static void go_on_with_streams(struct h2_wire *wire)
{
	struct list *link;

	downstream_h2_count_streams(of(wire));
	while ((link = list_first(&wire->moved)) != NULL) {
		list_remove(link);
		downstream_stream_go_on(container_of(link, struct downstream_stream, moved));
	}
}

/*
 * The end
 */

/* Streams that are open end with that fault, and HTTP/2 with them. */
static void stop(struct downstream_h2 *connection, enum fault fault)
{
	struct downstream *downstream = connection->downstream;
	struct worker *worker = downstream->worker;

	h2_session_fini(&connection->wire.session, fault);
	go_on_with_streams(&connection->wire);
	/* tunnels whose client has ended, and whose endpoint has not taken all */
	list_for_each_safe (link, &connection->streams)
		exchange_cut(container_of(link, struct downstream_stream, link)->client.exchange,
			     fault);
	h2_wire_fini(&connection->wire);
	downstream->h2 = NULL;
	slab_give(&worker->h2_downstreams, connection);
}

/* The client is gone, or cannot be told any more. */
static void close_broken(struct downstream_h2 *connection, enum fault fault)
{
	struct downstream *downstream = connection->downstream;

	stop(connection, fault);
	downstream_close(downstream);
}

/* All was said that there was to say. */
static void close_over(struct downstream_h2 *connection)
{
	struct downstream *downstream = connection->downstream;
	enum fault fault = connection->wire.session.fault;

	/* else the records of the streams tell */
	if (fault != FAULT_NONE && connection->wire.session.streams == 0)
		downstream->worker->area->faults[fault]++;
	stop(connection, fault == FAULT_NONE ? FAULT_CLIENT_CLOSED : fault);
	downstream_linger(downstream);
}

/*
 * Events
 */

static void settle(struct downstream_h2 *connection)
{
	if (connection->wire.out == NULL && h2_is_over(&connection->wire.session))
		close_over(connection);
	else if (h2_wire_has_more(&connection->wire))
		h2_wire_defer(&connection->wire);
}

static void on_turn_end(struct loop_task *task)
{
	struct downstream_h2 *connection = container_of(task, struct downstream_h2, wire.task);

	if (h2_wire_receive(&connection->wire) == H2_WIRE_OPEN &&
	    h2_wire_transmit(&connection->wire) == H2_WIRE_OPEN)
		settle(connection);
	else
		close_broken(connection, FAULT_CLIENT_CLOSED);
}

void downstream_h2_on_ready(struct downstream *downstream, uint32_t events)
{
	struct downstream_h2 *connection = downstream->h2;

	/* our half is not shut: both are only by a reset */
	if ((events & (EPOLLERR | EPOLLHUP)) != 0 ||
	    h2_wire_receive(&connection->wire) != H2_WIRE_OPEN)
		close_broken(connection, FAULT_CLIENT_CLOSED);
	else
		h2_wire_defer(&connection->wire);
}

static void end_idle(struct downstream_h2 *connection)
{
	h2_end(&connection->wire.session, H2_NO_ERROR);
	if (h2_wire_transmit(&connection->wire) == H2_WIRE_OPEN && connection->wire.out == NULL)
		close_over(connection);
	else
		close_broken(connection, FAULT_CLIENT_CLOSED);
}

void downstream_h2_on_expired(struct downstream *downstream)
{
	struct downstream_h2 *connection = downstream->h2;

	h2_tick(&connection->wire.session, now_ns(connection));
	if (is_idle(connection) && idle_left_ms(connection) == 0) {
		end_idle(connection);
		return;
	}
	arm(connection);
	h2_wire_defer(&connection->wire);
}

/*
 * Begin and end
 */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static struct h2_options options_of(const struct downstream *downstream)
{
	const struct table_settings *settings = worker_settings(downstream->worker);
	struct h2_options options = h2_options_usual(H2_SERVER);

	options.https = transport_is_tls(&downstream->transport);
	if (settings == NULL)
		return options;
	options.streams_max = least(settings->http2_streams, STREAMS_MAX);
	options.stream_window_first_bytes = least(options.stream_window_first_bytes,
						  options.window_bytes / WINDOW_PARTS /
							  options.streams_max);
	options.head = (struct h2_head_limits){
		.path_bytes = settings->header_line_bytes,
		.field_bytes = settings->header_line_bytes,
		.head_bytes = least(settings->header_total_bytes, WORKER_HEAD_MAX),
		.fields = HEAD_REQUEST_FIELDS_MAX,
		.underscores = settings->underscores_in_headers != 0,
		.keep_odd_names = settings->ignore_invalid_headers == 0,
	};
	options.stall_ns = (uint64_t)settings->client_stall_timeout_ms * 1000000;
	return options;
}

/* NULL: there is no memory. */
static struct downstream_h2 *start(struct downstream *downstream)
{
	struct worker *worker = downstream->worker;
	struct h2_options options = options_of(downstream);
	struct downstream_h2 *connection = slab_take(&worker->h2_downstreams);

	if (connection == NULL)
		return NULL;
	h2_wire_init(&connection->wire, worker, &downstream->transport, go_on_with_streams,
		     on_turn_end);
	if (h2_wire_begin(&connection->wire, &options, &calls, downstream->in) == -1) {
		slab_give(&worker->h2_downstreams, connection);
		return NULL;
	}
	connection->downstream = downstream;
	list_init(&connection->streams);
	connection->idle_since_ns = loop_now_ns(worker->loop);
	downstream->in = NULL;
	return connection;
}

void downstream_h2_begin(struct downstream *downstream)
{
	struct worker *worker = downstream->worker;
	struct downstream_h2 *connection = start(downstream);

	if (connection == NULL) {
		worker->counters->downstream_refused++;
		downstream_close(downstream);
		return;
	}
	downstream->h2 = connection;
	arm(connection);
	if (worker->draining)
		h2_drain(&connection->wire.session, now_ns(connection));
	h2_wire_defer(&connection->wire);
}

void downstream_h2_drain(struct downstream *downstream)
{
	h2_drain(&downstream->h2->wire.session, now_ns(downstream->h2));
	arm(downstream->h2);
}

void downstream_h2_end(struct downstream *downstream)
{
	struct downstream_h2 *connection = downstream->h2;

	h2_end(&connection->wire.session, H2_NO_ERROR);
	h2_wire_take_leave(&connection->wire);
	close_broken(connection, FAULT_CLIENT_CLOSED);
}

void downstream_h2_cut(struct downstream *downstream)
{
	struct downstream_h2 *connection = downstream->h2;

	list_for_each_safe (link, &connection->streams)
		downstream_stream_cut(container_of(link, struct downstream_stream, link));
	if (h2_wire_transmit(&connection->wire) == H2_WIRE_OPEN) {
		h2_end(&connection->wire.session, H2_NO_ERROR);
		(void)h2_wire_transmit(
			&connection->wire); /* the end comes, whether it is told or not */
	}
	close_broken(connection, FAULT_SHUTDOWN);
}
