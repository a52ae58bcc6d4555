/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/request_out.h"

#include "base/random.h"
#include "http/h1_write.h"
#include "http/websocket.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/policy/client_certificate.h"
#include "proxy/policy/forwarded.h"
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

static void write_connection(const struct exchange *exchange, struct h1_writer *writer)
{
	const struct table_settings *settings = exchange->table->routes.settings;

	if (exchange->request.wants_websocket) {
		h1_write_field(writer, HEADER_CONNECTION, S("upgrade"));
		h1_write_field(writer, HEADER_UPGRADE, S("websocket"));
		h1_write_field(writer, HEADER_SEC_WEBSOCKET_KEY, exchange->request.websocket_key);
	} else if (settings->upstream_keepalive_connections == 0) {
		h1_write_field(writer, HEADER_CONNECTION, S("close"));
	}
}

/* Trailers are asked for where the client can have them (H55): gRPC does not work without. */
static void write_te(const struct exchange *exchange, struct h1_writer *writer)
{
	if (!exchange->request.accepts_trailers || !client_takes_trailers(exchange->client))
		return;
	h1_write_field(writer, HEADER_TE, S("trailers"));
	h1_write_field(writer, HEADER_CONNECTION, S("te"));
}

/* A handshake of HTTP/2 has no key (RFC 8441, 5); of HTTP/1.1 it needs one. */
static void find_websocket_key(struct exchange *exchange)
{
	uint8_t nonce[WEBSOCKET_NONCE_BYTES];
	char key[WEBSOCKET_KEY_BYTES];

	if (!exchange->request.wants_websocket || exchange->request.websocket_key.len > 0)
		return;
	random_secret(nonce, sizeof(nonce));
	websocket_key_write(key, nonce);
	exchange->request.websocket_key = arena_copy(&exchange->arena, span_make(key, sizeof(key)));
}

/* Exactly one of the two, or neither where there is no body (security spec, 3.5). */
static void write_framing(const struct request_head *request, struct h1_writer *writer)
{
	if (request->framing == BODY_CHUNKED)
		h1_write_field(writer, HEADER_TRANSFER_ENCODING, S("chunked"));
	else if (request->has_content_length)
		h1_write_field_number(writer, HEADER_CONTENT_LENGTH, request->content_length);
}

struct span request_out_write(struct exchange *exchange)
{
	const struct request_head *request = &exchange->request;
	struct h1_writer writer = h1_writer_over(exchange->worker->scratch, WORKER_SCRATCH_SIZE);
	struct forwarded forwarded;

	forwarded_find_request_id(exchange);
	forwarded_find(exchange, &forwarded);
	find_websocket_key(exchange);
	h1_write_request_line(&writer, request->method, exchange->uri.sent_path,
			      exchange->uri.query);
	h1_write_field(&writer, HEADER_HOST, forwarded.host);
	forwarded_write(exchange, &forwarded, &writer);
	client_certificate_write(exchange, &writer);
	for (uint32_t i = 0; i < request->header_count; i++)
		if (passes(exchange, &request->headers[i], &forwarded))
			h1_write_header(&writer, &request->headers[i]);
	write_connection(exchange, &writer);
	write_te(exchange, &writer);
	write_framing(request, &writer);
	h1_write_end(&writer);
	if (writer.fault == H1_WRITER_CHECK)
		exchange->worker->counters->writer_check_failures++;
	return writer.fault == H1_WRITER_OK ? h1_written(&writer) : span_make(NULL, 0);
}
