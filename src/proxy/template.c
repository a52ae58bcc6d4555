/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/template.h"

#include <stdio.h>

#include "base/bug.h"
#include "proxy/downstream.h"
#include "proxy/exchange.h"
#include "proxy/policy/forwarded.h"
#include "table/hash.h"

/* What becomes of the pieces of a text. */
struct sink {
	void (*take)(struct sink *sink, struct span piece);
	size_t length;      /* so far */
	char *at;           /* where they are copied to */
	XXH64_state_t hash; /* of them */
};

static void measure(struct sink *sink, struct span piece)
{
	sink->length += piece.len;
}

static void copy(struct sink *sink, struct span piece)
{
	if (piece.len > 0)
		memcpy(sink->at + sink->length, piece.ptr, piece.len);
	sink->length += piece.len;
}

static void hash(struct sink *sink, struct span piece)
{
	if (piece.len > 0)
		XXH64_update(&sink->hash, piece.ptr, piece.len);
}

static void give(struct sink *sink, struct span piece)
{
	sink->take(sink, piece);
}

/*
 * Values
 */

static void give_number(struct sink *sink, uint64_t number)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);

	give(sink, span_make(text, (size_t)length));
}

static void give_address(struct sink *sink, const struct ip *ip)
{
	char text[IP_TEXT_SIZE];

	give(sink, span_make(text, ip_write(text, ip)));
}

/* 4 or 16 bytes. */
static void give_binary(struct sink *sink, const struct ip *ip)
{
	struct span bytes = {(const char *)ip->bytes, sizeof(ip->bytes)};

	give(sink, ip_is_v4(ip) ? span_skip(bytes, 12) : bytes);
}

/* How names of fields are written in variables: '-' as '_', case ignored. name: in lower case. */
static bool is_field(struct span field, struct span name)
{
	if (field.len != name.len)
		return false;
	for (size_t i = 0; i < field.len; i++) {
		char byte = field.ptr[i];

		if (byte >= 'A' && byte <= 'Z')
			byte = (char)(byte | 0x20);
		else if (byte == '-')
			byte = '_';
		if (byte != name.ptr[i])
			return false;
	}
	return true;
}

/* All lines of the field, as the list that they are (RFC 9110, 5.3). */
static void give_field(struct sink *sink, const struct request_head *request, struct span name)
{
	bool found = false;

	for (uint32_t i = 0; i < request->header_count; i++) {
		if (!is_field(request->headers[i].name, name))
			continue;
		if (found)
			give(sink, S(", "));
		give(sink, request->headers[i].value);
		found = true;
	}
}

/* The value of the first pair with that name, in any case; cut at its end. */
static bool find_pair(struct span pairs, char separator, struct span name, struct span *value)
{
	while (pairs.len > 0) {
		struct span pair = span_trim(span_cut(&pairs, separator));
		struct span key = span_cut(&pair, '=');

		if (pair.ptr != NULL && span_equals_nocase(key, name)) {
			*value = pair;
			return true;
		}
	}
	return false;
}

static void give_cookie(struct sink *sink, const struct request_head *request, struct span name)
{
	struct span value;

	for (uint32_t i = 0; i < request->header_count; i++)
		if (request->headers[i].id == HEADER_COOKIE &&
		    find_pair(request->headers[i].value, ';', name, &value)) {
			give(sink, value);
			return;
		}
}

static void give_argument(struct sink *sink, const struct uri *uri, struct span name)
{
	struct span value;

	if (find_pair(span_skip(uri->query, 1), '&', name, &value))
		give(sink, value);
}

static void give_content_length(struct sink *sink, const struct request_head *request)
{
	if (request->has_content_length)
		give_number(sink, request->content_length);
}

static struct span protocol_word(const struct exchange *exchange)
{
	switch (exchange_protocol(exchange)) {
	case 10:
		return S("HTTP/1.0");
	case 20:
		return S("HTTP/2.0");
	default:
		return S("HTTP/1.1");
	}
}

