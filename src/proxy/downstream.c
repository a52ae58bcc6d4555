/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/downstream.h"

#include <unistd.h>

#include "base/bug.h"
#include "proxy/downstream_h1.h"
#include "proxy/downstream_h2.h"
#include "proxy/opening.h"
#include "proxy/passthrough.h"
#include "proxy/worker.h"

/* Security spec, 7.1. */
enum { LINGER_MS = 2000, LINGER_KIB = 64 };

/* How many idle clients are asked for news until one of them is given up. Those that have some are no longer idle by
 * the end of the turn, but for handshakes in line: a few turns later they have none left. */
enum { GIVE_UP_LOOKS = 64 };

static void on_ready(struct loop_source *source, uint32_t events);
static void on_expired(struct timer *timer);

void downstream_arm(struct downstream *downstream, uint32_t delay_ms)
{
	timer_start(downstream->worker->timers, &downstream->client.timer, delay_ms);
}

/* Who is counted out or in; one that lingers will never be asked for anything again and is in neither gauge. */
static void count_client(const struct downstream *downstream, int64_t change)
{
	struct worker_counters *counters = downstream->worker->counters;

	switch ((enum downstream_state)downstream->state) {
	case DOWNSTREAM_OPENING:
	case DOWNSTREAM_IDLE:
		counters->downstream_idle_now += change;
		break;
	case DOWNSTREAM_PASSING:
	case DOWNSTREAM_BUSY:
		counters->downstream_active_now += change;
		break;
	case DOWNSTREAM_LINGERING:
	case DOWNSTREAM_STATE_COUNT:
		break;
	}
}

void downstream_move(struct downstream *downstream, enum downstream_state to)
{
	count_client(downstream, -1);
	downstream->state = (uint8_t)to;
	count_client(downstream, 1);
	list_remove(&downstream->link);
	list_add_last(&downstream->worker->clients[to], &downstream->link);
}

static int open_transport(struct downstream *downstream, int fd)
{
	struct worker *worker = downstream->worker;

	if (!downstream->by_tls || downstream->opening != OPENING_DONE)
		return transport_open(&downstream->transport, worker->loop, fd, on_ready);
	return transport_open_server_tls(&downstream->transport, worker->loop, fd, on_ready,
					 certificate_store_server(worker->certificates));
}

static void await_head(struct downstream *downstream)
{
	const struct table_settings *settings = worker_settings(downstream->worker);

	downstream_arm(downstream, settings == NULL ? WORKER_HEAD_TIMEOUT_MS
						    : settings->client_header_timeout_ms);
}

/* It is counted and in the list of its state from now on. */
static void start(struct downstream *downstream)
{
	struct worker *worker = downstream->worker;

	downstream->state = downstream->opening == OPENING_DONE ? DOWNSTREAM_IDLE
								: DOWNSTREAM_OPENING;
	worker->counters->downstream_accepted++;
	worker->client_count++;
	count_client(downstream, 1);
	list_add_last(&worker->clients[downstream->state], &downstream->link);
	if (downstream->opening == OPENING_DONE)
		await_head(downstream);
	else
		opening_start(downstream);
}

void downstream_open(const struct listener *listener, int fd, const struct ip_port *peer)
{
	struct worker *worker = listener->worker;
	enum opening opening = opening_first(listener);
	struct downstream *downstream;

	if (opening == OPENING_HEADER && !opening_admits(worker, peer)) {
		close(fd);
		return;
	}
	downstream = slab_take(&worker->downstreams);
	if (downstream == NULL && downstream_give_up(worker))
		downstream = slab_take(&worker->downstreams);
	if (downstream == NULL) {
		worker->counters->downstream_refused++;
		close(fd);
		return;
	}
	*downstream = (struct downstream){.worker = worker,
					  .client.connection = downstream,
					  .peer = *peer,
					  .local_port = listener->port,
					  .opening = (uint8_t)opening,
					  .by_tls = listener->kind == LISTENER_TLS};
	list_init(&downstream->link);
	timer_init(&downstream->client.timer, on_expired);
	if (open_transport(downstream, fd) == -1) {
		worker->counters->downstream_refused++;
		slab_give(&worker->downstreams, downstream);
		close(fd);
		return;
	}
	start(downstream);
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

	BUG_ON(downstream->client.exchange != NULL || downstream->h2 != NULL ||
	       (downstream->state == DOWNSTREAM_PASSING && downstream->passthrough != NULL));
	count_client(downstream, -1);
	list_remove(&downstream->link);
	timer_stop(worker->timers, &downstream->client.timer);
	transport_close(&downstream->transport, worker->loop);
	give_up_buffer(downstream);
	slab_give(&worker->downstreams, downstream);
	worker->client_count--;
	worker_on_client_gone(worker);
}

void downstream_reset(struct downstream *downstream)
{
	transport_reset(&downstream->transport, downstream->worker->loop);
	downstream_close(downstream);
}

/* One that is idle; over HTTP/2 it is told. */
static void close_idle(struct downstream *downstream)
{
	if (downstream->h2 != NULL)
		downstream_h2_end(downstream);
	else
		downstream_close(downstream);
}

