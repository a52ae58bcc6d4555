/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/attempt.h"

#include <errno.h>

#include "base/bug.h"
#include "proxy/exchange.h"
#include "proxy/load.h"
#include "proxy/policy/retry.h"
#include "proxy/request_out.h"
#include "proxy/response_out.h"
#include "proxy/server.h"
#include "proxy/template.h"
#include "proxy/tunnel.h"
#include "proxy/upstream.h"
#include "proxy/upstream_tls.h"
#include "proxy/worker.h"

/* Interim responses of one attempt (security spec, U6). */
enum { INFORMATIONAL_MAX = 16, HINTS_MAX = 8 };

/* proxy-buffer-size only ever raises this (security spec, U5). */
enum { RESPONSE_HEAD_MIN = 32 * 1024 };

static void attempt_send(struct exchange *exchange);

/*
 * Where to
 */

static uint32_t us_since_start(const struct exchange *exchange)
{
	uint64_t us = (loop_now_ns(exchange->worker->loop) - exchange->attempt_ns) / 1000;

	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void begin_record(struct exchange *exchange, const struct endpoint_record *endpoint)
{
	struct access_attempt *attempt;

	exchange->attempt_ns = loop_now_ns(exchange->worker->loop);
	if (exchange->attempt_count++ == 0)
		exchange->first_attempt_ns = exchange->attempt_ns;
	exchange->informational = 0;
	exchange->response_head_bytes = 0;
	exchange->progress = (struct h1_progress){0};
	exchange->request_sent = false;
	exchange->request_given_up = false;
	attempt = exchange_attempt(exchange);
	*attempt = (struct access_attempt){.endpoint = {endpoint->ip, endpoint->port}};
	exchange->to_upstream.sender = (struct message_sender){0};
	deadline_clear(&exchange->upstream_deadline);
	exchange->worker->counters->attempts++;
}

static struct load_key load_key_of(const struct server *server)
{
	return (struct load_key){.slot = server->connection->slot,
				 .incarnation = server->connection->incarnation};
}

/* How long the endpoint has taken so far: to accept, and since it had all of the request, whose body may have been slow
 * to come. */
static uint64_t latency_us(struct exchange *exchange, enum load_outcome outcome)
{
	uint64_t now_ns = loop_now_ns(exchange->worker->loop);

	if (exchange->request_sent)
		return exchange_attempt(exchange)->connect_us +
		       (now_ns - exchange->request_sent_ns) / 1000;
	return outcome == LOAD_ANSWERED || outcome == LOAD_TIMED_OUT ? us_since_start(exchange) : 0;
}

/* For the figures of the attempt's endpoint. */
static void learn(struct exchange *exchange, enum load_outcome outcome, uint64_t us)
{
	if (exchange->server != NULL)
		load_learn(&exchange->worker->load_book, load_key_of(exchange->server), outcome, us,
			   loop_now_ns(exchange->worker->loop));
}

static enum load_outcome load_outcome_of(enum fault fault)
{
	return fault == FAULT_CONNECT_TIMEOUT || fault == FAULT_UPSTREAM_TIMEOUT ||
			       fault == FAULT_UPSTREAM_SEND_TIMEOUT
		       ? LOAD_TIMED_OUT
		       : LOAD_FAILED;
}

static void bind_server(struct exchange *exchange, struct server *server)
{
	exchange->server = server;
	exchange_move(exchange, EXCHANGE_CONNECTING);
	load_begin(&exchange->worker->load_book, load_key_of(server), exchange->attempt_ns);
}

/* Nobody is there, and that was known at once; or it is this machine that is at its end. */
static void fail_unbound(struct exchange *exchange, const struct endpoint_record *endpoint,
			 enum fault fault)
{
	struct load_key key = {.slot = endpoint->slot, .incarnation = endpoint->incarnation};

	if (fault != FAULT_OUT_OF_DESCRIPTORS)
		load_fail_at_once(&exchange->worker->load_book, key, exchange->attempt_ns);
	attempt_fail(exchange, fault);
}

static void connect_to(struct exchange *exchange, const struct endpoint_record *endpoint,
		       const struct upstream_way *way)
{
	struct server *server;

	begin_record(exchange, endpoint);
	server = server_take(exchange, endpoint, way);
	if (server == NULL) {
		fail_unbound(exchange, endpoint, upstream_errno_fault(errno));
		return;
	}
	bind_server(exchange, server);
	if (server->connecting)
		deadline_set(&exchange->upstream_deadline, exchange->worker->timers, &server->timer,
			     AWAIT_CONNECT, 0, 1, exchange->policy->connect_timeout_ms);
	else
		attempt_send(exchange);
}

/* An address that a tenant may not aim at is refused where it is connected to, so that no name can be
 * turned into one afterwards (security spec, M6). */
static bool is_refused(const struct exchange *exchange, const struct endpoint_record *endpoint)
{
	return !exchange->table->routes.settings->tenant_destinations_free &&
	       ip_special_kind(&endpoint->ip) != NULL;
}

/* Nobody is there to be tried, or not any more: then the client gets what the last attempt came to, and not what
 * became of the Service meanwhile. */
static void have_no_endpoint(struct exchange *exchange, enum fault fault)
{
	if (exchange->attempt_count == 0) {
		exchange_answer(exchange, fault);
	} else if (exchange->failure != FAULT_NONE) {
		exchange_answer(exchange, exchange->failure);
	} else {
		exchange->fault = fault;
		exchange_answer_status(exchange, exchange_attempt(exchange)->status, NULL);
	}
}

static uint64_t hash_key(struct exchange *exchange, const struct upstream_match *match)
{
	const struct template_range *range = &match->upstream->hash_by;
	const struct template_text text = {.segment = match->endpoints->header,
					   .parts = &match->endpoints->parts[range->first],
					   .count = range->count};

	return template_hash(exchange, &text);
}

static void choose(struct exchange *exchange, struct balance_choice *choice,
		   const struct upstream_match *match)
{
	const struct endpoint_record *endpoint;
	uint64_t key = 0;
	struct upstream_way way;

	if (choice->count == 0) {
		have_no_endpoint(exchange, FAULT_NO_ENDPOINTS);
		return;
	}
	choice->avoided = exchange->tried;
	choice->avoided_count = exchange->tried_count;
	choice->now_ns = loop_now_ns(exchange->worker->loop);
	if (choice->algorithm == UPSTREAM_HASH)
		key = hash_key(exchange, match);
	endpoint = balance_pick(&exchange->worker->balance, choice, key);
	if (is_refused(exchange, endpoint))
		have_no_endpoint(exchange, FAULT_DESTINATION_REFUSED);
	else if (!upstream_tls_find(exchange->worker->upstream_tls, match, &way))
		have_no_endpoint(exchange, FAULT_UPSTREAM_TLS_UNUSABLE);
	else
		connect_to(exchange, endpoint, &way);
}

static void on_name(struct name_waiter *waiter)
{
	attempt_start(container_of(waiter, struct exchange, name_waiter));
}

static void choose_by_name(struct exchange *exchange, const struct upstream_match *match)
{
	const struct upstream_record *upstream = match->upstream;
	struct span name = endpoints_text(match->endpoints, upstream->external_name);
	struct worker *worker = exchange->worker;
	struct balance_choice choice = {.upstream = exchange->route->upstream};

	balance_offer(&choice, match);
	switch (names_find(&worker->names, name, upstream->external_port, &exchange->name_waiter,
			   on_name, &choice)) {
	case NAMES_KNOWN:
		choose(exchange, &choice, match);
		break;
	case NAMES_ASKED:
		break;
	case NAMES_FAILED:
		have_no_endpoint(exchange, FAULT_NAME_UNRESOLVED);
		break;
	}
}

void attempt_start(struct exchange *exchange)
{
	const struct route *route = exchange->route;
	struct upstream_match match = endpoints_find(&exchange->worker->tables.endpoints,
						     route->upstream, route->upstream_incarnation);
	const struct upstream_record *upstream = match.upstream;
	struct balance_choice choice = {.upstream = route->upstream};

	if (upstream == NULL) {
		have_no_endpoint(exchange, FAULT_NO_ENDPOINTS);
		return;
	}
	if (upstream->external_name.len > 0) {
		choose_by_name(exchange, &match);
		return;
	}
	balance_offer(&choice, &match);
	choose(exchange, &choice, &match);
}

/*
 * The request goes out
 */

/* The client waits for leave to send its body: it gets it now that somebody will read it (H56). Where the kernel has
 * no room, it will send after a while without leave (RFC 9110, 10.1.1). */
static enum fault give_leave(struct exchange *exchange)
{
	if (!exchange->request.expect_continue || exchange->continue_sent ||
	    !body_reader_is_untouched(&exchange->to_upstream.reader) || exchange->owed.len > 0)
		return FAULT_NONE;
	exchange->continue_sent = true;
	return response_out_inform(exchange, 100);
}

static void attempt_send(struct exchange *exchange)
{
	struct relay *relay = &exchange->to_upstream;
	enum fault fault = give_leave(exchange);

	if (fault != FAULT_NONE) {
		exchange_cut(exchange, fault);
		return;
	}
	fault = request_out_begin(exchange);
	if (fault != FAULT_NONE) {
		exchange_answer(exchange, fault);
		return;
	}
	exchange->server->connection->requests++;
	relay->body_limit = exchange->policy->body_limit_bytes == 0
				    ? UINT64_MAX
				    : exchange->policy->body_limit_bytes;
	exchange_move(exchange, EXCHANGE_WAITING);
	exchange_pump(exchange);
}

void attempt_on_connected(struct exchange *exchange)
{
	exchange_attempt(exchange)->connect_us = us_since_start(exchange);
	attempt_send(exchange);
}

/*
 * The response head comes in
 */

static void start_again(struct exchange *exchange)
{
	attempt_drop(exchange);
	relay_fini(&exchange->to_upstream);
	deadline_clear(&exchange->client_deadline);
	if (exchange->state != EXCHANGE_ROUTING)
		exchange_move(exchange, EXCHANGE_ROUTING);
	body_reader_rewind(&exchange->to_upstream.reader);
	exchange->worker->counters->retries++;
	attempt_start(exchange);
}

/* The endpoint of this attempt is not the next one's, where there is another. */
static void avoid_endpoint(struct exchange *exchange)
{
	if (exchange->tried_count < EXCHANGE_TRIES_MAX)
		exchange->tried[exchange->tried_count++] = exchange_attempt(exchange)->endpoint;
}

static void learn_status(struct exchange *exchange)
{
	bool failed = exchange_attempt(exchange)->status >= 500;
	enum load_outcome outcome = failed ? LOAD_FAILED : LOAD_ANSWERED;

	learn(exchange, outcome, latency_us(exchange, outcome));
}

/* A final response head. A status that proxy-next-upstream names is one more reason to try again. */
static void on_final_head(struct exchange *exchange)
{
	struct access_attempt *attempt = exchange_attempt(exchange);

	attempt->status = exchange->response.status;
	attempt->header_us = us_since_start(exchange);
	learn_status(exchange);
	exchange->tries++;
	if (retry_may_follow_status(exchange)) {
		avoid_endpoint(exchange);
		exchange->failure = FAULT_NONE;
		start_again(exchange);
	} else {
		exchange_on_response(exchange);
	}
}

/* 103 goes on to clients that know of it; everything else ends here (security spec, U6). */
static enum fault pass_hints(struct exchange *exchange)
{
	if (exchange->response.status != 103 || exchange->request.version_minor == 0 ||
	    exchange->hints_passed == HINTS_MAX || exchange->owed.len > 0)
		return FAULT_NONE;
	exchange->hints_passed++;
	return response_out_inform(exchange, 103);
}

/* False: the exchange has gone on to something else. */
static bool on_informational(struct exchange *exchange)
{
	enum fault fault;

	if (exchange->response.status == 101) {
		exchange->tries++;
		exchange_attempt(exchange)->status = 101;
		exchange_attempt(exchange)->header_us = us_since_start(exchange);
		learn_status(exchange);
		tunnel_start(exchange);
		return false;
	}
	if (++exchange->informational > INFORMATIONAL_MAX) {
		attempt_fail(exchange, FAULT_BAD_RESPONSE);
		return false;
	}
	fault = pass_hints(exchange);
	if (fault != FAULT_NONE) {
		exchange_cut(exchange, fault);
		return false;
	}
	return true;
}

bool attempt_on_head(struct exchange *exchange)
{
	if (exchange->response.status < 200)
		return on_informational(exchange);
	on_final_head(exchange);
	return false;
}

uint32_t attempt_head_bytes_max(const struct exchange *exchange)
{
	uint32_t head_bytes = exchange->policy->response_head_bytes;

	if (head_bytes < RESPONSE_HEAD_MIN)
		return RESPONSE_HEAD_MIN;
	return head_bytes > WORKER_HEAD_MAX ? WORKER_HEAD_MAX : head_bytes;
}

void attempt_on_timeout(struct exchange *exchange)
{
	switch (exchange->upstream_deadline.what) {
	case AWAIT_CONNECT:
		attempt_fail(exchange, FAULT_CONNECT_TIMEOUT);
		break;
	case AWAIT_TAKE:
		server_on_timeout(exchange->server);
		attempt_fail(exchange, FAULT_UPSTREAM_SEND_TIMEOUT);
		break;
	case AWAIT_HEAD:
		server_on_timeout(exchange->server);
		attempt_fail(exchange, FAULT_UPSTREAM_TIMEOUT);
		break;
	case AWAIT_BODY:
		server_on_timeout(exchange->server);
		attempt_break(exchange, FAULT_RESPONSE_STALLED);
		break;
	case AWAIT_TUNNEL:
		tunnel_on_timeout(exchange);
		break;
	case AWAIT_NOTHING:
		break;
	}
}

/*
 * The end of an attempt
 */

void attempt_fail(struct exchange *exchange, enum fault fault)
{
	struct access_attempt *attempt = exchange_attempt(exchange);
	bool again;

	/* what nginx would have logged as this try's status */
	if (attempt->status == 0)
		attempt->status = fault_facts(fault)->status;
	if (fault != FAULT_STALE_CONNECTION) {
		exchange->tries++;
		avoid_endpoint(exchange);
	}
	if (exchange->server == NULL || exchange->server->connecting)
		exchange->worker->counters->upstream_connect_failures++;
	exchange->failure = fault;
	exchange->fresh_connection = fault == FAULT_STALE_CONNECTION;
	again = retry_may_follow_fault(exchange, fault);
	if (fault != FAULT_STALE_CONNECTION)
		learn(exchange, load_outcome_of(fault),
		      latency_us(exchange, load_outcome_of(fault)));
	if (again)
		start_again(exchange);
	else
		exchange_answer(exchange, fault);
}

void attempt_break(struct exchange *exchange, enum fault fault)
{
	learn(exchange, LOAD_FAILED, 0);
	exchange_answer(exchange, fault);
}

/* All that came from the endpoint in this attempt, what nobody read included. */
static uint64_t received_from_endpoint(const struct exchange *exchange)
{
	return exchange->response_head_bytes + exchange->to_downstream.reader.wire_bytes +
	       server_unread(exchange->server);
}

/* The endpoint belongs to the exchange no more; its figures are final. */
static struct server *unbind_server(struct exchange *exchange)
{
	struct server *server = exchange->server;
	struct access_attempt *attempt = exchange_attempt(exchange);
	struct worker *worker = exchange->worker;

	attempt->duration_us = us_since_start(exchange);
	attempt->response_bytes = exchange->to_downstream.reader.total;
	worker->counters->upstream_bytes_out += message_sender_sent(&exchange->to_upstream.sender);
	worker->counters->upstream_bytes_in += received_from_endpoint(exchange);
	if (attempt->status == 0)
		learn(exchange, LOAD_ABANDONED, latency_us(exchange, LOAD_ABANDONED));
	load_end(&worker->load_book, load_key_of(server));
	exchange->server = NULL;
	return server;
}

void attempt_drop(struct exchange *exchange)
{
	name_waiter_cancel(&exchange->name_waiter);
	loop_task_cancel(&exchange->task);
	if (exchange->server != NULL)
		server_drop(unbind_server(exchange));
}

void attempt_finish(struct exchange *exchange)
{
	server_finish(unbind_server(exchange), exchange->request_sent);
}
