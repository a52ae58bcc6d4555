/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstream_h2.h"

#include <errno.h>

#include "base/bug.h"
#include "proxy/conn_pool.h"
#include "proxy/upstream.h"
#include "proxy/upstream_stream.h"
#include "proxy/worker.h"

#define SECOND_NS UINT64_C(1000000000)

enum {
	TICK_MS = 1000,
	/* for an answer to PING, and for the kernel to take what nobody will add to */
	PATIENCE_SECONDS = 5,
	/* from connection to connection for one attempt: one may turn out to have less room than was assumed, the next
	 * may be about to end; an endpoint that takes no streams at all must not be connected to again and again */
	MOVES_MAX = 2,
};

static struct upstream_h2 *of(struct h2_wire *wire)
{
	return container_of(wire, struct upstream_h2, wire);
}

static struct upstream_stream *stream_at(struct list *link)
{
	return container_of(link, struct upstream_stream, link);
}

static const struct table_settings *settings_of(const struct upstream_h2 *connection)
{
	return shards_settings(&connection->wire.worker->tables.routes);
}

static bool is_connecting(const struct upstream_h2 *connection)
{
	return connection->upstream->server.connecting;
}

static bool is_used(const struct upstream_h2 *connection)
{
	return !list_is_empty(&connection->streams) || !list_is_empty(&connection->waiting);
}

/*
 * Time
 */

static uint32_t idle_left_ms(const struct upstream_h2 *connection)
{
	uint64_t idle = (h2_wire_now_ns(&connection->wire) - connection->idle_since_ns) / 1000000;
	uint32_t limit = settings_of(connection)->upstream_keepalive_timeout_ms;

	return idle < limit ? limit - (uint32_t)idle : 0;
}

static bool is_in_doubt(const struct upstream_h2 *connection)
{
	return connection->doubted_ns != 0 &&
	       connection->wire.received == connection->received_doubted;
}

/* Once a second while anything depends on it; else when it has been idle for too long. */
static void arm(struct upstream_h2 *connection)
{
	uint32_t delay_ms = TICK_MS;

	if (connection->upstream->idle && !is_in_doubt(connection) &&
	    h2_is_calm(&connection->wire.session))
		delay_ms = idle_left_ms(connection);
	timer_start(connection->wire.worker->timers, &connection->upstream->server.timer, delay_ms);
}

/* Nothing has come of it since it was idle. */
static bool is_silent(const struct upstream_h2 *connection)
{
	return connection->wire.received == connection->received_idle;
}

static bool is_over(const struct upstream_h2 *connection, uint64_t since_ns)
{
	return h2_wire_now_ns(&connection->wire) - since_ns >= PATIENCE_SECONDS * SECOND_NS;
}

static void look_for_stuck_output(struct upstream_h2 *connection)
{
	if (is_used(connection) || connection->wire.out == NULL)
		connection->stuck_ns = 0;
	else if (connection->stuck_ns == 0)
		connection->stuck_ns = h2_wire_now_ns(&connection->wire);
}

/* The endpoint does not answer any more, or takes nothing. */
static bool is_lost(const struct upstream_h2 *connection)
{
	return (is_in_doubt(connection) && is_over(connection, connection->doubted_ns)) ||
	       (connection->stuck_ns != 0 && is_over(connection, connection->stuck_ns));
}

void upstream_h2_doubt(struct upstream_h2 *connection)
{
	if (connection->dead || is_connecting(connection) || is_in_doubt(connection))
		return;
	connection->doubted_ns = h2_wire_now_ns(&connection->wire);
	connection->received_doubted = connection->wire.received;
	h2_ping(&connection->wire.session);
}

/*
 * The end
 */

/* No stream is on it, and there is no session. */
static void close_unused(struct upstream_h2 *connection)
{
	struct upstream *upstream = connection->upstream;

	BUG_ON(is_used(connection));
	h2_wire_fini(&connection->wire);
	slab_give(&upstream->worker->h2_upstreams, connection);
	upstream->h2 = NULL;
	upstream_close(upstream);
}

/* Attempts that are under way fail with that fault. Responses that have come whole, and that clients have not taken,
 * stay, and the connection with them. */
static void die(struct upstream_h2 *connection, enum fault fault)
{
	struct list *link;

	/* first of all, so that no attempt comes to it again */
	conn_pool_hide(connection->upstream);
	connection->dead = true;
	timer_stop(connection->wire.worker->timers, &connection->upstream->server.timer);
	if (!is_connecting(connection))
		h2_session_fini(&connection->wire.session, fault);
	connection->wire.act(&connection->wire);
	while ((link = list_first(&connection->waiting)) != NULL)
		upstream_stream_fail(stream_at(link), fault);
	if (!is_used(connection))
		close_unused(connection);
}

