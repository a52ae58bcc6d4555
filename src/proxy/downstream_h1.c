/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/downstream.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/bug.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

/* Before a table is there, and for what no key configures (security spec, 7.1). */
enum { HEAD_TIMEOUT_MS = 60 * 1000, LINGER_MS = 2000, LINGER_KIB = 64 };

/* How many idle clients are asked for news until one of them is given up; those that have some are no longer idle by
 * the end of the turn. */
enum { GIVE_UP_LOOKS = 64 };

/* Room behind a head, so that a body does not begin in a full buffer. */
enum { HEAD_SLACK = 4096 };

static void on_ready(struct loop_source *source, uint32_t events);
static void on_expired(struct timer *timer);

static const struct table_settings *settings_of(const struct worker *worker)
{
	const struct shards *routes = &worker->tables.routes;

	return routes->count == 0 ? NULL : shards_settings(routes);
}

static void arm(struct downstream *downstream, uint32_t delay_ms)
{
	timer_start(downstream->worker->timers, &downstream->timer, delay_ms);
}

/* Who is counted out or in; one that lingers will never be asked for anything again and is in neither gauge. */
static void count_client(const struct downstream *downstream, int64_t change)
{
	struct worker_counters *counters = downstream->worker->counters;

	switch ((enum downstream_state)downstream->state) {
	case DOWNSTREAM_IDLE:
		counters->downstream_idle_now += change;
		break;
	case DOWNSTREAM_BUSY:
		counters->downstream_active_now += change;
		break;
	case DOWNSTREAM_LINGERING:
	case DOWNSTREAM_STATE_COUNT:
		break;
	}
}

static void downstream_move(struct downstream *downstream, enum downstream_state to)
{
	count_client(downstream, -1);
	downstream->state = (uint8_t)to;
	count_client(downstream, 1);
	list_remove(&downstream->link);
	list_add_last(&downstream->worker->clients[to], &downstream->link);
}

static int open_transport(struct downstream *downstream, const struct listener *listener, int fd)
{
	struct worker *worker = listener->worker;

	if (listener->kind == LISTENER_PLAIN)
		return transport_open(&downstream->transport, worker->loop, fd, on_ready);
	return transport_open_server_tls(&downstream->transport, worker->loop, fd, on_ready,
					 certificate_store_server(worker->certificates));
}

void downstream_open(const struct listener *listener, int fd, const struct ip_port *peer)
{
	struct worker *worker = listener->worker;
	const struct table_settings *settings = settings_of(worker);
	struct downstream *downstream = slab_take(&worker->downstreams);

	if (downstream == NULL && downstream_give_up(worker))
		downstream = slab_take(&worker->downstreams);
	if (downstream == NULL) {
		worker->counters->downstream_refused++;
		close(fd);
		return;
	}
	*downstream = (struct downstream){
		.worker = worker, .peer = *peer, .local_port = listener->port};
	list_init(&downstream->link);
	timer_init(&downstream->timer, on_expired);
	if (open_transport(downstream, listener, fd) == -1) {
		worker->counters->downstream_refused++;
		slab_give(&worker->downstreams, downstream);
		close(fd);
		return;
	}
	worker->counters->downstream_accepted++;
	worker->client_count++;
	count_client(downstream, 1);
	list_add_last(&worker->clients[DOWNSTREAM_IDLE], &downstream->link);
	arm(downstream, settings == NULL ? HEAD_TIMEOUT_MS : settings->client_header_timeout_ms);
}

/* What is left in the buffer came for no request, but it came. */
static void give_up_buffer(struct downstream *downstream)
{
	struct worker *worker = downstream->worker;
	struct iobuf *in = downstream->in;

	if (in == NULL)
		return;
	worker->counters->downstream_bytes_in += in->end - in->start;
	iobuf_give(&worker->iobufs, in);
	downstream->in = NULL;
}

