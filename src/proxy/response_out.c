/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/response_out.h"

#include <stdio.h>

#include "http/h1_write.h"
#include "proxy/exchange.h"
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
	/* an HTTP/1.0 client knows no chunks (U12): the end of the connection is the end of the body */
	return exchange->request.version_minor == 0 ? MESSAGE_FRAMING_RAW : MESSAGE_FRAMING_CHUNKED;
}

/* The value of Strict-Transport-Security for what a route answers over TLS; empty: the field is the endpoint's (compat
 * spec, 18). */
static struct span hsts_of(const struct exchange *exchange)
{
	const struct routes *routes;

	if (exchange->route == NULL || !transport_is_tls(&exchange->downstream->transport))
		return S("");
	routes = &exchange->table->routes;
	return routes_text(routes, routes->settings->hsts);
}

static void write_hsts(const struct exchange *exchange, struct h1_writer *writer)
{
	struct span hsts = hsts_of(exchange);

	if (hsts.len > 0 && exchange->response.status != 101)
		h1_write_field(writer, HEADER_STRICT_TRANSPORT_SECURITY, hsts);
}

static bool passes(const struct exchange *exchange, const struct header *header)
{
	const struct table_settings *settings = exchange->table->routes.settings;

	if (header->dropped)
		return false;
	switch (header_response_way((enum header_id)header->id)) {
	case HEADER_WAY_PASS:
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

static void write_server(const struct exchange *exchange, struct h1_writer *writer)
{
	if (exchange->table != NULL && exchange->table->routes.settings->server_tokens)
		h1_write_field(writer, HEADER_SERVER, S("ingot"));
}

static void write_connection(const struct exchange *exchange, struct h1_writer *writer)
{
	if (exchange->response.status == 101) {
		h1_write_field(writer, HEADER_CONNECTION, S("upgrade"));
		h1_write_field(writer, HEADER_UPGRADE, S("websocket"));
	} else if (!exchange->keep_alive) {
		h1_write_field(writer, HEADER_CONNECTION, S("close"));
	}
}

/* Content-Length stays with HEAD and 304, which have no body, and goes from 204 and 1xx, which must not
 * have it (RFC 9110, 8.6). */
static void write_framing(const struct exchange *exchange, enum message_framing framing,
			  struct h1_writer *writer)
{
	const struct response_head *response = &exchange->response;

	if (framing == MESSAGE_FRAMING_CHUNKED)
		h1_write_field(writer, HEADER_TRANSFER_ENCODING, S("chunked"));
	else if (response->has_content_length && response->status != 204 && response->status >= 200)
		h1_write_field_number(writer, HEADER_CONTENT_LENGTH, response->content_length);
}

struct span response_out_write(struct exchange *exchange, enum message_framing framing)
{
	const struct response_head *response = &exchange->response;
	struct h1_writer writer = h1_writer_over(exchange->worker->scratch, WORKER_SCRATCH_SIZE);

	h1_write_literal(&writer, exchange->owed);
	h1_write_status_line(&writer, response->status, response->reason);
	if (!response_head_has(response, HEADER_DATE) && response->status >= 200)
		h1_write_field(&writer, HEADER_DATE, worker_date(exchange->worker));
	write_server(exchange, &writer);
	write_hsts(exchange, &writer);
	for (uint32_t i = 0; i < response->header_count; i++)
		if (passes(exchange, &response->headers[i]))
			h1_write_header(&writer, &response->headers[i]);
	write_connection(exchange, &writer);
	write_framing(exchange, framing, &writer);
	h1_write_end(&writer);
	if (writer.fault == H1_WRITER_CHECK)
		exchange->worker->counters->writer_check_failures++;
	return writer.fault == H1_WRITER_OK ? h1_written(&writer) : span_make(NULL, 0);
}

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

struct span response_out_own(struct exchange *exchange, unsigned status, struct span fields)
{
	struct h1_writer writer = h1_writer_over(exchange->worker->scratch, WORKER_SCRATCH_SIZE);
	char page[512];
	size_t page_length = status == 204 ? 0 : write_page(page, sizeof(page), status);

	forwarded_find_request_id(exchange);
	h1_write_literal(&writer, exchange->owed);
	h1_write_status_line(&writer, status, S(""));
	h1_write_field(&writer, HEADER_DATE, worker_date(exchange->worker));
	write_server(exchange, &writer);
	write_hsts(exchange, &writer);
	if (status != 204) {
		h1_write_field(&writer, HEADER_CONTENT_TYPE, S("text/html; charset=utf-8"));
		h1_write_field_number(&writer, HEADER_CONTENT_LENGTH, page_length);
	}
	h1_write_literal(&writer, fields);
	if (exchange->request_id.len > 0)
		h1_write_field(&writer, HEADER_X_REQUEST_ID, exchange->request_id);
	if (!exchange->keep_alive)
		h1_write_field(&writer, HEADER_CONNECTION, S("close"));
	h1_write_end(&writer);
	if (exchange->request.method_id != METHOD_HEAD)
		h1_write_literal(&writer, span_make(page, page_length));
	return h1_written(&writer);
}
