/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/exchange.h"

#include <string.h>

#include "base/bug.h"
#include "http/h1_write.h"
#include "proxy/attempt.h"
#include "proxy/client.h"
#include "proxy/downstream.h"
#include "proxy/policy/ambiguous_path.h"
#include "proxy/policy/client_certificate.h"
#include "proxy/policy/forwarded.h"
#include "proxy/policy/https_redirect.h"
#include "proxy/policy/same_ciphers.h"
#include "proxy/record.h"
#include "proxy/response_out.h"
#include "proxy/server.h"
#include "proxy/tunnel.h"
#include "proxy/worker.h"

/* A client that takes less than this within its time-out has stalled (security spec, 7.1). */
enum { STALL_PROGRESS_BYTES = 4096 };

/* From which state to which: the picture in exchange.h. */
static const uint32_t moves[] = {
	[EXCHANGE_HEAD] = BIT(EXCHANGE_ROUTING) | BIT(EXCHANGE_ANSWERING) | BIT(EXCHANGE_DONE),
	[EXCHANGE_ROUTING] = BIT(EXCHANGE_CONNECTING) | BIT(EXCHANGE_ANSWERING) |
			     BIT(EXCHANGE_DONE),
	[EXCHANGE_CONNECTING] = BIT(EXCHANGE_WAITING) | BIT(EXCHANGE_ROUTING) |
				BIT(EXCHANGE_ANSWERING) | BIT(EXCHANGE_DONE),
	[EXCHANGE_WAITING] = BIT(EXCHANGE_RELAYING) | BIT(EXCHANGE_TUNNELLING) |
			     BIT(EXCHANGE_ROUTING) | BIT(EXCHANGE_ANSWERING) | BIT(EXCHANGE_DONE),
	[EXCHANGE_RELAYING] = BIT(EXCHANGE_ANSWERING) | BIT(EXCHANGE_DONE),
	[EXCHANGE_TUNNELLING] = BIT(EXCHANGE_DONE),
	[EXCHANGE_ANSWERING] = BIT(EXCHANGE_DONE),
	[EXCHANGE_DONE] = 0,
};

void exchange_move(struct exchange *exchange, enum exchange_state to)
{
	bool attempting = to == EXCHANGE_CONNECTING || to == EXCHANGE_WAITING ||
			  to == EXCHANGE_RELAYING || to == EXCHANGE_TUNNELLING;

	BUG_ON((moves[exchange->state] & BIT(to)) == 0);
	BUG_ON(attempting != (exchange->server != NULL));
	exchange->state = to;
}

/* What was put off until now. The exchange may have gone on since, by an event of the same turn; then that event has
 * done what was to be done. */
static void on_turn_end(struct loop_task *task)
{
	struct exchange *exchange = container_of(task, struct exchange, task);

	switch (exchange->state) {
	case EXCHANGE_HEAD:
		client_on_turn(exchange->client);
		break;
	case EXCHANGE_WAITING:
	case EXCHANGE_RELAYING:
		exchange_pump(exchange);
		break;
	case EXCHANGE_TUNNELLING:
		tunnel_pump(exchange);
		break;
	case EXCHANGE_ROUTING:
	case EXCHANGE_CONNECTING:
	case EXCHANGE_ANSWERING:
	case EXCHANGE_DONE:
		break;
	}
}

struct exchange *exchange_new(struct client *client)
{
	struct worker *worker = client->connection->worker;
	struct exchange *exchange = slab_take(&worker->exchanges);

	if (exchange == NULL)
		return NULL;
	memset(exchange, 0, offsetof(struct exchange, request_id_text));
	exchange->worker = worker;
	exchange->client = client;
	exchange->request.headers = exchange->request_headers;
	exchange->response.headers = exchange->response_headers;
	exchange->client_at = client->connection->peer;
	exchange->to_upstream.pipes = &worker->pipes;
	exchange->to_downstream.pipes = &worker->pipes;
	exchange->to_upstream.blocks = &worker->iobufs;
	exchange->to_downstream.blocks = &worker->iobufs;
	exchange->started_ns = loop_now_ns(worker->loop);
	loop_task_init(&exchange->task, on_turn_end);
	name_waiter_init(&exchange->name_waiter);
	arena_init(&exchange->arena, exchange->arena_first, sizeof(exchange->arena_first),
		   EXCHANGE_ARENA_MAX);
	return exchange;
}

