/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tunnel.h"

#include "base/bug.h"
#include "http/websocket.h"
#include "proxy/attempt.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/response_out.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

/* A 101 opens the tunnel only where it answers what was asked (security spec, H59). */
static bool is_the_right_answer(const struct exchange *exchange)
{
	const struct response_head *response = &exchange->response;

	return exchange->request.wants_websocket && exchange->request_sent &&
	       response->connection_upgrade &&
	       span_equals_nocase(response->upgrade, S("websocket")) &&
	       websocket_accept_fits(exchange->request.websocket_key, response->websocket_accept);
}

static uint32_t idle_timeout_ms(const struct exchange *exchange)
{
	uint32_t own = exchange->table->routes.settings->tunnel_idle_timeout_ms;

	return own != 0 ? own : exchange->policy->read_timeout_ms;
}

/* What lies in the buffers behind both heads belongs to the tunnel. What was counted for the request counts on. */
static void open_ways(struct exchange *exchange)
{
	struct upstream *upstream = exchange->upstream;
	struct relay *up = &exchange->to_upstream;
	struct relay *down = &exchange->to_downstream;
	uint64_t sent = up->sender.sent;

	body_reader_go_raw(&up->reader);
	message_sender_init(&up->sender, &upstream->transport, MESSAGE_FRAMING_RAW, S(""));
	up->sender.sent = sent;
	body_reader_init(&down->reader, &upstream->transport, upstream->in, BODY_CLOSE, 0, false);
	up->body_limit = down->body_limit = UINT64_MAX;
}

void tunnel_start(struct exchange *exchange)
{
	if (!is_the_right_answer(exchange)) {
		attempt_fail(exchange, FAULT_BAD_UPGRADE);
		return;
	}
	if (!response_out_begin(exchange, MESSAGE_FRAMING_RAW)) {
		attempt_fail(exchange, FAULT_RESPONSE_HEAD_TOO_LARGE);
		return;
	}
	exchange->status = client_tunnels_by_success(exchange->client) ? 200 : 101;
	exchange->keep_alive = false;
	exchange->response_started = true;
	exchange->worker->counters->tunnels++;
	exchange->worker->counters->tunnels_now++;
	exchange_move(exchange, EXCHANGE_TUNNELLING);
	open_ways(exchange);
	tunnel_pump(exchange);
}

static void tunnel_end(struct exchange *exchange, enum fault fault)
{
	exchange->fault = fault;
	exchange_end(exchange);
}

enum way { WAY_OPEN, WAY_BROKEN, WAY_NO_MEMORY };

/* Nothing more goes that way; the other way goes on. */
static void end_way(struct relay *relay)
{
	relay->sender.first = relay->sender.count;
	relay->sender.last = true;
}

/* A connection of TLS that ends without saying so ends the other side's input all the same: whether something is
 * missing is for the protocol in the tunnel to know. */
static enum relay_status pump_relay(struct exchange *exchange, struct relay *relay)
{
	enum relay_status status = relay_pump(relay, &exchange->arena);

	if (status != RELAY_CUT || !transport_is_cut(relay->reader.transport))
		return status;
	relay->reader.ended = true;
	return relay_pump(relay, &exchange->arena);
}

/* Moves one way on. A way that has ended ends the other side's input. */
static enum way pump_way(struct exchange *exchange, struct relay *relay)
{
	if (message_sender_is_done(&relay->sender))
		return WAY_OPEN;
	switch (pump_relay(exchange, relay)) {
	case RELAY_DONE:
		message_sender_finish(&relay->sender);
		return WAY_OPEN;
	case RELAY_WAIT:
		return WAY_OPEN;
	case RELAY_TURN_OVER:
		loop_defer(exchange->worker->loop, &exchange->task);
		return WAY_OPEN;
	case RELAY_CUT:
	case RELAY_BAD:
	case RELAY_BROKEN:
	case RELAY_TOO_LARGE:
		return WAY_BROKEN;
	case RELAY_NO_MEMORY:
		return WAY_NO_MEMORY;
	}
	BUG_ON(true);
	return WAY_BROKEN;
}

/* Bytes that came or went, either way. */
static uint64_t passed(const struct exchange *exchange)
{
	return exchange->to_upstream.reader.total + exchange->to_upstream.sender.sent +
	       exchange->to_downstream.reader.total + exchange->to_downstream.sender.sent;
}

void tunnel_pump(struct exchange *exchange)
{
	enum way down;

	/* the pod takes no more: what it still has to say is passed on all the same */
	if (pump_way(exchange, &exchange->to_upstream) != WAY_OPEN)
		end_way(&exchange->to_upstream);
	down = pump_way(exchange, &exchange->to_downstream);
	if (down == WAY_NO_MEMORY)
		tunnel_end(exchange, FAULT_OUT_OF_MEMORY);
	else if (down == WAY_BROKEN || (message_sender_is_done(&exchange->to_upstream.sender) &&
					message_sender_is_done(&exchange->to_downstream.sender)))
		tunnel_end(exchange, FAULT_NONE);
	else
		deadline_set(&exchange->upstream_deadline, exchange->worker->timers,
			     &exchange->upstream->timer, AWAIT_TUNNEL, passed(exchange), 1,
			     idle_timeout_ms(exchange));
}

void tunnel_on_timeout(struct exchange *exchange)
{
	tunnel_end(exchange, FAULT_RESPONSE_STALLED);
}