void downstream_close(struct downstream *downstream)
{
	struct worker *worker = downstream->worker;

	BUG_ON(downstream->exchange != NULL);
	count_client(downstream, -1);
	list_remove(&downstream->link);
	timer_stop(worker->timers, &downstream->timer);
	transport_close(&downstream->transport, worker->loop);
	give_up_buffer(downstream);
	slab_give(&worker->downstreams, downstream);
	worker->client_count--;
	worker_on_client_gone(worker);
}

bool downstream_give_up(struct worker *worker)
{
	unsigned looks = 0;

	list_for_each (link, &worker->clients[DOWNSTREAM_IDLE]) {
		struct downstream *downstream = container_of(link, struct downstream, link);

		/* a request that has come is still answered */
		if (!transport_has_news(&downstream->transport)) {
			downstream_close(downstream);
			return true;
		}
		if (++looks == GIVE_UP_LOOKS)
			break;
	}
	return false;
}

/*
 * Reading a head
 */

static struct h1_limits request_limits(const struct worker *worker)
{
	const struct table_settings *settings = settings_of(worker);

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
		downstream->exchange = exchange_new(downstream);
	if (downstream->exchange == NULL) {
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
	const struct table_settings *settings = settings_of(downstream->worker);

	arm(downstream, settings == NULL ? HEAD_TIMEOUT_MS : settings->keep_alive_timeout_ms);
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

/* An exchange that never had a request: nothing to log, nothing to answer. */
static void forget_exchange(struct downstream *downstream)
{
	struct exchange *exchange = downstream->exchange;

	loop_task_cancel(&exchange->task);
	arena_fini(&exchange->arena);
	slab_give(&downstream->worker->exchanges, exchange);
	downstream->exchange = NULL;
	downstream->requests--;
}

/* No request has come after all. The time for it goes on, if its first byte had not been taken for come. */
static void go_back_to_idle(struct downstream *downstream)
{
	if (downstream->exchange->head_started)
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
	read_anew(downstream->exchange);
	iobuf_compact(in);
	return in->end < in->room ||
	       take_larger(downstream, request_limits(downstream->worker).head_bytes + HEAD_SLACK);
}

/* A head stays where it lies while its body is read behind it. */
static bool leaves_body_room(const struct downstream *downstream, size_t head_end)
{
	const struct request_head *request = &downstream->exchange->request;

	return (request->framing == BODY_NONE && !request->wants_websocket) ||
	       downstream->in->room - head_end >= HEAD_SLACK;
}

/* Room behind a head that leaves too little. False: there is no memory for it. */
static bool make_body_room(struct downstream *downstream, size_t head_bytes)
{
	read_anew(downstream->exchange);
	iobuf_compact(downstream->in);
	return downstream->in->room - head_bytes >= HEAD_SLACK ||
	       take_larger(downstream, head_bytes + IOBUF_ROOM);
}

/* The first byte of a head starts its clock (security spec, 7.1: the whole head, not each read). */
static void note_start(struct downstream *downstream)
{
	struct exchange *exchange = downstream->exchange;
	const struct table_settings *settings = settings_of(downstream->worker);

	if (exchange->head_started)
		return;
	exchange->head_started = true;
	exchange->started_ns = loop_now_ns(downstream->worker->loop);
	arm(downstream, settings == NULL ? HEAD_TIMEOUT_MS : settings->client_header_timeout_ms);
}

/* The head will not be whole; what has come of it is all of the request. */
static void answer_without_head(struct downstream *downstream, enum fault fault)
{
	struct iobuf *in = downstream->in;

	downstream->exchange->head_bytes = in->end - in->start;
	in->start = in->end;
	exchange_answer(downstream->exchange, fault);
}

/* True: more bytes are needed. */
static bool parse_head(struct downstream *downstream)
{
	struct exchange *exchange = downstream->exchange;
	struct iobuf *in = downstream->in;
	struct h1_limits limits = request_limits(downstream->worker);
	struct h1_result result = h1_parse_request(
		span_make(in->bytes + in->start, in->end - in->start), &limits, &exchange->progress,
		&exchange->request);

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

void downstream_on_turn(struct downstream *downstream)
{
	if (downstream->in->start != downstream->in->end && !parse_head(downstream))
		return;
	read_head(downstream);
}

/*
 * Events
 */

static void linger(struct downstream *downstream)
{
	struct worker *worker = downstream->worker;

	while (downstream->transport.can_read) {
		ssize_t got = transport_read(&downstream->transport, worker->scratch,
					     sizeof(worker->scratch));

		if (got == TRANSPORT_AGAIN)
			return;
		if (got > 0) {
			worker->counters->downstream_bytes_in += (uint64_t)got;
			downstream->lingered_kib = (uint16_t)(downstream->lingered_kib +
							      got / 1024 + 1);
		}
		if (got <= 0 || downstream->lingered_kib > LINGER_KIB) {
			downstream_close(downstream);
			return;
		}
	}
}

static bool is_gone(const struct downstream *downstream, uint32_t events)
{
	if ((events & EPOLLERR) != 0)
		return true;
	/* both halves are shut: without our doing only by a reset */
	return (events & EPOLLHUP) != 0 && downstream->exchange != NULL &&
	       downstream->exchange->state != EXCHANGE_TUNNELLING;
}

static void on_busy(struct downstream *downstream, uint32_t events)
{
	struct exchange *exchange = downstream->exchange;

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

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct downstream *downstream = container_of(source, struct downstream, transport.source);

	transport_note(&downstream->transport, events);
	switch ((enum downstream_state)downstream->state) {
	case DOWNSTREAM_IDLE:
		if (downstream->transport.can_read && become_busy(downstream))
			read_head(downstream);
		break;
	case DOWNSTREAM_BUSY:
		on_busy(downstream, events);
		break;
	case DOWNSTREAM_LINGERING:
		linger(downstream);
		break;
	case DOWNSTREAM_STATE_COUNT:
		BUG_ON(true);
	}
}

void downstream_cut(struct downstream *downstream)
{
	if (downstream->state != DOWNSTREAM_BUSY)
		downstream_close(downstream);
	else if (downstream->exchange->state == EXCHANGE_HEAD)
		on_input_end(downstream);
	else if (downstream->exchange->state == EXCHANGE_ANSWERING)
		exchange_cut(downstream->exchange, FAULT_SHUTDOWN);
	else
		exchange_answer(downstream->exchange, FAULT_SHUTDOWN);
}

static void on_expired(struct timer *timer)
{
	struct downstream *downstream = container_of(timer, struct downstream, timer);

	if (downstream->state != DOWNSTREAM_BUSY)
		downstream_close(downstream);
	else if (downstream->exchange->state == EXCHANGE_HEAD)
		answer_without_head(downstream, FAULT_HEAD_TIMEOUT);
	else
		exchange_on_client_timeout(downstream->exchange);
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
	loop_defer(downstream->worker->loop, &downstream->exchange->task);
}

static void begin_linger(struct downstream *downstream)
{
	give_up_buffer(downstream);
	downstream_move(downstream, DOWNSTREAM_LINGERING);
	transport_finish(&downstream->transport);
	arm(downstream, LINGER_MS);
	linger(downstream);
}

void downstream_on_exchange_end(struct downstream *downstream, enum downstream_after after)
{
	switch (after) {
	case DOWNSTREAM_KEEP:
		go_on(downstream);
		break;
	case DOWNSTREAM_LINGER:
		begin_linger(downstream);
		break;
	case DOWNSTREAM_RESET:
		transport_reset(&downstream->transport, downstream->worker->loop);
		downstream_close(downstream);
		break;
	case DOWNSTREAM_END:
		downstream_close(downstream);
		break;
	}
}
