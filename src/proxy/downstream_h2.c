/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/downstream_h2.h"

#include <string.h>
#include <sys/epoll.h>

#include "base/bug.h"
#include "proxy/downstream.h"
#include "proxy/downstream_stream.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

enum {
	TICK_MS = 1000,
	/* what one connection may read or write in a turn, so that others get theirs (security spec, 7.4) */
	SHARE_BYTES = 256 * 1024,
	/* with less room left than a frame of the usual size takes, what there is goes out first */
	FRAME_ROOM = 16 * 1024 + 64,
	/* of the setting: each stream is sure of a part of the connection's window */
	STREAMS_MAX = 1024,
	WINDOW_PARTS = 2,
};

static struct worker *worker_of(const struct downstream_h2 *connection)
{
	return connection->downstream->worker;
}

static uint64_t now_ns(const struct downstream_h2 *connection)
{
	return loop_now_ns(worker_of(connection)->loop);
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

	if (is_idle(connection) && h2_is_calm(&connection->session))
		delay_ms = idle_left_ms(connection);
	downstream_arm(connection->downstream, delay_ms);
}

void downstream_h2_count_streams(struct downstream_h2 *connection)
{
	bool is_busy = connection->session.streams > 0;

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
	struct downstream_h2 *connection = owner;
	struct downstream_stream *stream = downstream_stream_new(connection);

	if (stream == NULL) {
		worker_of(connection)->area->faults[FAULT_OVERLOADED]++;
		return NULL;
	}
	connection->downstream->requests++;
	if (was_the_last(connection))
		h2_drain(&connection->session, now_ns(connection));
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
	struct downstream_h2 *connection = owner;

	loop_defer(worker_of(connection)->loop, &connection->task);
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
static void go_on_with_streams(struct downstream_h2 *connection)
{
	struct list *link;

	downstream_h2_count_streams(connection);
	while ((link = list_first(&connection->moved)) != NULL) {
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

	h2_session_fini(&connection->session, fault);
	go_on_with_streams(connection);
	/* tunnels whose client has ended, and whose endpoint has not taken all */
	list_for_each_safe (link, &connection->streams)
		exchange_cut(container_of(link, struct downstream_stream, link)->client.exchange,
			     fault);
	loop_task_cancel(&connection->task);
	iobuf_give(&worker->iobufs, connection->in);
	iobuf_give(&worker->iobufs, connection->out);
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
	enum fault fault = connection->session.fault;

	/* else the records of the streams tell */
	if (fault != FAULT_NONE && connection->session.streams == 0)
		downstream->worker->area->faults[fault]++;
	stop(connection, fault == FAULT_NONE ? FAULT_CLIENT_CLOSED : fault);
	downstream_linger(downstream);
}

/*
 * Bytes out
 */

enum written { WRITTEN_ALL, WRITTEN_PART, WRITTEN_BROKEN };

/* *bytes: afterwards what is left. */
static enum written write_out(struct downstream_h2 *connection, struct span *bytes)
{
	while (bytes->len > 0) {
		struct iovec piece = {.iov_base = (char *)bytes->ptr, .iov_len = bytes->len};
		ssize_t put = transport_write(&connection->downstream->transport, &piece, 1);

		if (put == TRANSPORT_AGAIN)
			return WRITTEN_PART;
		if (put == TRANSPORT_BROKEN)
			return WRITTEN_BROKEN;
		*bytes = span_skip(*bytes, (size_t)put);
	}
	return WRITTEN_ALL;
}

/* What the kernel did not take the last time goes first, unchanged. */
static enum written write_rest(struct downstream_h2 *connection)
{
	struct iobuf *out = connection->out;
	struct span rest;
	enum written written;

	if (out == NULL)
		return WRITTEN_ALL;
	rest = span_make(out->bytes + out->start, out->end - out->start);
	written = write_out(connection, &rest);
	if (written == WRITTEN_PART) {
		out->start = out->end - (uint32_t)rest.len;
		return written;
	}
	iobuf_give(&worker_of(connection)->iobufs, out);
	connection->out = NULL;
	return written;
}

static bool keep_rest(struct downstream_h2 *connection, struct span rest)
{
	struct iobuf *out = iobuf_take_large(&worker_of(connection)->iobufs, rest.len);

	if (out == NULL)
		return false;
	memcpy(out->bytes, rest.ptr, rest.len);
	out->end = (uint32_t)rest.len;
	connection->out = out;
	return true;
}

/* Frames, and what streams have for more of them once these are made. */
static struct span make_frames(struct downstream_h2 *connection)
{
	char *frames = worker_of(connection)->frames;
	size_t length = 0;

	while (WORKER_FRAMES_SIZE - length >= FRAME_ROOM && h2_wants_write(&connection->session)) {
		size_t more = h2_pull(&connection->session, frames + length,
				      WORKER_FRAMES_SIZE - length, now_ns(connection));

		length += more;
		go_on_with_streams(connection);
		if (more == 0)
			break;
	}
	return span_make(frames, length);
}

/* Writes what there is, as far as the kernel takes it. False: the client cannot be told any more. */
static bool transmit(struct downstream_h2 *connection)
{
	size_t left = SHARE_BYTES;

	for (;;) {
		enum written written = write_rest(connection);
		struct span frames;

		if (written != WRITTEN_ALL)
			return written == WRITTEN_PART;
		frames = make_frames(connection);
		if (frames.len == 0)
			return true;
		left -= frames.len < left ? frames.len : left;
		written = write_out(connection, &frames);
		if (written == WRITTEN_PART)
			return keep_rest(connection, frames);
		if (written == WRITTEN_BROKEN)
			return false;
		if (left == 0) {
			loop_defer(worker_of(connection)->loop, &connection->task);
			return true;
		}
	}
}

/*
 * Bytes in
 */

/* What was read is handed on. False: what is to be sent must go first. */
static bool hand_on(struct downstream_h2 *connection)
{
	struct iobuf *in = connection->in;

	in->start += (uint32_t)h2_receive(&connection->session,
					  span_make(in->bytes + in->start, in->end - in->start),
					  now_ns(connection));
	go_on_with_streams(connection);
	return in->start == in->end;
}

static bool take_buffer(struct downstream_h2 *connection)
{
	if (connection->in == NULL)
		connection->in = iobuf_take(&worker_of(connection)->iobufs);
	return connection->in != NULL;
}

static void give_buffer(struct downstream_h2 *connection)
{
	iobuf_give(&worker_of(connection)->iobufs, connection->in);
	connection->in = NULL;
}

/* Reads while there is something to be read. False: the client has closed, or there is no memory for it. */
static bool receive(struct downstream_h2 *connection)
{
	struct transport *transport = &connection->downstream->transport;
	size_t left = SHARE_BYTES;

	if (connection->in != NULL && !hand_on(connection))
		return true;
	while (transport->can_read && h2_wants_read(&connection->session) && left > 0) {
		ssize_t got;

		if (!take_buffer(connection))
			return false;
		got = transport_read(transport, connection->in->bytes, connection->in->room);
		if (got == TRANSPORT_AGAIN)
			break;
		if (got <= 0)
			return false;
		connection->in->start = 0;
		connection->in->end = (uint32_t)got;
		left -= (size_t)got < left ? (size_t)got : left;
		if (!hand_on(connection))
			return true;
	}
	give_buffer(connection);
	return true;
}

/*
 * Events
 */

/* Something is left to be read when the others have had their turn. */
static bool has_more(const struct downstream_h2 *connection)
{
	if (connection->out != NULL)
		return false; /* until the kernel has room */
	return connection->in != NULL ||
	       (connection->downstream->transport.can_read && h2_wants_read(&connection->session));
}

static void settle(struct downstream_h2 *connection)
{
	if (connection->out == NULL && h2_is_over(&connection->session))
		close_over(connection);
	else if (has_more(connection))
		loop_defer(worker_of(connection)->loop, &connection->task);
}

static void on_turn_end(struct loop_task *task)
{
	struct downstream_h2 *connection = container_of(task, struct downstream_h2, task);

	if (receive(connection) && transmit(connection))
		settle(connection);
	else
		close_broken(connection, FAULT_CLIENT_CLOSED);
}

void downstream_h2_on_ready(struct downstream *downstream, uint32_t events)
{
	struct downstream_h2 *connection = downstream->h2;

	/* our half is not shut: both are only by a reset */
	if ((events & (EPOLLERR | EPOLLHUP)) != 0 || !receive(connection))
		close_broken(connection, FAULT_CLIENT_CLOSED);
	else
		loop_defer(downstream->worker->loop, &connection->task);
}

static void end_idle(struct downstream_h2 *connection)
{
	h2_end(&connection->session, H2_NO_ERROR);
	if (transmit(connection) && connection->out == NULL)
		close_over(connection);
	else
		close_broken(connection, FAULT_CLIENT_CLOSED);
}

void downstream_h2_on_expired(struct downstream *downstream)
{
	struct downstream_h2 *connection = downstream->h2;

	h2_tick(&connection->session, now_ns(connection));
	if (is_idle(connection) && idle_left_ms(connection) == 0) {
		end_idle(connection);
		return;
	}
	arm(connection);
	loop_defer(downstream->worker->loop, &connection->task);
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
	if (h2_session_init(&connection->session, &options, &calls, connection,
			    loop_now_ns(worker->loop)) == -1) {
		slab_give(&worker->h2_downstreams, connection);
		return NULL;
	}
	connection->downstream = downstream;
	loop_task_init(&connection->task, on_turn_end);
	list_init(&connection->moved);
	list_init(&connection->streams);
	connection->in = downstream->in;
	connection->out = NULL;
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
		h2_drain(&connection->session, now_ns(connection));
	loop_defer(worker->loop, &connection->task);
}

void downstream_h2_drain(struct downstream *downstream)
{
	h2_drain(&downstream->h2->session, now_ns(downstream->h2));
	arm(downstream->h2);
}

void downstream_h2_end(struct downstream *downstream)
{
	struct downstream_h2 *connection = downstream->h2;
	char bytes[H2_PULL_MIN]; /* the worker's frames may be another connection's now */
	struct iovec piece = {.iov_base = bytes};

	h2_end(&connection->session, H2_NO_ERROR);
	if (connection->out == NULL) {
		piece.iov_len = h2_pull(&connection->session, bytes, sizeof(bytes),
					now_ns(connection));
		/* what becomes of it does not matter */
		(void)transport_write(&downstream->transport, &piece, 1);
	}
	close_broken(connection, FAULT_CLIENT_CLOSED);
}

void downstream_h2_cut(struct downstream *downstream)
{
	struct downstream_h2 *connection = downstream->h2;

	list_for_each_safe (link, &connection->streams)
		downstream_stream_cut(container_of(link, struct downstream_stream, link));
	if (transmit(connection)) {
		h2_end(&connection->session, H2_NO_ERROR);
		(void)transmit(connection); /* the end comes, whether it is told or not */
	}
	close_broken(connection, FAULT_SHUTDOWN);
}
