/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/response_out.h"

#include <stdio.h>

#include "base/bug.h"
#include "http/grpc.h"
#include "http/h1_write.h"
#include "http/h2.h"
#include "proxy/downstream.h"
#include "proxy/exchange.h"
#include "proxy/head_out.h"
#include "proxy/policy/forwarded.h"
#include "proxy/worker.h"

enum message_framing response_out_framing(const struct exchange *exchange)
{
	switch (exchange->response.framing) {
	case BODY_NONE:
		return MESSAGE_FRAMING_NONE;
	case BODY_LENGTH:
		return MESSAGE_FRAMING_RAW;
	case BODY_CHUNKED:
	case BODY_CLOSE:
		break;
	}
	/* a stream ends by itself; an HTTP/1.0 client knows no chunks (U12): the end of the connection is the end of
	 * the body */
	return exchange->client->stream != NULL || exchange->request.version_minor == 0
		       ? MESSAGE_FRAMING_RAW
		       : MESSAGE_FRAMING_CHUNKED;
}

/* The value of Strict-Transport-Security for what a route answers over TLS; empty: the field is the endpoint's (compat
 * spec, 18). */
static struct span hsts_of(const struct exchange *exchange)
{
	const struct routes *routes;

	if (exchange->route == NULL || !client_is_tls(exchange->client))
		return S("");
	routes = &exchange->table->routes;
	return routes_text(routes, routes->settings->hsts);
}

static void put_hsts(struct head_out *out)
{
	struct span hsts = hsts_of(out->exchange);

	if (hsts.len > 0 && out->exchange->response.status != 101)
		head_out_put(out, HEADER_STRICT_TRANSPORT_SECURITY, hsts);
}

static bool passes(const struct exchange *exchange, const struct header *header)
{
	const struct table_settings *settings = exchange->table->routes.settings;

	if (header->dropped)
		return false;
	switch (header_response_way((enum header_id)header->id)) {
	case HEADER_WAY_PASS:
		if (header->id == HEADER_SEC_WEBSOCKET_ACCEPT)
			return exchange->client->stream == NULL; /* RFC 8441, 5 */
		return header->id != HEADER_STRICT_TRANSPORT_SECURITY || hsts_of(exchange).len == 0;
	case HEADER_WAY_DROP:
		return header->id == HEADER_SERVER && settings->allow_backend_server_header;
	case HEADER_WAY_HOP:
	case HEADER_WAY_FRAMING:
	case HEADER_WAY_OURS:
		break;
	}
	return false;
}

static void put_server(struct head_out *out)
{
	const struct exchange *exchange = out->exchange;

	if (exchange->table != NULL && exchange->table->routes.settings->server_tokens)
		head_out_put(out, HEADER_SERVER, S("ingot"));
}

/* Of HTTP/1.1 alone: how the body is framed, and what becomes of the connection. */
static void put_connection(struct head_out *out)
{
	if (out->stream != NULL)
		return;
	if (out->exchange->response.status == 101) {
		head_out_put(out, HEADER_CONNECTION, S("upgrade"));
		head_out_put(out, HEADER_UPGRADE, S("websocket"));
	} else if (!out->exchange->keep_alive) {
		head_out_put(out, HEADER_CONNECTION, S("close"));
	}
}

/* A stream may end with its head. A client of HTTP/1.1 has to be told that there is no body, where the response could
 * have one. */
static bool is_empty(const struct exchange *exchange)
{
	const struct response_head *response = &exchange->response;

	return response->framing == BODY_NONE && response->status >= 200 &&
	       response->status != 204 && response->status != 304 &&
	       exchange->request.method_id != METHOD_HEAD;
}

/* Content-Length stays with HEAD and 304, which have no body, and goes from 204 and 1xx, which must not
 * have it (RFC 9110, 8.6). */
static void put_framing(struct head_out *out, enum message_framing framing)
{
	const struct response_head *response = &out->exchange->response;

	if (framing == MESSAGE_FRAMING_CHUNKED)
		head_out_put(out, HEADER_TRANSFER_ENCODING, S("chunked"));
	else if (response->has_content_length && response->status != 204 && response->status >= 200)
		head_out_put_number(out, HEADER_CONTENT_LENGTH, response->content_length);
	else if (out->stream == NULL && is_empty(out->exchange))
		head_out_put(out, HEADER_CONTENT_LENGTH, S("0"));
}