void upstream_h2_end(struct upstream *upstream)
{
	struct upstream_h2 *connection = upstream->h2;

	if (!connection->dead && !is_connecting(connection)) {
		h2_end(&connection->wire.session, H2_NO_ERROR);
		h2_wire_take_leave(&connection->wire);
		h2_session_fini(&connection->wire.session, FAULT_NONE);
	}
	close_unused(connection);
}

/* What it came to for those who hear no more of it. */
static enum fault fault_of(const struct upstream_h2 *connection, enum h2_wire_status status)
{
	if (connection->wire.session.fault != FAULT_NONE)
		return connection->wire.session.fault;
	if (status == H2_WIRE_NO_MEMORY)
		return FAULT_OUT_OF_MEMORY;
	if (is_silent(connection))
		return FAULT_STALE_CONNECTION;
	return status == H2_WIRE_BROKEN ? FAULT_UPSTREAM_RESET : FAULT_UPSTREAM_CLOSED;
}

/*
 * Streams
 */

static bool can_start(const struct upstream_h2 *connection)
{
	const struct h2_session *session = &connection->wire.session;

	if (connection->dead || is_connecting(connection) || session->draining)
		return false;
	return session->settings_came ? h2_streams_allowed(session) > 0 : session->streams == 0;
}

bool upstream_h2_is_open(const struct upstream_h2 *connection)
{
	return list_is_empty(&connection->waiting) && can_start(connection);
}

void upstream_h2_count_streams(struct upstream_h2 *connection)
{
	h2_wire_defer(&connection->wire);
}

/* To another connection to the same endpoint: this one has no room for it. */
static void move_away(struct upstream_h2 *connection, struct upstream_stream *stream)
{
	const struct upstream *upstream = connection->upstream;
	struct endpoint_record endpoint = {
		.ip = upstream->at.ip,
		.port = upstream->at.port,
		.slot = upstream->slot,
		.incarnation = upstream->incarnation,
	};
	struct upstream_way way = {.protocol = UPSTREAM_HTTP2, .tls = upstream->tls};
	struct upstream_h2 *to;

	if (stream->moves == MOVES_MAX) {
		upstream_stream_fail(stream, FAULT_STREAM_REFUSED);
		return;
	}
	to = upstream_h2_take(upstream->worker, &endpoint, &way, false);
	if (to != NULL)
		upstream_stream_move(stream, to);
	else
		upstream_stream_fail(stream, upstream_errno_fault(errno));
}

static void start_waiting(struct upstream_h2 *connection)
{
	struct list *link;

	while ((link = list_first(&connection->waiting)) != NULL && can_start(connection))
		upstream_stream_start(stream_at(link));
	if (connection->dead || !connection->wire.session.settings_came)
		return;
	while ((link = list_first(&connection->waiting)) != NULL)
		move_away(connection, stream_at(link));
}

static struct upstream_stream *find_unsent(const struct upstream_h2 *connection)
{
	for (struct list *link = connection->streams.next; link != &connection->streams;
	     link = link->next)
		if (stream_at(link)->h2.wire_sent_bytes == 0)
			return stream_at(link);
	return NULL;
}

/* The endpoint takes fewer than it did when they were given to the session: there they would wait for ever. */
static void give_up_unsent(struct upstream_h2 *connection)
{
	const struct h2_session *session = &connection->wire.session;
	struct upstream_stream *stream;

	if (!connection->settings_news || connection->dead)
		return;
	connection->settings_news = false;
	while (session->streams > h2_streams_limit(session) &&
	       (stream = find_unsent(connection)) != NULL)
		upstream_stream_fail(stream, FAULT_STREAM_REFUSED);
}

static void act(struct h2_wire *wire)
{
	struct list *link;

	give_up_unsent(of(wire));
	start_waiting(of(wire));
	while ((link = list_first(&wire->moved)) != NULL) {
		list_remove(link);
		upstream_stream_go_on(container_of(link, struct upstream_stream, moved));
	}
}

/*
 * Calls of the codec
 */

static void on_settings(void *owner)
{
	of(owner)->settings_news = true;
}

static void on_goaway(void *owner, uint32_t last_id, uint32_t code)
{
	(void)owner; /* nothing new begins on it, and it ends with the last stream */
	(void)last_id;
	(void)code;
}