void exchange_forget(struct exchange *exchange)
{
	loop_task_cancel(&exchange->task);
	arena_fini(&exchange->arena);
	slab_give(&exchange->worker->exchanges, exchange);
}

unsigned exchange_protocol(const struct exchange *exchange)
{
	return exchange->client->stream != NULL ? 20 : 10 + exchange->request.version_minor;
}

uint64_t exchange_received(const struct exchange *exchange)
{
	return exchange->head_bytes + exchange->to_upstream.reader.wire_bytes;
}

uint64_t exchange_sent(const struct exchange *exchange)
{
	return exchange->interim_bytes + exchange->to_downstream.sender.sent;
}

bool exchange_takes_trailers(const struct exchange *exchange)
{
	return exchange->client->stream != NULL || exchange->request.accepts_trailers;
}

struct access_attempt *exchange_attempt(struct exchange *exchange)
{
	uint32_t last = exchange->attempt_count - 1;

	BUG_ON(exchange->attempt_count == 0);
	return &exchange->attempts[last < ACCESS_ATTEMPTS_MAX ? last : ACCESS_ATTEMPTS_MAX - 1];
}

/*
 * The way of a request to its route
 */

/* Host and target name the same place, and a place of this listener (H22–H24, H33–H37). */
static enum fault check_host(struct exchange *exchange)
{
	const struct request_head *request = &exchange->request;
	struct uri *uri = &exchange->uri;
	struct host authority;

	if (request->host.ptr != NULL && !host_parse(request->host, &exchange->host))
		return FAULT_BAD_HOST;
	if (uri->form != URI_ABSOLUTE)
		return FAULT_NONE;
	if (request->host.ptr == NULL || !host_parse(uri->authority, &authority) ||
	    !host_equals(&authority, &exchange->host, uri->https ? 443 : 80))
		return FAULT_BAD_HOST;
	return uri->https == client_is_tls(exchange->client) ? FAULT_NONE : FAULT_WRONG_SCHEME;
}

/* Prefix /foo/ and a request for /foo (compat spec, 4.4): absolute, without port. */
static void redirect_to_slash(struct exchange *exchange)
{
	const struct uri *uri = &exchange->uri;
	struct span host = exchange->host.name.len > 0 ? exchange->host.name
						       : forwarded_own_host(exchange);
	size_t length = uri->sent_path.len + uri->query.len + host.len + 32;
	char *text = arena_take_bytes(&exchange->arena, length);
	struct h1_writer writer;

	if (text == NULL) {
		exchange_answer(exchange, FAULT_OUT_OF_MEMORY);
		return;
	}
	writer = h1_writer_over(text, length);
	h1_write_literal(&writer, client_is_tls(exchange->client) ? S("https://") : S("http://"));
	h1_write_literal(&writer, host);
	h1_write_literal(&writer, uri->sent_path);
	h1_write_literal(&writer, S("/"));
	h1_write_literal(&writer, uri->query);
	BUG_ON(writer.fault != H1_WRITER_OK);
	exchange_redirect(exchange, 301, h1_written(&writer));
}

static void obey_route(struct exchange *exchange)
{
	const struct route_policy *policy = exchange->policy;
	const struct request_head *request = &exchange->request;

	if (https_redirect(exchange))
		return;
	if (policy->body_limit_bytes != 0 && request->framing == BODY_LENGTH &&
	    request->content_length > policy->body_limit_bytes) {
		exchange_answer(exchange, FAULT_BODY_TOO_LARGE);
		return;
	}
	switch ((enum route_answer)exchange->route->answer) {
	case ROUTE_PROXY:
		attempt_start(exchange);
		break;
	case ROUTE_NOT_FOUND:
		exchange_answer(exchange, FAULT_NO_ROUTE);
		break;
	case ROUTE_NO_SERVICE:
		exchange_answer(exchange, FAULT_NO_SERVICE);
		break;
	case ROUTE_DENIED:
		exchange_answer(exchange, FAULT_DENIED_ROUTE);
		break;
	case ROUTE_ANSWER_COUNT:
		BUG_ON(true); /* verify refuses it */
	}
}

