/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/downstream_h1.h"

#include <string.h>
#include <sys/epoll.h>

#include "base/bug.h"
#include "http/h2_frames.h"
#include "proxy/downstream_h2.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

/* Room behind a head, so that a body does not begin in a full buffer. */
enum { HEAD_SLACK = 4096 };

static struct exchange *exchange_of(const struct downstream *downstream)
{
	return downstream->client.exchange;
}

/*
 * Reading a head
 */

static struct h1_limits request_limits(const struct worker *worker)
{
	const struct table_settings *settings = worker_settings(worker);

	if (settings == NULL)
		return (struct h1_limits){.line_bytes = 8192,
					  .field_bytes = 8192,
					  .head_bytes = 32768,
					  .fields = HEAD_REQUEST_FIELDS_MAX};
	return (struct h1_limits){
		.line_bytes = settings->header_line_bytes,
		.field_bytes = settings->header_line_bytes,
		.head_bytes = settings->header_total_bytes < WORKER_HEAD_MAX
				      ? settings->header_total_bytes
				      : WORKER_HEAD_MAX,
		.fields = HEAD_REQUEST_FIELDS_MAX,
		.underscores = settings->underscores_in_headers != 0,
		.keep_odd_names = settings->ignore_invalid_headers == 0,
	};
}

/* A buffer for the next head, with what came of an empty line before it. */
static struct iobuf *take_buffer(struct downstream *downstream)
{
	struct iobuf *in = iobuf_take(&downstream->worker->iobufs);

	if (in == NULL)
		return NULL;
	memcpy(in->bytes, "\r\n", downstream->blank);
	in->end = downstream->blank;
	downstream->blank = 0;
	return in;
}

/* Nothing has come, or at most an empty line, perhaps not all of it. */
static bool is_blank(const struct downstream *downstream)
{
	const struct iobuf *in = downstream->in;
	size_t length = in->end - in->start;

	return length <= 2 && memcmp(in->bytes + in->start, "\r\n", length) == 0;
}

/* Buffer and exchange for a request that begins. False: there is no room, and the connection is gone. */
static bool become_busy(struct downstream *downstream)
{
	struct worker *worker = downstream->worker;

	if (downstream->in == NULL)
		downstream->in = take_buffer(downstream);
	if (downstream->in != NULL)
		downstream->client.exchange = exchange_new(&downstream->client);
	if (downstream->client.exchange == NULL) {
		worker->counters->downstream_refused++;
		downstream_close(downstream);
		return false;
	}
	downstream->requests++;
	if (downstream->state != DOWNSTREAM_BUSY)
		downstream_move(downstream, DOWNSTREAM_BUSY);
	return true;
}

static void arm_idle(struct downstream *downstream)
{
	const struct table_settings *settings = worker_settings(downstream->worker);

	downstream_arm(downstream,
		       settings == NULL ? WORKER_HEAD_TIMEOUT_MS : settings->keep_alive_timeout_ms);
}

/* The buffer is blank, and the timer runs. */
static void become_idle(struct downstream *downstream)
{
	/* a request that has come all the same is still answered */
	if (downstream->worker->draining && !transport_has_news(&downstream->transport)) {
		downstream_close(downstream);
		return;
	}
	downstream->blank = (uint8_t)(downstream->in->end - downstream->in->start);
	iobuf_give(&downstream->worker->iobufs, downstream->in);
	downstream->in = NULL;
	downstream_move(downstream, DOWNSTREAM_IDLE);
}

/* No request of it has come. */
static void forget_exchange(struct downstream *downstream)
{
	exchange_forget(exchange_of(downstream));
	downstream->client.exchange = NULL;
	downstream->requests--;
}

/* No request has come after all. The time for it goes on, if its first byte had not been taken for come. */
static void go_back_to_idle(struct downstream *downstream)
{
	if (exchange_of(downstream)->head_started)
		arm_idle(downstream);
	forget_exchange(downstream);
	become_idle(downstream);
}

/* The bytes move into a larger buffer; the head is to be read anew. False: there is none. */
static bool take_larger(struct downstream *downstream, size_t room)
{
	struct iobuf_pool *pool = &downstream->worker->iobufs;
	struct iobuf *in = downstream->in;
	struct iobuf *larger = iobuf_take_large(pool, room);

	if (larger == NULL || larger->room <= in->end) {
		iobuf_give(pool, larger);
		return false;
	}
	memcpy(larger->bytes, in->bytes, in->end);
	larger->end = in->end;
	iobuf_give(pool, in);
	downstream->in = larger;
	return true;
}