static void put_response(struct head_out *out, enum message_framing framing)
{
	struct exchange *exchange = out->exchange;
	const struct response_head *response = &exchange->response;

	if (!response_head_has(response, HEADER_DATE) && response->status >= 200)
		head_out_put(out, HEADER_DATE, worker_date(exchange->worker));
	put_server(out);
	put_hsts(out);
	for (uint32_t i = 0; i < response->header_count; i++)
		if (passes(exchange, &response->headers[i]))
			head_out_put_received_copy(out, &response->headers[i]);
	put_connection(out);
	put_framing(out, framing);
}

/* The head is written: it goes out with what the sender gets first. */
static bool end_h1(struct head_out *out, enum message_framing framing)
{
	struct exchange *exchange = out->exchange;

	if (head_out_end_h1(out) != FAULT_NONE)
		return false;
	message_sender_init(&exchange->to_downstream.sender,
			    &exchange->client->connection->transport, framing,
			    h1_written(&out->h1));
	exchange->to_downstream.sender.takes_trailers = framing == MESSAGE_FRAMING_CHUNKED &&
							exchange_takes_trailers(exchange);
	return true;
}

/* The head goes to the stream. */
static enum fault end_h2(struct head_out *out, unsigned status, enum message_framing framing)
{
	struct exchange *exchange = out->exchange;
	enum fault fault = out->fault;

	if (fault == FAULT_NONE)
		fault = h2_respond(out->stream, status, out->fields, out->count,
				   framing == MESSAGE_FRAMING_NONE ? H2_THEN_END : H2_THEN_BODY);
	if (fault == FAULT_WRITER_CHECK)
		exchange->worker->counters->writer_check_failures++;
	message_sender_init_stream(&exchange->to_downstream.sender, out->stream, framing);
	return fault;
}

bool response_out_begin(struct exchange *exchange, enum message_framing framing)
{
	const struct response_head *response = &exchange->response;
	struct head_out out = head_out_begin(exchange, exchange->client->stream);

	if (out.stream == NULL) {
		h1_write_literal(&out.h1, exchange->owed);
		h1_write_status_line(&out.h1, response->status, response->reason);
	}
	put_response(&out, framing);
	if (out.stream == NULL)
		return end_h1(&out, framing);
	/* a tunnel opens by 200 there (RFC 8441, 5) */
	return end_h2(&out, response->status == 101 ? 200 : response->status, framing) ==
	       FAULT_NONE;
}

/*
 * Interim responses
 */

/* What the kernel does not take goes out before the next head. */
static enum fault send_interim(struct exchange *exchange, struct span text)
{
	struct iovec piece = {.iov_base = (char *)text.ptr, .iov_len = text.len};
	ssize_t put = transport_write(&exchange->client->connection->transport, &piece, 1);

	if (put == TRANSPORT_BROKEN)
		return FAULT_CLIENT_CLOSED;
	if (put == TRANSPORT_AGAIN)
		return FAULT_NONE; /* not a byte of it went: it need not go at all */
	exchange->interim_bytes += (uint32_t)put;
	if ((size_t)put == text.len)
		return FAULT_NONE;
	exchange->owed = arena_copy(&exchange->arena, span_skip(text, (size_t)put));
	return exchange->owed.ptr == NULL ? FAULT_OUT_OF_MEMORY : FAULT_NONE;
}

static void put_hints(struct head_out *out)
{
	const struct response_head *response = &out->exchange->response;

	for (uint32_t i = 0; i < response->header_count; i++) {
		const struct header *header = &response->headers[i];

		if (!header->dropped &&
		    header_response_way((enum header_id)header->id) == HEADER_WAY_PASS)
			head_out_put_received_copy(out, header);
	}
}

enum fault response_out_inform(struct exchange *exchange, unsigned status)
{
	struct head_out out = head_out_begin(exchange, exchange->client->stream);

	BUG_ON(exchange->owed.len > 0);
	if (out.stream == NULL)
		h1_write_status_line(&out.h1, status, S(""));
	if (status == 103)
		put_hints(&out);
	if (out.stream != NULL)
		return out.fault != FAULT_NONE
			       ? out.fault
			       : h2_inform(out.stream, status, out.fields, out.count);
	h1_write_end(&out.h1);
	return out.h1.fault == H1_WRITER_OK ? send_interim(exchange, h1_written(&out.h1))
					    : FAULT_NONE;
}

/*
 * Ingot's own answers
 */