/* From the one whose settings were good for the head to that of the host; they have the same settings. */
static void use_shard(struct exchange *exchange, struct shard *shard)
{
	shard_pin(shard);
	shard_unpin(&exchange->worker->tables.routes, exchange->table);
	exchange->table = shard;
}

static void find_route(struct exchange *exchange)
{
	struct route_match match;

	if (exchange->table == NULL) {
		exchange_answer(exchange, FAULT_NO_TABLE);
		return;
	}
	match = routes_find(&exchange->worker->tables.routes, exchange->host.name,
			    exchange->uri.match_path);
	use_shard(exchange, match.shard);
	exchange->route = match.route;
	if (match.route == NULL) {
		exchange_answer(exchange, FAULT_NO_ROUTE);
		return;
	}
	exchange->policy = &match.shard->routes.policies[match.route->policy];
	if (client_certificate_refuses(exchange) || same_ciphers_refuses(exchange))
		return;
	if (match.add_slash)
		redirect_to_slash(exchange);
	else if (exchange->uri.has_readings && ambiguous_path_is(exchange))
		exchange_answer(exchange, FAULT_AMBIGUOUS_PATH);
	else
		obey_route(exchange);
}

/* What may be asked of the whole server (RFC 9110, 9.3.7). */
static void answer_asterisk(struct exchange *exchange)
{
	exchange_answer_status(
		exchange, 204,
		&(struct header){.name = S("Allow"),
				 .value = S("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")});
}

void exchange_on_head(struct exchange *exchange, size_t head_bytes)
{
	struct request_head *request = &exchange->request;
	struct worker *worker = exchange->worker;
	enum fault fault;

	exchange->head_bytes = (uint32_t)head_bytes;
	worker->counters->requests++;
	if (tables_are_complete(&worker->tables)) {
		exchange->table = worker->tables.routes.at[0];
		shard_pin(exchange->table);
		forwarded_find_client(exchange);
	}
	exchange->keep_alive = request->keep_alive;
	exchange_move(exchange, EXCHANGE_ROUTING);
	fault = uri_parse(request->target, request->method_id, &exchange->arena, &exchange->uri);
	if (fault == FAULT_NONE)
		fault = check_host(exchange);
	if (fault != FAULT_NONE)
		exchange_answer(exchange, fault);
	else if (exchange->uri.form == URI_ASTERISK)
		answer_asterisk(exchange);
	else
		find_route(exchange);
}

/*
 * Bodies
 */

static const struct table_settings *settings_of(const struct exchange *exchange)
{
	return exchange->table->routes.settings;
}

static void await_client(struct exchange *exchange, enum await what, uint64_t progress,
			 uint64_t enough, uint32_t delay_ms)
{
	deadline_set(&exchange->client_deadline, exchange->worker->timers, &exchange->client->timer,
		     what, progress, enough, delay_ms);
}

static void await_upstream(struct exchange *exchange, enum await what, uint64_t progress,
			   uint32_t delay_ms)
{
	deadline_set(&exchange->upstream_deadline, exchange->worker->timers,
		     &exchange->server->timer, what, progress, 1, delay_ms);
}

/* The request is still on its way to the endpoint. */
static bool is_sending(const struct exchange *exchange)
{
	return !exchange->request_sent && !exchange->request_given_up;
}

static void arm_client(struct exchange *exchange)
{
	const struct relay *up = &exchange->to_upstream;
	const struct relay *down = &exchange->to_downstream;

	if (exchange->state == EXCHANGE_RELAYING && relay_waits_for_sink(down))
		await_client(exchange, AWAIT_TAKE, down->sender.sent, STALL_PROGRESS_BYTES,
			     settings_of(exchange)->client_stall_timeout_ms);
	else if (is_sending(exchange) && relay_waits_for_source(up))
		await_client(exchange, AWAIT_BODY, up->reader.total, 1,
			     settings_of(exchange)->client_body_timeout_ms);
	else
		deadline_clear(&exchange->client_deadline);
}

