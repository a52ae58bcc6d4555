/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/opening.h"

#include "base/bug.h"
#include "base/log.h"
#include "io/proxy_protocol.h"
#include "io/tls_preview.h"
#include "proxy/downstream.h"
#include "proxy/passthrough.h"
#include "proxy/policy/forwarded.h"
#include "proxy/worker.h"

/* Anybody may connect: what is told of them is told once in a while, with how many they were. */
static const uint64_t complaint_pause_ns = 60 * (uint64_t)1000000000;

static void complain(struct worker *worker, enum fault fault, const struct ip_port *peer)
{
	struct opening_complaints *complaints = &worker->complaints;
	uint64_t now_ns = loop_now_ns(worker->loop);
	char text[IP_PORT_TEXT_SIZE];

	worker->area->faults[fault]++;
	complaints->untold++;
	if (now_ns < complaints->quiet_until_ns)
		return;
	(void)ip_port_write(text, peer);
	log_warn("connections are closed at their PROXY header", "connections=%u reason=%s peer=%s",
		 complaints->untold, fault_facts(fault)->word, text);
	complaints->untold = 0;
	complaints->quiet_until_ns = now_ns + complaint_pause_ns;
}

/* The header's sender is at fault; it gets no answer, since none of its protocol is known. */
static void refuse(struct downstream *downstream, enum fault fault)
{
	complain(downstream->worker, fault, &downstream->peer);
	downstream_close(downstream);
}

static enum opening behind_header(const struct worker *worker, bool is_tls)
{
	return is_tls && worker->tables.routes.passthrough > 0 ? OPENING_HELLO : OPENING_DONE;
}

enum opening opening_first(const struct listener *listener)
{
	const struct table_settings *settings = worker_settings(listener->worker);

	if (settings != NULL && settings->use_proxy_protocol)
		return OPENING_HEADER;
	return behind_header(listener->worker, listener->kind == LISTENER_TLS);
}

bool opening_admits(struct worker *worker, const struct ip_port *peer)
{
	if (forwarded_trusts(&worker->tables.routes.at[0]->routes, &peer->ip))
		return true;
	complain(worker, FAULT_PROXY_PEER_UNTRUSTED, peer);
	return false;
}

/*
 * The ClientHello
 */

/* Who asks for a host that is passed on goes there; TLS judges everybody else. */
static void decide(struct downstream *downstream, const struct tls_preview *hello)
{
	const struct shards *routes = &downstream->worker->tables.routes;
	struct span name = span_make(hello->name, hello->name_length);
	struct route_match match = {0};

	if (name.len > 0)
		match = routes_find_passthrough(routes, name);
	if (match.route != NULL)
		passthrough_start(downstream, &match, name);
	else
		downstream_begin(downstream);
}

static void look_at_hello(struct downstream *downstream)
{
	struct worker *worker = downstream->worker;
	ssize_t got = transport_peek(&downstream->transport, worker->scratch, TLS_PREVIEW_MAX);
	struct tls_preview hello;

	if (got == TRANSPORT_AGAIN)
		return;
	if (got <= 0) {
		downstream_close(downstream);
		return;
	}
	tls_preview(span_make(worker->scratch, (size_t)got), &hello);
	if (hello.status == TLS_PREVIEW_MORE && !downstream->transport.peer_done)
		return;
	decide(downstream, &hello);
}

/*
 * The PROXY header
 */

static void go_on(struct downstream *downstream)
{
	downstream->opening = (uint8_t)behind_header(downstream->worker, downstream->by_tls);
	if (downstream->opening == OPENING_DONE) {
		downstream_begin(downstream);
		return;
	}
	downstream_arm(downstream, TLS_HANDSHAKE_TIMEOUT_MS);
	look_at_hello(downstream);
}

static void take_header(struct downstream *downstream, const struct proxy_protocol *header)
{
	if (!transport_skip(&downstream->transport, header->consumed)) {
		downstream_close(downstream);
		return;
	}
	if (!header->is_local) {
		downstream->peer = header->source;
		downstream->local_port = header->destination.port;
		downstream->is_fronted = true;
	}
	go_on(downstream);
}

static void look_at_header(struct downstream *downstream)
{
	char *bytes = downstream->worker->scratch;
	ssize_t got = transport_peek(&downstream->transport, bytes, PROXY_PROTOCOL_MAX);
	struct proxy_protocol header;

	if (got == TRANSPORT_AGAIN)
		return;
	/* who only tries whether somebody is there has nothing to say */
	if (got <= 0) {
		downstream_close(downstream);
		return;
	}
	header = proxy_protocol_parse(span_make(bytes, (size_t)got));
	switch (header.status) {
	case PROXY_PROTOCOL_DONE:
		take_header(downstream, &header);
		break;
	case PROXY_PROTOCOL_MORE:
		if (downstream->transport.peer_done)
			refuse(downstream, FAULT_BAD_PROXY_HEADER);
		break;
	case PROXY_PROTOCOL_BAD:
		refuse(downstream, FAULT_BAD_PROXY_HEADER);
		break;
	}
}

/*
 * Events
 */

void opening_start(struct downstream *downstream)
{
	uint32_t timeout_ms = TLS_HANDSHAKE_TIMEOUT_MS;

	if (downstream->opening == OPENING_HEADER)
		timeout_ms = worker_settings(downstream->worker)->proxy_header_timeout_ms;
	downstream_arm(downstream, timeout_ms);
}

void opening_on_ready(struct downstream *downstream)
{
	if (!downstream->transport.can_read)
		return;
	switch ((enum opening)downstream->opening) {
	case OPENING_HEADER:
		look_at_header(downstream);
		break;
	case OPENING_HELLO:
		look_at_hello(downstream);
		break;
	case OPENING_DONE:
		BUG_ON(true);
	}
}

void opening_on_expired(struct downstream *downstream)
{
	if (downstream->opening == OPENING_HEADER)
		refuse(downstream, FAULT_PROXY_HEADER_TIMEOUT);
	else
		downstream_close(downstream);
}