/* The page says no more than the status: the reason is for the operator, not for the client. */
static size_t write_page(char *text, size_t size, unsigned status)
{
	struct span reason = h1_reason(status);
	int length = snprintf(
		text, size,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>%u %.*s</title></head>\n"
		"<body><h1>%u %.*s</h1></body>\n</html>\n",
		status, (int)reason.len, reason.ptr, status, (int)reason.len, reason.ptr);

	return length < 0 ? 0 : (size_t)length;
}

static void put_own(struct head_out *out, unsigned status, size_t page_length,
		    const struct header *field)
{
	struct exchange *exchange = out->exchange;

	head_out_put(out, HEADER_DATE, worker_date(exchange->worker));
	put_server(out);
	put_hsts(out);
	if (status != 204) {
		head_out_put(out, HEADER_CONTENT_TYPE, S("text/html; charset=utf-8"));
		head_out_put_number(out, HEADER_CONTENT_LENGTH, page_length);
	}
	if (field != NULL)
		head_out_put_received_copy(out, field);
	if (exchange->request_id.len > 0)
		head_out_put(out, HEADER_X_REQUEST_ID, exchange->request_id);
}

/* Head and page leave as one. */
static void send_own_h1(struct head_out *out, struct span page)
{
	if (!out->exchange->keep_alive)
		head_out_put(out, HEADER_CONNECTION, S("close"));
	h1_write_end(&out->h1);
	h1_write_literal(&out->h1, page);
	message_sender_init(&out->exchange->to_downstream.sender,
			    &out->exchange->client->connection->transport, MESSAGE_FRAMING_NONE,
			    h1_written(&out->h1));
}

static enum fault send_own_h2(struct head_out *out, unsigned status, struct span page)
{
	struct span kept = head_out_keep(out, page);
	enum fault fault = end_h2(out, status,
				  page.len > 0 ? MESSAGE_FRAMING_RAW : MESSAGE_FRAMING_NONE);

	if (fault == FAULT_NONE && page.len > 0)
		message_sender_put(&out->exchange->to_downstream.sender, kept, true);
	return fault;
}

static enum fault own_page(struct exchange *exchange, unsigned status, const struct header *field)
{
	struct head_out out = head_out_begin(exchange, exchange->client->stream);
	char page[512];
	size_t length = status == 204 ? 0 : write_page(page, sizeof(page), status);
	struct span body = span_make(page, exchange->request.method_id == METHOD_HEAD ? 0 : length);

	if (out.stream == NULL) {
		h1_write_literal(&out.h1, exchange->owed);
		h1_write_status_line(&out.h1, status, S(""));
	}
	put_own(&out, status, length, field);
	if (out.stream != NULL)
		return send_own_h2(&out, status, body);
	send_own_h1(&out, body);
	return FAULT_NONE;
}

static void put_text(struct head_out *out, struct span name, const char *value, int length)
{
	head_out_put_received_copy(
		out, &(struct header){.name = name, .value = span_make(value, (size_t)length)});
}

/* An error for who speaks gRPC: trailers are all that there is, the outcome is read from them, and 200 is taken for
 * granted. Nothing in the message has to be escaped. */
static enum fault own_grpc(struct exchange *exchange, unsigned status)
{
	struct head_out out = head_out_begin(exchange, exchange->client->stream);
	struct span reason = h1_reason(status);
	char code[4];
	char message[64];

	head_out_put(&out, HEADER_DATE, worker_date(exchange->worker));
	put_server(&out);
	put_hsts(&out);
	head_out_put(&out, HEADER_CONTENT_TYPE, S("application/grpc"));
	put_text(&out, S("grpc-status"), code,
		 snprintf(code, sizeof(code), "%u", (unsigned)grpc_status_of(status)));
	put_text(
		&out, S("grpc-message"), message,
		snprintf(message, sizeof(message), "%u %.*s", status, (int)reason.len, reason.ptr));
	if (exchange->request_id.len > 0)
		head_out_put(&out, HEADER_X_REQUEST_ID, exchange->request_id);
	return send_own_h2(&out, 200, S(""));
}

enum fault response_out_own(struct exchange *exchange, unsigned status, const struct header *field)
{
	bool speaks_grpc = exchange->client->stream != NULL && grpc_is_request(&exchange->request);

	forwarded_find_request_id(exchange);
	return speaks_grpc && status >= 400 ? own_grpc(exchange, status)
					    : own_page(exchange, status, field);
}