/* The bytes of the head are about to move: nothing may point to where they were. */
static void read_anew(struct exchange *exchange)
{
	exchange->progress = (struct h1_progress){0};
	exchange->request = (struct request_head){.headers = exchange->request_headers};
}

static bool has_room(struct downstream *downstream)
{
	struct iobuf *in = downstream->in;

	if (in->end < in->room)
		return true;
	read_anew(exchange_of(downstream));
	iobuf_compact(in);
	return in->end < in->room ||
	       take_larger(downstream, request_limits(downstream->worker).head_bytes + HEAD_SLACK);
}

/* A head stays where it lies while its body is read behind it. */
static bool leaves_body_room(const struct downstream *downstream, size_t head_end)
{
	const struct request_head *request = &exchange_of(downstream)->request;

	return (request->framing == BODY_NONE && !request->wants_websocket) ||
	       downstream->in->room - head_end >= HEAD_SLACK;
}

/* Room behind a head that leaves too little. False: there is no memory for it. */
static bool make_body_room(struct downstream *downstream, size_t head_bytes)
{
	read_anew(exchange_of(downstream));
	iobuf_compact(downstream->in);
	return downstream->in->room - head_bytes >= HEAD_SLACK ||
	       take_larger(downstream, head_bytes + IOBUF_ROOM);
}

/* The first byte of a head starts its clock (security spec, 7.1: the whole head, not each read). */
static void note_start(struct downstream *downstream)
{
	struct exchange *exchange = exchange_of(downstream);
	const struct table_settings *settings = worker_settings(downstream->worker);

	if (exchange->head_started)
		return;
	exchange->head_started = true;
	exchange->started_ns = loop_now_ns(downstream->worker->loop);
	downstream_arm(downstream, settings == NULL ? WORKER_HEAD_TIMEOUT_MS
						    : settings->client_header_timeout_ms);
}

/* The head will not be whole; what has come of it is all of the request. */
static void answer_without_head(struct downstream *downstream, enum fault fault)
{
	struct iobuf *in = downstream->in;

	exchange_of(downstream)->head_bytes = in->end - in->start;
	in->start = in->end;
	exchange_answer(exchange_of(downstream), fault);
}

/* How much of the first bytes on a plain port is the preface of HTTP/2: it may begin with nothing else (RFC 9113, 3.3).
 * 0: they are of HTTP/1. */
static size_t preface_bytes(const struct downstream *downstream)
{
	const struct span preface = S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	const struct table_settings *settings;
	const struct iobuf *in = downstream->in;
	struct span first;

	if (downstream->requests != 1 || in->bytes[in->start] != 'P')
		return 0;
	settings = worker_settings(downstream->worker);
	first = span_take(span_make(in->bytes + in->start, in->end - in->start), preface.len);
	if (transport_is_tls(&downstream->transport) ||
	    (settings != NULL && !settings->use_http2) || !span_starts_with(preface, first))
		return 0;
	return first.len;
}

/* The connection speaks HTTP/2 from its first byte on. */
static void become_h2(struct downstream *downstream)
{
	forget_exchange(downstream);
	downstream_move(downstream, DOWNSTREAM_IDLE);
	downstream_h2_begin(downstream);
}

/* True: more bytes are needed. */
static bool parse_head(struct downstream *downstream)
{
	struct exchange *exchange = exchange_of(downstream);
	struct iobuf *in = downstream->in;
	size_t preface = preface_bytes(downstream);
	struct h1_limits limits;
	struct h1_result result;

	if (preface == H2_PREFACE_BYTES) {
		become_h2(downstream);
		return false;
	}
	if (preface > 0) {
		note_start(downstream);
		return true;
	}
	limits = request_limits(downstream->worker);
	result = h1_parse_request(span_make(in->bytes + in->start, in->end - in->start), &limits,
				  &exchange->progress, &exchange->request);
	switch (result.status) {
	case H1_MORE:
		if (!is_blank(downstream))
			note_start(downstream);
		return true;
	case H1_DONE:
		if (!leaves_body_room(downstream, in->start + result.consumed)) {
			if (make_body_room(downstream, result.consumed))
				return parse_head(downstream);
			answer_without_head(downstream, FAULT_OVERLOADED);
			return false;
		}
		in->start += (uint32_t)result.consumed;
		body_reader_init(&exchange->to_upstream.reader, &downstream->transport, in,
				 exchange->request.framing, exchange->request.content_length, true);
		exchange_on_head(exchange, result.consumed);
		return false;
	case H1_BAD:
		answer_without_head(downstream, result.fault);
		return false;
	}
	BUG_ON(true);
	return false;
}