static void arm_upstream(struct exchange *exchange)
{
	const struct relay *up = &exchange->to_upstream;
	const struct relay *down = &exchange->to_downstream;
	const struct route_policy *policy = exchange->policy;

	if (is_sending(exchange) && relay_waits_for_sink(up))
		await_upstream(exchange, AWAIT_TAKE, up->sender.sent, policy->send_timeout_ms);
	else if (exchange->state == EXCHANGE_WAITING && !is_sending(exchange))
		await_upstream(exchange, AWAIT_HEAD, 0, policy->read_timeout_ms);
	else if (exchange->state == EXCHANGE_RELAYING && relay_waits_for_source(down))
		await_upstream(exchange, AWAIT_BODY, down->reader.total, policy->read_timeout_ms);
	else
		deadline_clear(&exchange->upstream_deadline);
}

/* Moves the request on. False: the exchange has ended or is being answered. */
static bool pump_request(struct exchange *exchange)
{
	struct relay *relay = &exchange->to_upstream;

	if (exchange->request_sent || exchange->request_given_up)
		return true;
	switch (relay_pump(relay, &exchange->arena)) {
	case RELAY_DONE:
		exchange->request_sent = true;
		exchange->request_sent_ns = loop_now_ns(exchange->worker->loop);
		return true;
	case RELAY_WAIT:
		return true;
	case RELAY_TURN_OVER:
		loop_defer(exchange->worker->loop, &exchange->task);
		return true;
	case RELAY_BROKEN:
		/* it may have answered before it closed: what it said counts (U10) */
		exchange->request_given_up = true;
		server_hear_out(exchange->server);
		return true;
	case RELAY_CUT:
		exchange_answer(exchange, FAULT_REQUEST_CUT);
		return false;
	case RELAY_BAD:
		exchange_answer(exchange, relay->reader.fault);
		return false;
	case RELAY_TOO_LARGE:
		exchange_answer(exchange, FAULT_BODY_TOO_LARGE);
		return false;
	case RELAY_NO_MEMORY:
		exchange_answer(exchange, FAULT_OUT_OF_MEMORY);
		return false;
	}
	BUG_ON(true);
	return false;
}

void exchange_cut(struct exchange *exchange, enum fault fault)
{
	exchange->fault = fault;
	exchange->keep_alive = false;
	exchange_end(exchange);
}

/* False: the exchange has ended or is being answered. */
static bool pump_response(struct exchange *exchange)
{
	switch (relay_pump(&exchange->to_downstream, &exchange->arena)) {
	case RELAY_DONE:
		exchange_end(exchange);
		return false;
	case RELAY_WAIT:
		return true;
	case RELAY_TURN_OVER:
		loop_defer(exchange->worker->loop, &exchange->task);
		return true;
	case RELAY_CUT:
	case RELAY_TOO_LARGE:
		attempt_break(exchange, FAULT_RESPONSE_CUT);
		return false;
	case RELAY_BAD:
		attempt_break(exchange, FAULT_BAD_RESPONSE_BODY);
		return false;
	case RELAY_BROKEN:
		exchange_cut(exchange, FAULT_CLIENT_CLOSED);
		return false;
	case RELAY_NO_MEMORY:
		exchange_answer(exchange, FAULT_OUT_OF_MEMORY);
		return false;
	}
	BUG_ON(true);
	return false;
}

void exchange_pump(struct exchange *exchange)
{
	if (!pump_request(exchange))
		return;
	if (exchange->state == EXCHANGE_RELAYING && !pump_response(exchange))
		return;
	arm_client(exchange);
	arm_upstream(exchange);
	if (exchange->state == EXCHANGE_WAITING && exchange->request_given_up &&
	    server_may_have_spoken(exchange->server))
		server_hear(exchange->server);
}

/*
 * The response
 */