static void on_output(void *owner)
{
	h2_wire_defer(owner);
}

static const struct h2_calls calls = {
	.on_head = upstream_stream_on_head,
	.on_body = upstream_stream_on_body,
	.on_end = upstream_stream_on_end,
	.on_closed = upstream_stream_on_closed,
	.read_body = upstream_stream_read_body,
	.body_sent = upstream_stream_body_sent,
	.on_sent = upstream_stream_on_sent,
	.on_settings = on_settings,
	.on_goaway = on_goaway,
	.on_output = on_output,
};

/*
 * Events
 */

/* Nobody uses it any more. */
static void rest(struct upstream_h2 *connection)
{
	struct upstream *upstream = connection->upstream;

	if (connection->wire.session.draining || !upstream_may_serve_on(upstream)) {
		upstream_h2_end(upstream);
		return;
	}
	connection->idle_since_ns = h2_wire_now_ns(&connection->wire);
	upstream_rest(upstream);
	arm(connection);
}

static void settle(struct upstream_h2 *connection)
{
	struct h2_wire *wire = &connection->wire;

	if (wire->out == NULL && h2_is_over(&wire->session))
		die(connection, fault_of(connection, H2_WIRE_CLOSED));
	else if (h2_wire_has_more(wire))
		h2_wire_defer(wire);
	else if (connection->upstream->idle && wire->session.draining)
		upstream_h2_end(connection->upstream);
	else if (!connection->upstream->idle && !is_used(connection) && wire->out == NULL)
		rest(connection);
}

static void on_turn_end(struct loop_task *task)
{
	struct upstream_h2 *connection = container_of(task, struct upstream_h2, wire.task);
	enum h2_wire_status status;

	if (connection->dead || is_connecting(connection)) {
		if (!is_used(connection))
			close_unused(connection);
		return;
	}
	status = h2_wire_receive(&connection->wire);
	if (status == H2_WIRE_OPEN)
		status = h2_wire_transmit(&connection->wire);
	if (status == H2_WIRE_OPEN)
		settle(connection);
	else
		die(connection, fault_of(connection, status));
}

static struct h2_options options_of(void)
{
	struct h2_options options = h2_options_usual(H2_CLIENT);

	/* what a route allows is told with each stream, as are its time-outs */
	options.head.head_bytes = WORKER_HEAD_MAX;
	options.stall_ns = UINT64_MAX;
	return options;
}

static bool speaks_http2(const struct upstream *upstream)
{
	struct transport_tls facts;

	return upstream->tls == NULL ||
	       (transport_tls(&upstream->transport, &facts) && facts.alpn == TLS_ALPN_H2);
}

/* The connection is made: HTTP/2 begins. */
static enum fault begin(struct upstream_h2 *connection)
{
	struct h2_options options = options_of();

	if (!speaks_http2(connection->upstream))
		return FAULT_UPSTREAM_NOT_H2;
	if (h2_wire_begin(&connection->wire, &options, &calls, NULL) == -1)
		return FAULT_OUT_OF_MEMORY;
	connection->upstream->server.connecting = false;
	arm(connection);
	h2_wire_defer(&connection->wire);
	return FAULT_NONE;
}

static void on_connected(struct upstream_h2 *connection)
{
	enum fault fault = upstream_connect_fault(connection->upstream);

	if (fault == FAULT_NONE && !connection->upstream->transport.can_write)
		return;
	if (fault == FAULT_NONE)
		fault = begin(connection);
	if (fault == FAULT_NONE)
		act(&connection->wire);
	else
		die(connection, fault);
}

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct upstream *upstream = container_of(source, struct upstream, transport.source);
	struct upstream_h2 *connection = upstream->h2;
	enum h2_wire_status status;

	transport_note(&upstream->transport, events);
	if (connection->dead)
		return;
	if (is_connecting(connection)) {
		on_connected(connection);
		return;
	}
	status = h2_wire_receive(&connection->wire);
	if (status == H2_WIRE_OPEN)
		h2_wire_defer(&connection->wire);
	else
		die(connection, fault_of(connection, status));
}

static void on_expired(struct timer *timer)
{
	struct upstream *upstream = container_of(timer, struct upstream, server.timer);
	struct upstream_h2 *connection = upstream->h2;

	h2_tick(&connection->wire.session, h2_wire_now_ns(&connection->wire));
	look_for_stuck_output(connection);
	if (is_lost(connection)) {
		die(connection, FAULT_UPSTREAM_RESET);
		return;
	}
	if (upstream->idle && idle_left_ms(connection) == 0) {
		upstream_h2_end(upstream);
		return;
	}
	arm(connection);
	h2_wire_defer(&connection->wire);
}