/* The client has closed, or broke, before its head was whole. */
static void on_input_end(struct downstream *downstream)
{
	forget_exchange(downstream);
	downstream_close(downstream);
}

static void read_head(struct downstream *downstream)
{
	do {
		struct iobuf *in;
		ssize_t got;

		if (!has_room(downstream)) {
			answer_without_head(downstream, FAULT_OVERLOADED);
			return;
		}
		in = downstream->in;
		got = transport_read(&downstream->transport, in->bytes + in->end,
				     in->room - in->end);
		if (got == TRANSPORT_AGAIN)
			break;
		if (got <= 0) {
			on_input_end(downstream);
			return;
		}
		in->end += (uint32_t)got;
		if (!parse_head(downstream))
			return;
	} while (downstream->transport.can_read);
	if (is_blank(downstream))
		go_back_to_idle(downstream);
}

void downstream_h1_on_turn(struct downstream *downstream)
{
	if (downstream->in->start != downstream->in->end && !parse_head(downstream))
		return;
	read_head(downstream);
}

void downstream_h1_begin(struct downstream *downstream)
{
	if (become_busy(downstream))
		read_head(downstream);
}

/*
 * Events
 */

static bool is_gone(const struct downstream *downstream, uint32_t events)
{
	if ((events & EPOLLERR) != 0)
		return true;
	/* both halves are shut: without our doing only by a reset */
	return (events & EPOLLHUP) != 0 && exchange_of(downstream) != NULL &&
	       exchange_of(downstream)->state != EXCHANGE_TUNNELLING;
}

void downstream_h1_on_ready(struct downstream *downstream, uint32_t events)
{
	struct exchange *exchange = exchange_of(downstream);

	if (exchange->state == EXCHANGE_HEAD && is_gone(downstream, events))
		on_input_end(downstream);
	else if (is_gone(downstream, events))
		exchange_cut(exchange, FAULT_CLIENT_CLOSED);
	else if (exchange->state == EXCHANGE_HEAD && loop_task_is_queued(&exchange->task))
		return; /* what lies in the buffer comes first, at the end of this turn */
	else if (exchange->state == EXCHANGE_HEAD)
		read_head(downstream);
	else
		exchange_on_downstream(exchange);
}

void downstream_h1_cut(struct downstream *downstream)
{
	struct exchange *exchange = exchange_of(downstream);

	if (exchange->state == EXCHANGE_HEAD)
		on_input_end(downstream);
	else if (exchange->state == EXCHANGE_ANSWERING)
		exchange_cut(exchange, FAULT_SHUTDOWN);
	else
		exchange_answer(exchange, FAULT_SHUTDOWN);
}

void downstream_h1_on_expired(struct downstream *downstream)
{
	if (exchange_of(downstream)->state == EXCHANGE_HEAD)
		answer_without_head(downstream, FAULT_HEAD_TIMEOUT);
	else
		exchange_on_client_timeout(exchange_of(downstream));
}

/*
 * The end of an exchange
 */

/* One head a turn for those who pipeline, so that others get theirs (security spec, 7.4). */
static void go_on(struct downstream *downstream)
{
	if (is_blank(downstream) && !downstream->transport.can_read) {
		arm_idle(downstream);
		become_idle(downstream);
		return;
	}
	iobuf_compact(downstream->in);
	if (!become_busy(downstream))
		return;
	note_start(downstream);
	loop_defer(downstream->worker->loop, &exchange_of(downstream)->task);
}

void downstream_h1_on_end(struct downstream *downstream, enum client_after after)
{
	switch (after) {
	case CLIENT_KEEP:
		go_on(downstream);
		break;
	case CLIENT_DONE:
		/* closing with unread bytes would be a reset, and the client might not get the answer */
		if (downstream->in->start != downstream->in->end || downstream->transport.can_read)
			downstream_linger(downstream);
		else
			downstream_close(downstream);
		break;
	case CLIENT_LINGER:
		downstream_linger(downstream);
		break;
	case CLIENT_RESET:
		downstream_reset(downstream);
		break;
	case CLIENT_CUT:
		downstream_close(downstream);
		break;
	}
}