/* The line. */
static void give_request(struct sink *sink, const struct exchange *exchange)
{
	give(sink, exchange->request.method);
	give(sink, S(" "));
	give(sink, exchange->request.target);
	give(sink, S(" "));
	give(sink, protocol_word(exchange));
}

static void give_scheme(struct sink *sink, const struct exchange *exchange, enum variable variable)
{
	bool is_tls = client_is_tls(exchange->client);

	if (variable == VARIABLE_HTTPS)
		give(sink, is_tls ? S("on") : S(""));
	else
		give(sink, is_tls ? S("https") : S("http"));
}

static void give_request_id(struct sink *sink, struct exchange *exchange)
{
	forwarded_find_request_id(exchange);
	give(sink, exchange->request_id);
}

static void give_forwarded(struct sink *sink, struct exchange *exchange, enum variable variable)
{
	struct forwarded forwarded;

	forwarded_find(exchange, &forwarded);
	if (variable == VARIABLE_BEST_HTTP_HOST)
		give(sink, forwarded.host);
	else if (variable == VARIABLE_PASS_ACCESS_SCHEME)
		give(sink, forwarded.proto);
	else
		give(sink, forwarded.port);
}

static void give_of_route(struct sink *sink, const struct exchange *exchange,
			  enum variable variable)
{
	const struct routes *routes = &exchange->table->routes;
	const struct route *route = exchange->route;

	give(sink,
	     routes_text(routes, variable == VARIABLE_SERVER_NAME ? routes->hosts[route->host].name
								  : route->path));
}

static void give_of_object(struct sink *sink, const struct exchange *exchange,
			   enum variable variable)
{
	const struct routes *routes = &exchange->table->routes;
	const struct route_object *object;

	if (exchange->route->object == TABLE_NONE)
		return;
	object = &routes->objects[exchange->route->object];
	if (variable == VARIABLE_NAMESPACE)
		give(sink, routes_text(routes, object->namespace));
	else if (variable == VARIABLE_INGRESS_NAME)
		give(sink, routes_text(routes, object->ingress));
	else if (variable == VARIABLE_SERVICE_NAME)
		give(sink, routes_text(routes, object->service));
	else
		give(sink, routes_text(routes, object->service_port));
}

static void give_of_client(struct sink *sink, const struct exchange *exchange,
			   enum variable variable)
{
	if (variable == VARIABLE_REMOTE_ADDR)
		give_address(sink, &exchange->client_at.ip);
	else if (variable == VARIABLE_BINARY_REMOTE_ADDR)
		give_binary(sink, &exchange->client_at.ip);
	else if (variable == VARIABLE_REMOTE_PORT)
		give_number(sink, exchange->client_at.port);
	else
		give_address(sink, &exchange->client->connection->peer.ip);
}

/* A dispatch: one variable a line; in the end those that are empty as yet. */
static void give_value(struct sink *sink, struct exchange *exchange, enum variable variable,
		       struct span name)
{
	const struct downstream *connection = exchange->client->connection;
	const struct request_head *request = &exchange->request;
	const struct uri *uri = &exchange->uri;