/*
 * Where a stream finds a connection
 */

/* The kernel is asked once more: one that was closed meanwhile takes none (security spec, U8). */
static bool lives(struct upstream_h2 *connection)
{
	struct h2_wire *wire = &connection->wire;
	enum h2_wire_status status;

	if (!connection->upstream->idle || !transport_has_news(wire->transport))
		return true;
	wire->transport->can_read = true;
	h2_wire_defer(wire);
	status = h2_wire_receive(wire);
	if (status != H2_WIRE_OPEN)
		die(connection, fault_of(connection, status));
	return status == H2_WIRE_OPEN;
}

static uint32_t room_of(const struct upstream_h2 *connection)
{
	const struct h2_session *session = &connection->wire.session;

	if (!is_connecting(connection) && session->settings_came)
		return h2_streams_allowed(session);
	return session->draining || session->streams > connection->streams_assumed
		       ? 0
		       : connection->streams_assumed - session->streams;
}

static bool has_room(struct upstream *upstream)
{
	struct upstream_h2 *connection = upstream->h2;

	return connection != NULL && upstream_may_serve_on(upstream) && lives(connection) &&
	       !is_in_doubt(connection) && connection->waiting_count < room_of(connection);
}

static bool has_room_and_lives(struct upstream *upstream)
{
	return upstream->h2 != NULL && !upstream->idle && !is_silent(upstream->h2) &&
	       has_room(upstream);
}

static bool tells_limit(struct upstream *upstream)
{
	return upstream->h2 != NULL && !is_connecting(upstream->h2) &&
	       upstream->h2->wire.session.settings_came;
}

/* As many as its endpoint takes on another connection, if there is one. */
static uint32_t assume_streams(struct worker *worker, const struct endpoint_record *endpoint,
			       const struct upstream_way *way)
{
	struct upstream *other = conn_pool_find(&worker->pool, endpoint, way->tls, tells_limit);
	uint32_t limit = other == NULL ? h2_options_usual(H2_CLIENT).streams_max
				       : h2_streams_limit(&other->h2->wire.session);

	return limit > 0 ? limit : 1;
}

static struct upstream_h2 *new_connection(struct upstream *upstream, uint32_t streams_assumed)
{
	struct upstream_h2 *connection = slab_take(&upstream->worker->h2_upstreams);

	if (connection == NULL)
		return NULL;
	*connection = (struct upstream_h2){
		.upstream = upstream,
		.streams_assumed = streams_assumed,
		.received_idle = UINT64_MAX,
	};
	h2_wire_init(&connection->wire, upstream->worker, &upstream->transport, act, on_turn_end);
	list_init(&connection->streams);
	list_init(&connection->waiting);
	upstream->h2 = connection;
	return connection;
}

static struct upstream_h2 *open_connection(struct worker *worker,
					   const struct endpoint_record *endpoint,
					   const struct upstream_way *way)
{
	uint32_t streams_assumed = assume_streams(worker, endpoint, way);
	struct upstream *upstream = upstream_open(worker, endpoint, way->tls, on_ready, on_expired);
	struct upstream_h2 *connection;
	bool is_made;

	if (upstream == NULL)
		return NULL;
	is_made = !upstream->server.connecting;
	upstream->server.connecting = true; /* for there is no session before HTTP/2 has begun */
	connection = new_connection(upstream, streams_assumed);
	if (connection == NULL || (is_made && begin(connection) != FAULT_NONE)) {
		upstream_give_up(upstream);
		errno = ENOMEM;
		return NULL;
	}
	conn_pool_add(&worker->pool, upstream);
	return connection;
}

struct upstream_h2 *upstream_h2_take(struct worker *worker, const struct endpoint_record *endpoint,
				     const struct upstream_way *way, bool fresh)
{
	struct upstream *upstream = conn_pool_find(&worker->pool, endpoint, way->tls,
						   fresh ? has_room_and_lives : has_room);

	if (upstream == NULL)
		return open_connection(worker, endpoint, way);
	worker->counters->upstream_reused++;
	if (upstream->idle) {
		upstream_wake(upstream);
		upstream->h2->received_idle = upstream->h2->wire.received;
		arm(upstream->h2);
	}
	return upstream->h2;
}