/* Who has not even begun goes when nobody else can. */
static bool give_up_opening(struct worker *worker)
{
	struct list *first = list_first(&worker->clients[DOWNSTREAM_OPENING]);

	if (first == NULL)
		return false;
	downstream_close(container_of(first, struct downstream, link));
	return true;
}

bool downstream_give_up(struct worker *worker)
{
	unsigned looks = 0;

	list_for_each (link, &worker->clients[DOWNSTREAM_IDLE]) {
		struct downstream *downstream = container_of(link, struct downstream, link);

		/* a request that has come is still answered; a handshake that waits for the client is none */
		if (!transport_has_news(&downstream->transport)) {
			close_idle(downstream);
			return true;
		}
		if (++looks == GIVE_UP_LOOKS)
			break;
	}
	return give_up_opening(worker);
}

/* Nothing has come of a request, and nothing of a handshake that one would follow. */
static bool has_nothing_to_say(struct downstream *downstream)
{
	return (downstream->state == DOWNSTREAM_IDLE || downstream->state == DOWNSTREAM_OPENING) &&
	       !transport_has_begun(&downstream->transport) &&
	       !transport_has_news(&downstream->transport);
}

void downstream_drain(struct downstream *downstream)
{
	if (downstream->h2 != NULL)
		downstream_h2_drain(downstream);
	else if (has_nothing_to_say(downstream))
		downstream_close(downstream);
}

void downstream_cut(struct downstream *downstream)
{
	if (downstream->h2 != NULL)
		downstream_h2_cut(downstream);
	else if (downstream->state == DOWNSTREAM_PASSING)
		passthrough_cut(downstream->passthrough);
	else if (downstream->state == DOWNSTREAM_BUSY)
		downstream_h1_cut(downstream);
	else
		downstream_close(downstream);
}

/*
 * Lingering
 */

static void drop_input(struct downstream *downstream)
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

void downstream_linger(struct downstream *downstream)
{
	BUG_ON(downstream->client.exchange != NULL || downstream->h2 != NULL);
	give_up_buffer(downstream);
	downstream_move(downstream, DOWNSTREAM_LINGERING);
	transport_finish(&downstream->transport);
	downstream_arm(downstream, LINGER_MS);
	drop_input(downstream);
}

/*
 * Events
 */

/* What TLS has settled on; what a client on a plain port speaks is seen when it has spoken. */
static bool is_h2_by_alpn(const struct downstream *downstream)
{
	struct transport_tls facts;

	return downstream->requests == 0 && transport_is_tls(&downstream->transport) &&
	       transport_tls(&downstream->transport, &facts) && facts.alpn == TLS_ALPN_H2;
}

static void on_idle(struct downstream *downstream)
{
	if (!downstream->transport.can_read)
		return;
	if (is_h2_by_alpn(downstream))
		downstream_h2_begin(downstream);
	else
		downstream_h1_begin(downstream);
}

void downstream_begin(struct downstream *downstream)
{
	struct worker *worker = downstream->worker;

	downstream->opening = OPENING_DONE;
	if (worker->draining && !transport_has_news(&downstream->transport)) {
		downstream_close(downstream);
		return;
	}
	if (downstream->by_tls &&
	    transport_start_server_tls(&downstream->transport, worker->loop,
				       certificate_store_server(worker->certificates)) == -1) {
		worker->counters->downstream_refused++;
		downstream_close(downstream);
		return;
	}
	downstream_move(downstream, DOWNSTREAM_IDLE);
	await_head(downstream);
	if (downstream->by_tls)
		transport_note(&downstream->transport, 0);
	on_idle(downstream);
}

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct downstream *downstream = container_of(source, struct downstream, transport.source);

	transport_note(&downstream->transport, events);
	if (downstream->h2 != NULL) {
		downstream_h2_on_ready(downstream, events);
		return;
	}
	switch ((enum downstream_state)downstream->state) {
	case DOWNSTREAM_OPENING:
		opening_on_ready(downstream);
		break;
	case DOWNSTREAM_PASSING:
		passthrough_on_client(downstream->passthrough, events);
		break;
	case DOWNSTREAM_IDLE:
		on_idle(downstream);
		break;
	case DOWNSTREAM_BUSY:
		downstream_h1_on_ready(downstream, events);
		break;
	case DOWNSTREAM_LINGERING:
		drop_input(downstream);
		break;
	case DOWNSTREAM_STATE_COUNT:
		BUG_ON(true);
	}
}

static void on_expired(struct timer *timer)
{
	struct downstream *downstream = container_of(timer, struct downstream, client.timer);

	if (downstream->h2 != NULL)
		downstream_h2_on_expired(downstream);
	else if (downstream->state == DOWNSTREAM_OPENING)
		opening_on_expired(downstream);
	else if (downstream->state == DOWNSTREAM_PASSING)
		passthrough_on_expired(downstream->passthrough);
	else if (downstream->state == DOWNSTREAM_BUSY)
		downstream_h1_on_expired(downstream);
	else
		downstream_close(downstream);
}