	switch (variable) {
	case VARIABLE_REMOTE_ADDR:
	case VARIABLE_BINARY_REMOTE_ADDR:
	case VARIABLE_REMOTE_PORT:
	case VARIABLE_REALIP_REMOTE_ADDR:
		give_of_client(sink, exchange, variable);
		return;
	case VARIABLE_REQUEST:
		give_request(sink, exchange);
		return;
	case VARIABLE_REQUEST_METHOD:
		give(sink, request->method);
		return;
	case VARIABLE_REQUEST_URI:
		give(sink, uri->path);
		give(sink, uri->query);
		return;
	case VARIABLE_URI:
	case VARIABLE_DOCUMENT_URI:
		give(sink, uri->match_path);
		return;
	case VARIABLE_ARGS:
	case VARIABLE_QUERY_STRING:
		give(sink, span_skip(uri->query, 1));
		return;
	case VARIABLE_IS_ARGS:
		give(sink, span_take(uri->query, uri->query.len > 1));
		return;
	case VARIABLE_ARG:
		give_argument(sink, uri, name);
		return;
	case VARIABLE_HOST:
		give(sink, exchange->host.name);
		return;
	case VARIABLE_HTTP_HOST:
		give(sink, request->host);
		return;
	case VARIABLE_HTTP:
		give_field(sink, request, name);
		return;
	case VARIABLE_COOKIE:
		give_cookie(sink, request, name);
		return;
	case VARIABLE_CONTENT_LENGTH:
		give_content_length(sink, request);
		return;
	case VARIABLE_CONTENT_TYPE:
		give_field(sink, request, S("content_type"));
		return;
	case VARIABLE_SERVER_PROTOCOL:
		give(sink, protocol_word(exchange));
		return;
	case VARIABLE_SCHEME:
	case VARIABLE_HTTPS:
		give_scheme(sink, exchange, variable);
		return;
	case VARIABLE_REQUEST_ID:
	case VARIABLE_REQ_ID:
		give_request_id(sink, exchange);
		return;
	case VARIABLE_CONNECTION_REQUESTS:
		give_number(sink, connection->requests);
		return;
	case VARIABLE_BEST_HTTP_HOST:
	case VARIABLE_PASS_ACCESS_SCHEME:
	case VARIABLE_PASS_PORT:
		give_forwarded(sink, exchange, variable);
		return;
	case VARIABLE_PASS_SERVER_PORT:
	case VARIABLE_SERVER_PORT:
		give_number(sink, connection->local_port);
		return;
	case VARIABLE_SERVER_NAME:
	case VARIABLE_LOCATION_PATH:
		give_of_route(sink, exchange, variable);
		return;
	case VARIABLE_NAMESPACE:
	case VARIABLE_INGRESS_NAME:
	case VARIABLE_SERVICE_NAME:
	case VARIABLE_SERVICE_PORT:
		give_of_object(sink, exchange, variable);
		return;
	case VARIABLE_NONE:
		give(sink, name);
		return;
#define EMPTY_KNOWN(id)
#define EMPTY_NAMED(id)
#define EMPTY_LATER(id)           case VARIABLE_##id:
#define EMPTY_LATER_NAMED(id)     case VARIABLE_##id:
#define VARIABLE(id, text, state) EMPTY_##state(id)
#include "base/variable.def"
#undef VARIABLE
	case VARIABLE_COUNT:
		return;
	}
}

static void give_all(struct sink *sink, struct exchange *exchange, const struct template_text *text)
{
	for (uint32_t i = 0; i < text->count; i++)
		give_value(sink, exchange, (enum variable)text->parts[i].variable,
			   template_part_text(text, &text->parts[i]));
}

struct span template_expand(struct exchange *exchange, const struct template_text *text, bool *lost)
{
	struct sink sink = {.take = measure};
	size_t length;

	give_all(&sink, exchange, text);
	length = sink.length;
	*lost = length > TEMPLATE_BYTES_MAX;
	if (length == 0 || *lost)
		return (struct span){NULL, 0};
	sink = (struct sink){.take = copy, .at = arena_take_bytes(&exchange->arena, length)};
	*lost = sink.at == NULL;
	if (sink.at == NULL)
		return (struct span){NULL, 0};
	give_all(&sink, exchange, text);
	BUG_ON(sink.length != length);
	return span_make(sink.at, length);
}

uint64_t template_hash(struct exchange *exchange, const struct template_text *text)
{
	struct sink sink = {.take = hash};

	XXH64_reset(&sink.hash, 0);
	give_all(&sink, exchange, text);
	return XXH64_digest(&sink.hash);
}
