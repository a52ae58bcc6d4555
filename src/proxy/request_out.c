/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/request_out.h"

#include "base/random.h"
#include "http/h2.h"
#include "http/websocket.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/head_out.h"
#include "proxy/policy/client_certificate.h"
#include "proxy/policy/forwarded.h"
#include "proxy/server.h"
#include "proxy/upstream.h"
#include "proxy/upstream_stream.h"
#include "proxy/worker.h"

/* A client's own field: whether it goes on. */
static bool passes(const struct exchange *exchange, const struct header *header,
		   const struct forwarded *forwarded)
{
	if (header->dropped || (header->id == HEADER_X_ORIGINAL_URI &&
				exchange->table->routes.settings->add_original_uri))
		return false;
	switch (header_request_way((enum header_id)header->id)) {
	case HEADER_WAY_PASS:
		if (header->id == HEADER_OTHER && client_certificate_reserves(header->name))
			return false;
		/* the key of a handshake is written beside */
		return header->id != HEADER_SEC_WEBSOCKET_KEY || !exchange->request.wants_websocket;
	case HEADER_WAY_DROP:
		return forwarded->trusted;
	case HEADER_WAY_HOP:
	case HEADER_WAY_FRAMING:
	case HEADER_WAY_OURS:
		break;
	}
	return false;
}

/* Of HTTP/1.1 alone. */
static void put_connection(struct head_out *out)
{
	const struct exchange *exchange = out->exchange;

	if (out->stream != NULL)
		return;
	if (exchange->request.wants_websocket) {
		head_out_put(out, HEADER_CONNECTION, S("upgrade"));
		head_out_put(out, HEADER_UPGRADE, S("websocket"));
		head_out_put(out, HEADER_SEC_WEBSOCKET_KEY, exchange->request.websocket_key);
	} else if (exchange->table->routes.settings->upstream_keepalive_connections == 0) {
		head_out_put(out, HEADER_CONNECTION, S("close"));
	}
}

/* Trailers are asked for where the client asks (H55). */
static void put_te(struct head_out *out)
{
	const struct exchange *exchange = out->exchange;

	if (!exchange->request.accepts_trailers)
		return;
	head_out_put(out, HEADER_TE, S("trailers"));
	if (out->stream == NULL)
		head_out_put(out, HEADER_CONNECTION, S("te"));
}

/* A handshake of HTTP/2 has no key (RFC 8441, 5); of HTTP/1.1 it needs one. */
static void find_websocket_key(struct exchange *exchange)
{
	uint8_t nonce[WEBSOCKET_NONCE_BYTES];
	char key[WEBSOCKET_KEY_BYTES];

	if (!exchange->request.wants_websocket || exchange->request.websocket_key.len > 0 ||
	    !server_can_tunnel(exchange->server))
		return;
	random_secret(nonce, sizeof(nonce));
	websocket_key_write(key, nonce);
	exchange->request.websocket_key = arena_copy(&exchange->arena, span_make(key, sizeof(key)));
}

/* Exactly one of the two, or neither where there is no body (security spec, 3.5). A stream has an end of its own. */
static void put_framing(struct head_out *out)
{
	const struct request_head *request = &out->exchange->request;

	if (request->framing == BODY_CHUNKED && out->stream == NULL)
		head_out_put(out, HEADER_TRANSFER_ENCODING, S("chunked"));
	else if (request->has_content_length)
		head_out_put_number(out, HEADER_CONTENT_LENGTH, request->content_length);
}

static void put_fields(struct head_out *out, const struct forwarded *forwarded)
{
	struct exchange *exchange = out->exchange;
	const struct request_head *request = &exchange->request;

	forwarded_write(exchange, forwarded, out);
	client_certificate_write(exchange, out);
	for (uint32_t i = 0; i < request->header_count; i++)
		if (passes(exchange, &request->headers[i], forwarded))
			head_out_put_received(out, &request->headers[i]);
	put_connection(out);
	put_te(out);
	put_framing(out);
}

static enum message_framing framing_of(const struct head_out *out)
{
	switch (out->exchange->request.framing) {
	case BODY_LENGTH:
		return MESSAGE_FRAMING_RAW;
	case BODY_CHUNKED:
		return out->stream == NULL ? MESSAGE_FRAMING_CHUNKED : MESSAGE_FRAMING_RAW;
	case BODY_NONE:
	case BODY_CLOSE:
		break;
	}
	return MESSAGE_FRAMING_NONE;
}

static enum fault begin_h1(struct head_out *out, const struct forwarded *forwarded)
{
	struct exchange *exchange = out->exchange;
	enum fault fault;

	h1_write_request_line(&out->h1, exchange->request.method, exchange->uri.sent_path,
			      exchange->uri.query);
	head_out_put(out, HEADER_HOST, forwarded->host);
	put_fields(out, forwarded);
	fault = head_out_end_h1(out);
	if (fault == FAULT_NONE)
		message_sender_init(&exchange->to_upstream.sender,
				    &exchange->server->connection->transport, framing_of(out),
				    h1_written(&out->h1));
	return fault;
}

/* Path and query are one there. */
static struct span join_path(struct head_out *out)
{
	const struct uri *uri = &out->exchange->uri;
	char *joined;

	if (uri->query.len == 0)
		return uri->sent_path;
	joined = arena_take_bytes(&out->exchange->arena, uri->sent_path.len + uri->query.len);
	if (joined == NULL) {
		head_out_fail(out);
		return S("/");
	}
	memcpy(joined, uri->sent_path.ptr, uri->sent_path.len);
	memcpy(joined + uri->sent_path.len, uri->query.ptr, uri->query.len);
	return span_make(joined, uri->sent_path.len + uri->query.len);
}

static enum fault begin_h2(struct head_out *out, const struct forwarded *forwarded)
{
	struct exchange *exchange = out->exchange;
	enum message_framing framing = framing_of(out);
	bool is_tls = transport_is_tls(&exchange->server->connection->transport);
	struct h2_request request = {
		.method = exchange->request.method,
		.scheme = is_tls ? S("https") : S("http"),
		.authority = forwarded->host,
		.path = join_path(out),
	};
	enum fault fault;

	put_fields(out, forwarded);
	fault = out->fault;
	if (fault == FAULT_NONE)
		fault = upstream_stream_request(exchange->server, &request, out->fields, out->count,
						framing == MESSAGE_FRAMING_NONE ? H2_THEN_END
										: H2_THEN_BODY);
	if (fault == FAULT_WRITER_CHECK)
		exchange->worker->counters->writer_check_failures++;
	if (fault == FAULT_NONE)
		message_sender_init_stream(&exchange->to_upstream.sender, out->stream, framing);
	return fault;
}

enum fault request_out_begin(struct exchange *exchange)
{
	struct head_out out = head_out_begin(exchange, exchange->server->stream);
	struct forwarded forwarded;

	forwarded_find_request_id(exchange);
	forwarded_find(exchange, &forwarded);
	find_websocket_key(exchange);
	return out.stream == NULL ? begin_h1(&out, &forwarded) : begin_h2(&out, &forwarded);
}
