/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/passthrough.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/bug.h"
#include "http/fault.h"
#include "io/socket.h"
#include "proxy/downstream.h"
#include "proxy/record.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"
#include "table/hash.h"

/* Load-balancer spec, 11.1. */
enum { CONNECT_TIMEOUT_MS = 5000, HALF_CLOSED_TIMEOUT_MS = 60000 };

static void choose_endpoint(struct passthrough *passthrough);

static const struct table_settings *settings_of(const struct passthrough *passthrough)
{
	return passthrough->table->routes.settings;
}

static uint32_t us_since(const struct passthrough *passthrough, uint64_t then_ns)
{
	uint64_t us = (loop_now_ns(passthrough->worker->loop) - then_ns) / 1000;

	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* Of the try under way; NULL: the record has no room for so many. */
static struct access_attempt *attempt_of(struct passthrough *passthrough)
{
	return passthrough->tries > ACCESS_ATTEMPTS_MAX
		       ? NULL
		       : &passthrough->attempts[passthrough->tries - 1];
}

/*
 * The end
 */

static void write_record(const struct passthrough *passthrough, enum fault fault)
{
	const struct routes *routes = &passthrough->table->routes;
	const struct fault_facts *facts = fault_facts(fault);
	struct access_record record = {
		.wall_ns = loop_wall_ns(passthrough->worker->loop),
		.client = passthrough->client->peer,
		.host = span_make(passthrough->name, passthrough->name_length),
		.reason = fault == FAULT_NONE ? S("ok") : span_from(facts->word),
		.status = fault == FAULT_NONE ? 200 : facts->status,
		.request_bytes = passthrough->up.received,
		.response_bytes = passthrough->down.sent,
		.duration_us = us_since(passthrough, passthrough->started_ns),
		.attempt_count = passthrough->tries,
		.attempts = passthrough->attempts,
		.generation = routes->header->generation,
	};

	if (passthrough->worker->log.fd == -1 || !routes->settings->access_log)
		return;
	record_set_route(&record, routes, passthrough->route);
	worker_log_stream(passthrough->worker, &record);
}

enum ending { END_IN_ORDER, END_BY_RESET };

static void close_endpoint(struct passthrough *passthrough, enum ending ending)
{
	struct worker *worker = passthrough->worker;
	struct access_attempt *attempt;

	if (!transport_is_open(&passthrough->endpoint))
		return;
	attempt = attempt_of(passthrough);
	if (attempt != NULL)
		attempt->duration_us = us_since(passthrough, passthrough->attempt_ns);
	worker->counters->upstream_active_now--;
	load_end(&worker->load_book, passthrough->load_key);
	if (ending == END_BY_RESET)
		transport_reset(&passthrough->endpoint, worker->loop);
	else
		transport_close(&passthrough->endpoint, worker->loop);
}

/* By reset where one side broke off: who is on the other can tell that from an end. */
static void end(struct passthrough *passthrough, enum fault fault, enum ending ending)
{
	struct worker *worker = passthrough->worker;
	struct downstream *client = passthrough->client;

	if (fault != FAULT_NONE)
		worker->area->faults[fault]++;
	worker->counters->passthroughs_now--;
	name_waiter_cancel(&passthrough->name_waiter);
	loop_task_cancel(&passthrough->task);
	way_fini(&passthrough->up);
	way_fini(&passthrough->down);
	close_endpoint(passthrough, ending);
	write_record(passthrough, fault);
	shard_unpin(&worker->tables.routes, passthrough->table);
	slab_give(&worker->passthroughs, passthrough);
	client->passthrough = NULL;
	if (ending == END_BY_RESET)
		downstream_reset(client);
	else
		downstream_close(client);
}

/*
 * Bytes both ways
 */

static enum way_status pump_way(struct way *way, uint64_t *received, uint64_t *sent)
{
	uint64_t received_before = way->received;
	uint64_t sent_before = way->sent;
	enum way_status status = way_pump(way);

	*received += way->received - received_before;
	*sent += way->sent - sent_before;
	return status;
}

static enum way_status pump_up(struct passthrough *passthrough)
{
	struct worker_counters *counters = passthrough->worker->counters;
	uint64_t received = 0;
	enum way_status status = pump_way(&passthrough->up, &received,
					  &counters->upstream_bytes_out);

	counters->downstream_bytes_in += received;
	counters->passthrough_bytes_in += received;
	return status;
}

static enum way_status pump_down(struct passthrough *passthrough)
{
	struct worker_counters *counters = passthrough->worker->counters;
	uint64_t sent = 0;
	enum way_status status = pump_way(&passthrough->down, &counters->upstream_bytes_in, &sent);

	counters->downstream_bytes_out += sent;
	counters->passthrough_bytes_out += sent;
	return status;
}

/* Grows with everything that passes, the end of one side included. */
static uint64_t progress_of(const struct passthrough *passthrough)
{
	const struct way *up = &passthrough->up;
	const struct way *down = &passthrough->down;

	return up->received + up->sent + up->has_ended + down->received + down->sent +
	       down->has_ended;
}

static void await_more(struct passthrough *passthrough)
{
	bool is_half = passthrough->up.has_ended || passthrough->down.has_ended;
	uint32_t idle_ms = settings_of(passthrough)->stream_idle_timeout_ms;

	if (is_half && idle_ms > HALF_CLOSED_TIMEOUT_MS)
		idle_ms = HALF_CLOSED_TIMEOUT_MS;
	deadline_set(&passthrough->deadline, passthrough->worker->timers,
		     &passthrough->client->client.timer, AWAIT_TUNNEL, progress_of(passthrough), 1,
		     idle_ms);
}

static void pump(struct passthrough *passthrough)
{
	enum way_status up = pump_up(passthrough);
	enum way_status down = pump_down(passthrough);

	if (up == WAY_BROKEN) {
		end(passthrough, FAULT_CLIENT_CLOSED, END_BY_RESET);
	} else if (down == WAY_BROKEN) {
		end(passthrough, FAULT_UPSTREAM_RESET, END_BY_RESET);
	} else if (up == WAY_NO_MEMORY || down == WAY_NO_MEMORY) {
		end(passthrough, FAULT_OUT_OF_MEMORY, END_BY_RESET);
	} else if (up == WAY_ENDED && down == WAY_ENDED) {
		end(passthrough, FAULT_NONE, END_IN_ORDER);
	} else {
		if (up == WAY_TURN_OVER || down == WAY_TURN_OVER)
			loop_defer(passthrough->worker->loop, &passthrough->task);
		await_more(passthrough);
	}
}

static void on_turn_end(struct loop_task *task)
{
	pump(container_of(task, struct passthrough, task));
}

/*
 * To an endpoint
 */

static bool has_tries_left(const struct passthrough *passthrough)
{
	const struct table_settings *settings = settings_of(passthrough);
	uint64_t spent_ns = loop_now_ns(passthrough->worker->loop) - passthrough->started_ns;
	uint32_t limit = settings->stream_tries;

	if (limit == 0 || limit > PASSTHROUGH_TRIES_MAX)
		limit = PASSTHROUGH_TRIES_MAX;
	return settings->stream_retry && passthrough->tries < limit &&
	       spent_ns < (uint64_t)settings->stream_retry_timeout_ms * 1000000;
}

/* All that is known of how fast it is: how long it takes to accept. */
static void learn(struct passthrough *passthrough, enum load_outcome outcome)
{
	load_learn(&passthrough->worker->load_book, passthrough->load_key, outcome,
		   us_since(passthrough, passthrough->attempt_ns),
		   loop_now_ns(passthrough->worker->loop));
}

/* The connection to an endpoint did not come about; nothing was taken from the client for it. */
static void give_up_attempt(struct passthrough *passthrough, enum fault fault)
{
	struct worker *worker = passthrough->worker;
	struct access_attempt *attempt = attempt_of(passthrough);

	if (attempt != NULL)
		attempt->status = fault_facts(fault)->status;
	passthrough->failure = (uint8_t)fault;
	worker->counters->upstream_connect_failures++;
	close_endpoint(passthrough, END_IN_ORDER);
	if (!has_tries_left(passthrough)) {
		end(passthrough, fault, END_BY_RESET);
		return;
	}
	worker->counters->retries++;
	choose_endpoint(passthrough);
}

static void fail_attempt(struct passthrough *passthrough, enum fault fault)
{
	learn(passthrough, fault == FAULT_CONNECT_TIMEOUT ? LOAD_TIMED_OUT : LOAD_FAILED);
	give_up_attempt(passthrough, fault);
}

/* Nobody is there, and that was known at once; or it is this machine that is at its end. */
static void fail_at_once(struct passthrough *passthrough, enum fault fault)
{
	if (fault != FAULT_OUT_OF_DESCRIPTORS)
		load_fail_at_once(&passthrough->worker->load_book, passthrough->load_key,
				  passthrough->attempt_ns);
	give_up_attempt(passthrough, fault);
}

static void begin_passing(struct passthrough *passthrough)
{
	struct worker *worker = passthrough->worker;
	struct transport *client = &passthrough->client->transport;
	struct access_attempt *attempt = attempt_of(passthrough);

	if (attempt != NULL)
		attempt->connect_us = us_since(passthrough, passthrough->attempt_ns);
	learn(passthrough, LOAD_ANSWERED);
	passthrough->state = PASSTHROUGH_PASSING;
	way_init(&passthrough->up, client, &passthrough->endpoint, &worker->iobufs, &worker->pipes);
	way_init(&passthrough->down, &passthrough->endpoint, client, &worker->iobufs,
		 &worker->pipes);
	pump(passthrough);
}

static void on_connecting(struct passthrough *passthrough, uint32_t events)
{
	struct transport *endpoint = &passthrough->endpoint;
	int reason = 0;

	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		reason = socket_connect_result(endpoint->source.fd);
	if (reason != 0)
		fail_attempt(passthrough, upstream_errno_fault(reason));
	else if (endpoint->can_write)
		begin_passing(passthrough);
}

static void on_endpoint(struct loop_source *source, uint32_t events)
{
	struct passthrough *passthrough = container_of(source, struct passthrough, endpoint.source);

	transport_note(&passthrough->endpoint, events);
	if (passthrough->state == PASSTHROUGH_PASSING)
		pump(passthrough);
	else
		on_connecting(passthrough, events);
}

/* Where there is no room, a connection that idles makes it. False: errno says why. */
static bool open_endpoint(struct passthrough *passthrough, const struct ip_port *at)
{
	struct worker *worker = passthrough->worker;
	bool pending;
	int fd = socket_connect(at, &pending);
	int reason;

	if (fd == -1 && socket_is_exhausted(errno) && worker_make_room(worker))
		fd = socket_connect(at, &pending);
	if (fd == -1)
		return false;
	if (transport_open(&passthrough->endpoint, worker->loop, fd, on_endpoint) == -1) {
		reason = errno;
		close(fd);
		errno = reason;
		return false;
	}
	passthrough->endpoint.can_write = !pending;
	return true;
}

static void connect_to(struct passthrough *passthrough, const struct endpoint_record *endpoint)
{
	struct worker *worker = passthrough->worker;
	const struct ip_port at = {endpoint->ip, endpoint->port};
	struct access_attempt *attempt;

	passthrough->state = PASSTHROUGH_CONNECTING;
	passthrough->attempt_ns = loop_now_ns(worker->loop);
	passthrough->load_key = (struct load_key){endpoint->slot, endpoint->incarnation};
	passthrough->tried[passthrough->tries++] = at;
	attempt = attempt_of(passthrough);
	if (attempt != NULL)
		*attempt = (struct access_attempt){.endpoint = at};
	worker->counters->attempts++;
	if (!open_endpoint(passthrough, &at)) {
		fail_at_once(passthrough, upstream_errno_fault(errno));
		return;
	}
	load_begin(&worker->load_book, passthrough->load_key, passthrough->attempt_ns);
	worker->counters->upstream_connects++;
	worker->counters->upstream_active_now++;
	deadline_set(&passthrough->deadline, worker->timers, &passthrough->client->client.timer,
		     AWAIT_CONNECT, passthrough->tries, 1, CONNECT_TIMEOUT_MS);
	if (passthrough->endpoint.can_write)
		begin_passing(passthrough);
}

/* Nobody is left to be tried: then it comes to what the last try came to. */
static void have_no_endpoint(struct passthrough *passthrough, enum fault fault)
{
	end(passthrough, passthrough->tries == 0 ? fault : (enum fault)passthrough->failure,
	    END_BY_RESET);
}

/* What a hash goes by: of a client that is passed on nothing is known but its address. */
static uint64_t key_of(const struct passthrough *passthrough)
{
	const struct ip *ip = &passthrough->client->peer.ip;

	return table_hash(span_make((const char *)ip->bytes, sizeof(ip->bytes)), 0);
}

/* The address is looked at where it is connected to (security spec, M6). */
static void choose(struct passthrough *passthrough, struct balance_choice *choice)
{
	const struct endpoint_record *endpoint;

	choice->avoided = passthrough->tried;
	choice->avoided_count = passthrough->tries;
	choice->now_ns = loop_now_ns(passthrough->worker->loop);
	endpoint = choice->count == 0 ? NULL
				      : balance_pick(&passthrough->worker->balance, choice,
						     key_of(passthrough));
	if (endpoint == NULL || balance_avoids(choice, endpoint))
		have_no_endpoint(passthrough, FAULT_NO_ENDPOINTS);
	else if (!settings_of(passthrough)->tenant_destinations_free &&
		 ip_special_kind(&endpoint->ip) != NULL)
		have_no_endpoint(passthrough, FAULT_DESTINATION_REFUSED);
	else
		connect_to(passthrough, endpoint);
}

static void on_name(struct name_waiter *waiter)
{
	choose_endpoint(container_of(waiter, struct passthrough, name_waiter));
}

static void choose_by_name(struct passthrough *passthrough, const struct upstream_match *match,
			   struct balance_choice *choice)
{
	struct span name = endpoints_text(match->endpoints, match->upstream->external_name);

	passthrough->state = PASSTHROUGH_NAMING;
	switch (names_find(&passthrough->worker->names, name, match->upstream->external_port,
			   &passthrough->name_waiter, on_name, choice)) {
	case NAMES_KNOWN:
		choose(passthrough, choice);
		break;
	case NAMES_ASKED: /* who resolves names sets a limit to it */
		deadline_clear(&passthrough->deadline);
		break;
	case NAMES_FAILED:
		have_no_endpoint(passthrough, FAULT_NAME_UNRESOLVED);
		break;
	}
}

static void choose_endpoint(struct passthrough *passthrough)
{
	const struct route *route = passthrough->route;
	struct upstream_match match = endpoints_find(&passthrough->worker->tables.endpoints,
						     route->upstream, route->upstream_incarnation);
	const struct upstream_record *upstream = match.upstream;
	struct balance_choice choice = {.upstream = route->upstream};

	if (upstream == NULL) {
		have_no_endpoint(passthrough, FAULT_NO_ENDPOINTS);
		return;
	}
	balance_offer(&choice, &match);
	if (upstream->external_name.len > 0) {
		choose_by_name(passthrough, &match, &choice);
		return;
	}
	choose(passthrough, &choice);
}

/*
 * From the client
 */

void passthrough_start(struct downstream *client, const struct route_match *match, struct span name)
{
	struct worker *worker = client->worker;
	struct passthrough *passthrough = slab_take(&worker->passthroughs);

	BUG_ON(name.len > TLS_SERVER_NAME_MAX);
	if (passthrough == NULL) {
		worker->counters->downstream_refused++;
		downstream_reset(client);
		return;
	}
	*passthrough = (struct passthrough){.worker = worker,
					    .client = client,
					    .endpoint.source.fd = -1,
					    .table = match->shard,
					    .route = match->route,
					    .started_ns = loop_now_ns(worker->loop),
					    .load_key.slot = TABLE_NONE,
					    .name_length = (uint8_t)name.len};
	memcpy(passthrough->name, name.ptr, name.len);
	name_waiter_init(&passthrough->name_waiter);
	loop_task_init(&passthrough->task, on_turn_end);
	shard_pin(match->shard);
	worker->counters->passthroughs++;
	worker->counters->passthroughs_now++;
	client->passthrough = passthrough;
	downstream_move(client, DOWNSTREAM_PASSING);
	choose_endpoint(passthrough);
}

void passthrough_on_client(struct passthrough *passthrough, uint32_t events)
{
	if (passthrough->state == PASSTHROUGH_PASSING)
		pump(passthrough);
	else if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		end(passthrough, FAULT_CLIENT_CLOSED, END_BY_RESET);
}

void passthrough_on_expired(struct passthrough *passthrough)
{
	switch (passthrough->deadline.what) {
	case AWAIT_CONNECT:
		fail_attempt(passthrough, FAULT_CONNECT_TIMEOUT);
		break;
	case AWAIT_TUNNEL:
		end(passthrough, FAULT_RESPONSE_STALLED, END_IN_ORDER);
		break;
	case AWAIT_NOTHING:
	case AWAIT_HEAD:
	case AWAIT_BODY:
	case AWAIT_TAKE:
		break;
	}
}

void passthrough_cut(struct passthrough *passthrough)
{
	end(passthrough, FAULT_SHUTDOWN, END_BY_RESET);
}