/* Whether the client may send another request after this response. */
static bool may_keep_alive(const struct exchange *exchange)
{
	const struct table_settings *settings = settings_of(exchange);

	return exchange->keep_alive && !exchange->worker->draining &&
	       settings->keep_alive_timeout_ms > 0 &&
	       exchange->client->connection->requests < settings->keep_alive_requests;
}

void exchange_on_response(struct exchange *exchange)
{
	struct relay *relay = &exchange->to_downstream;
	enum message_framing framing = response_out_framing(exchange);

	/* the endpoint has opened none (H59) */
	if (exchange->request.wants_websocket && exchange->response.status < 300 &&
	    client_tunnels_by_success(exchange->client)) {
		attempt_fail(exchange, FAULT_BAD_UPGRADE);
		return;
	}
	exchange->status = exchange->response.status;
	exchange->keep_alive = may_keep_alive(exchange);
	if (!exchange->request_sent && exchange->response.status >= 300) {
		exchange->request_given_up = true;
		exchange->keep_alive = false;
	}
	if (framing == MESSAGE_FRAMING_RAW && exchange->response.framing != BODY_LENGTH)
		exchange->keep_alive = false;
	if (!response_out_begin(exchange, framing)) {
		attempt_fail(exchange, FAULT_RESPONSE_HEAD_TOO_LARGE);
		return;
	}
	server_begin_body(exchange->server);
	relay->body_limit = UINT64_MAX;
	exchange->response_started = true;
	exchange_move(exchange, EXCHANGE_RELAYING);
	exchange_pump(exchange);
}

/* Ingot's own answer is one piece. */
static void pump_answer(struct exchange *exchange)
{
	struct message_sender *sender = &exchange->to_downstream.sender;
	size_t none;

	switch (message_sender_flush(sender, &exchange->arena, &none)) {
	case MESSAGE_SENDER_SENT:
		exchange_end(exchange);
		break;
	case MESSAGE_SENDER_WAIT:
		await_client(exchange, AWAIT_TAKE, sender->sent, STALL_PROGRESS_BYTES,
			     WORKER_STALL_TIMEOUT_MS);
		break;
	case MESSAGE_SENDER_BROKEN:
		exchange_cut(exchange, FAULT_CLIENT_CLOSED);
		break;
	case MESSAGE_SENDER_NO_MEMORY:
		exchange_cut(exchange, FAULT_OUT_OF_MEMORY);
		break;
	}
}

/* A request whose body was not read to its end never leaves a usable connection. */
static bool request_was_read(const struct exchange *exchange)
{
	return exchange->state != EXCHANGE_HEAD && exchange->to_upstream.reader.ended;
}

void exchange_answer_status(struct exchange *exchange, unsigned status, const struct header *field)
{
	enum fault fault;

	attempt_drop(exchange);
	exchange->status = (uint16_t)status;
	/* a body that has come whole is no reason to close */
	if (exchange->state != EXCHANGE_HEAD)
		(void)body_reader_decode(&exchange->to_upstream.reader);
	exchange->keep_alive = request_was_read(exchange) && exchange->table != NULL &&
			       may_keep_alive(exchange);
	fault = response_out_own(exchange, status, field);
	exchange_move(exchange, EXCHANGE_ANSWERING);
	if (fault == FAULT_NONE)
		pump_answer(exchange);
	else
		exchange_cut(exchange, fault);
}

void exchange_redirect(struct exchange *exchange, unsigned status, struct span location)
{
	exchange_answer_status(exchange, status,
			       &(struct header){.id = HEADER_LOCATION,
						.name = header_name(HEADER_LOCATION),
						.value = location});
}

void exchange_answer(struct exchange *exchange, enum fault fault)
{
	const struct fault_facts *facts = fault_facts(fault);

	exchange->fault = fault;
	if (facts->side == FAULT_SIDE_DOWNSTREAM)
		exchange->keep_alive = false;
	/* where nothing of the head has left yet, the client can still be told */
	if (exchange->state == EXCHANGE_RELAYING &&
	    message_sender_is_untouched(&exchange->to_downstream.sender))
		exchange->response_started = false;
	if (exchange->response_started)
		exchange_end(exchange);
	else
		exchange_answer_status(exchange, facts->status, NULL);
}

/*
 * Events of the client's connection
 */

void exchange_on_downstream(struct exchange *exchange)
{
	switch (exchange->state) {
	case EXCHANGE_WAITING:
	case EXCHANGE_RELAYING:
		exchange_pump(exchange);
		break;
	case EXCHANGE_TUNNELLING:
		tunnel_pump(exchange);
		break;
	case EXCHANGE_ANSWERING:
		pump_answer(exchange);
		break;
	case EXCHANGE_HEAD:
	case EXCHANGE_ROUTING:
	case EXCHANGE_CONNECTING:
	case EXCHANGE_DONE:
		break;
	}
}

/* It takes too little: slowly is not enough. */
static void on_stalled_client(struct exchange *exchange)
{
	struct message_sender *sender = &exchange->to_downstream.sender;
	uint32_t delay_ms = exchange->state == EXCHANGE_RELAYING
				    ? settings_of(exchange)->client_stall_timeout_ms
				    : WORKER_STALL_TIMEOUT_MS;

	if (sender->sent - exchange->client_deadline.mark >= STALL_PROGRESS_BYTES)
		await_client(exchange, AWAIT_TAKE, sender->sent, STALL_PROGRESS_BYTES, delay_ms);
	else
		exchange_cut(exchange, FAULT_CLIENT_STALLED);
}

void exchange_on_client_timeout(struct exchange *exchange)
{
	switch (exchange->client_deadline.what) {
	case AWAIT_BODY:
		exchange_answer(exchange, FAULT_BODY_TIMEOUT);
		break;
	case AWAIT_TAKE:
		on_stalled_client(exchange);
		break;
	case AWAIT_NOTHING:
	case AWAIT_CONNECT:
	case AWAIT_HEAD:
	case AWAIT_TUNNEL:
		break;
	}
}

/*
 * The end
 */

/* The response is out whole, or there is none that could be taken for whole. */
static enum client_after after_end(const struct exchange *exchange)
{
	const struct relay *relay = &exchange->to_downstream;
	bool complete = message_sender_is_done(&relay->sender);

	if (exchange->fault == FAULT_CLIENT_CLOSED || exchange->fault == FAULT_CLIENT_STALLED)
		return CLIENT_RESET;
	if (!complete && exchange->response_started)
		return relay->sender.framing == MESSAGE_FRAMING_RAW &&
				       exchange->response.framing != BODY_LENGTH
			       ? CLIENT_RESET
			       : CLIENT_CUT;
	if (!request_was_read(exchange))
		return CLIENT_LINGER;
	return exchange->keep_alive ? CLIENT_KEEP : CLIENT_DONE;
}

void exchange_end(struct exchange *exchange)
{
	struct worker *worker = exchange->worker;
	struct client *client = exchange->client;
	struct client_end end = {
		.after = after_end(exchange),
		.fault = exchange->fault,
		.attempted = exchange->attempt_count > 0,
	};
	bool complete = exchange->fault == FAULT_NONE && exchange->state == EXCHANGE_RELAYING;

	if (complete)
		attempt_finish(exchange);
	else
		attempt_drop(exchange);
	record_exchange(exchange);
	if (exchange->state == EXCHANGE_TUNNELLING)
		worker->counters->tunnels_now--;
	relay_fini(&exchange->to_upstream);
	relay_fini(&exchange->to_downstream);
	body_reader_fini(&exchange->to_upstream.reader, &worker->iobufs);
	exchange_move(exchange, EXCHANGE_DONE);
	loop_task_cancel(&exchange->task);
	if (exchange->table != NULL)
		shard_unpin(&worker->tables.routes, exchange->table);
	worker->counters->segments_mapped_now = tables_mapped(&worker->tables);
	arena_fini(&exchange->arena);
	slab_give(&worker->exchanges, exchange);
	client->exchange = NULL;
	client_on_exchange_end(client, end);
}
