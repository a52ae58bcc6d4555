/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/policy/forwarded.h"

#include "base/random.h"
#include "io/socket.h"
#include "proxy/downstream.h"
#include "proxy/exchange.h"
#include "proxy/head_out.h"
#include "proxy/tables.h"

/* How far back a chain of proxies is followed (security spec, F4). */
enum { CHAIN_MAX = 32 };

bool forwarded_trusts(const struct routes *routes, const struct ip *ip)
{
	for (uint32_t i = 0; i < routes->network_count; i++)
		if (ip_network_has(&routes->networks[i], ip))
			return true;
	return false;
}

/* An element of X-Forwarded-For: an address, maybe with a port behind it. */
static bool parse_hop(struct span text, struct ip *ip)
{
	size_t colon;

	text = span_trim(text);
	if (ip_parse(text, ip))
		return true;
	if (text.len > 0 && text.ptr[0] == '[') {
		text = span_skip(text, 1);
		return ip_parse(span_take(text, span_find(text, ']')), ip);
	}
	colon = span_find(text, ':');
	return colon != SIZE_MAX && ip_parse(span_take(text, colon), ip);
}

/* Cuts the last element of a comma-separated list off. */
static struct span cut_last(struct span *list)
{
	const char *comma = list->len == 0 ? NULL : memrchr(list->ptr, ',', list->len);
	size_t from = comma == NULL ? 0 : (size_t)(comma - list->ptr) + 1;
	struct span last = span_skip(*list, from);

	*list = span_take(*list, from == 0 ? 0 : from - 1);
	return last;
}

/* Right to left, past those that are trusted (F4). */
static void follow_chain(const struct exchange *exchange, struct ip *client)
{
	const struct request_head *request = &exchange->request;
	unsigned hops = 0;

	for (uint32_t i = request->header_count; i-- > 0;) {
		struct span list = request->headers[i].value;

		if (request->headers[i].id != HEADER_X_FORWARDED_FOR)
			continue;
		while (list.len > 0) {
			struct ip hop;

			if (hops++ == CHAIN_MAX || !parse_hop(cut_last(&list), &hop))
				return;
			*client = hop;
			if (!forwarded_trusts(&exchange->table->routes, &hop))
				return;
		}
	}
}

static struct span field(const struct exchange *exchange, enum header_id id)
{
	const struct header *header = request_head_has(&exchange->request, id)
					      ? request_head_find(&exchange->request, id)
					      : NULL;

	return header == NULL ? S("") : header->value;
}

struct span forwarded_own_host(struct exchange *exchange)
{
	const struct routes *routes = &exchange->table->routes;
	const struct host_record *host = &routes->hosts[exchange->route->host];
	struct ip_port local;
	char text[IP_PORT_TEXT_SIZE];

	if (host->name.len > 0 && host->wildcard == 0)
		return routes_text(routes, host->name);
	if (socket_local(exchange->client->connection->transport.source.fd, &local) == -1)
		return S("localhost");
	return arena_copy(&exchange->arena, span_make(text, ip_port_write(text, &local)));
}

static bool is_in_chain(const struct header *header)
{
	return header->id == HEADER_X_FORWARDED_FOR && header->value.len > 0;
}

/* Several lines of the field are one list (RFC 9110, 5.3). Never cut: the right end is what a trusted proxy
 * wrote. {NULL, 0} with *lost: there is no memory for it. */
static struct span join_chain(struct exchange *exchange, bool *lost)
{
	const struct request_head *request = &exchange->request;
	struct span first = {NULL, 0};
	size_t length = 0;
	size_t lines = 0;
	char *joined;

	for (uint32_t i = 0; i < request->header_count; i++) {
		if (!is_in_chain(&request->headers[i]))
			continue;
		first = lines++ == 0 ? request->headers[i].value : first;
		length += request->headers[i].value.len + 2;
	}
	if (lines < 2)
		return first;
	joined = arena_take_bytes(&exchange->arena, length);
	*lost = joined == NULL;
	if (joined == NULL)
		return (struct span){NULL, 0};
	first = span_make(joined, length - 2);
	for (uint32_t i = 0; i < request->header_count; i++) {
		if (!is_in_chain(&request->headers[i]))
			continue;
		memcpy(joined, request->headers[i].value.ptr, request->headers[i].value.len);
		joined += request->headers[i].value.len;
		memcpy(joined, ", ", 2);
		joined += 2;
	}
	return first;
}

static void set_port(struct forwarded *forwarded, unsigned port)
{
	size_t at = sizeof(forwarded->port_text);

	do
		forwarded->port_text[--at] = (char)('0' + port % 10);
	while ((port /= 10) != 0);
	forwarded->port = span_make(forwarded->port_text + at, sizeof(forwarded->port_text) - at);
}

void forwarded_find_client(struct exchange *exchange)
{
	const struct routes *routes = &exchange->table->routes;
	const struct ip *peer = &exchange->client->connection->peer.ip;

	exchange->peer_trusted = routes->settings->use_forwarded_headers &&
				 forwarded_trusts(routes, peer);
	if (!exchange->peer_trusted)
		return;
	follow_chain(exchange, &exchange->client_at.ip);
	if (!ip_equals(&exchange->client_at.ip, peer))
		exchange->client_at.port = 0; /* the one we know is the proxy's */
}

static void believe(const struct exchange *exchange, struct forwarded *forwarded)
{
	struct span hosts = field(exchange, HEADER_X_FORWARDED_HOST);
	struct span host = span_trim(span_cut(&hosts, ','));
	struct span proto = field(exchange, HEADER_X_FORWARDED_PROTO);
	struct span port = field(exchange, HEADER_X_FORWARDED_PORT);

	struct host parsed;

	/* it becomes Host: what is no host is not believed */
	if (host_parse(host, &parsed))
		forwarded->host = host;
	if (proto.len > 0)
		forwarded->proto = proto;
	if (port.len > 0)
		forwarded->port = port;
}

void forwarded_find(struct exchange *exchange, struct forwarded *forwarded)
{
	forwarded->trusted = exchange->peer_trusted;
	forwarded->host = exchange->request.host;
	forwarded->proto = client_is_tls(exchange->client) ||
					   client_is_behind_https(exchange->client)
				   ? S("https")
				   : S("http");
	set_port(forwarded, exchange->client->connection->local_port);
	if (forwarded->host.ptr == NULL)
		forwarded->host = forwarded_own_host(exchange);
	if (forwarded->trusted)
		believe(exchange, forwarded);
	forwarded->lost = false;
	forwarded->chain = request_head_has(&exchange->request, HEADER_X_FORWARDED_FOR)
				   ? join_chain(exchange, &forwarded->lost)
				   : span_make(NULL, 0);
	forwarded->client_length = ip_write(forwarded->client_text, &exchange->client_at.ip);
}

/* What a client may send as its own request id (security spec, F3). */
static bool is_request_id(struct span text)
{
	if (text.len == 0 || text.len > 128)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
		      c == '.' || c == '_' || c == ':' || c == '@' || c == '-'))
			return false;
	}
	return true;
}

static void make_request_id(struct exchange *exchange)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t bytes[REQUEST_ID_SIZE / 2];

	random_secret(bytes, sizeof(bytes));
	for (unsigned i = 0; i < sizeof(bytes); i++) {
		exchange->request_id_text[2 * i] = hex[bytes[i] >> 4];
		exchange->request_id_text[2 * i + 1] = hex[bytes[i] & 15];
	}
	exchange->request_id = span_make(exchange->request_id_text, REQUEST_ID_SIZE);
}

void forwarded_find_request_id(struct exchange *exchange)
{
	struct span given = field(exchange, HEADER_X_REQUEST_ID);

	if (exchange->request_id.len > 0)
		return;
	if (is_request_id(given))
		exchange->request_id = given;
	else if (exchange->table == NULL || exchange->table->routes.settings->generate_request_id)
		make_request_id(exchange);
}

/* The client's chain and the peer behind it. */
static void write_chain(struct exchange *exchange, struct span chain, struct head_out *out)
{
	char *full = arena_take_bytes(&exchange->arena, chain.len + 2 + IP_TEXT_SIZE);
	size_t length = chain.len + 2;

	if (full == NULL) {
		head_out_fail(out);
		return;
	}
	memcpy(full, chain.ptr, chain.len);
	memcpy(full + chain.len, ", ", 2);
	length += ip_write(full + length, &exchange->client->connection->peer.ip);
	head_out_put(out, HEADER_X_FORWARDED_FOR, span_make(full, length));
}

static void write_for(struct exchange *exchange, const struct forwarded *forwarded,
		      struct head_out *out)
{
	const struct table_settings *settings = exchange->table->routes.settings;
	struct span client = span_make(forwarded->client_text, forwarded->client_length);
	struct span chain = forwarded->chain;

	if (chain.len > 0)
		head_out_put(out, HEADER_X_ORIGINAL_FORWARDED_FOR, chain);
	if (!forwarded->trusted || !settings->compute_full_forwarded_for || chain.len == 0) {
		head_out_put_copy(out, HEADER_X_FORWARDED_FOR, client);
		return;
	}
	write_chain(exchange, chain, out);
}

void forwarded_write(struct exchange *exchange, const struct forwarded *forwarded,
		     struct head_out *out)
{
	struct span client = span_make(forwarded->client_text, forwarded->client_length);
	struct span hosts = field(exchange, HEADER_X_FORWARDED_HOST);

	if (forwarded->lost)
		head_out_fail(out);
	if (exchange->request_id.len > 0)
		head_out_put(out, HEADER_X_REQUEST_ID, exchange->request_id);
	head_out_put_copy(out, HEADER_X_REAL_IP, client);
	write_for(exchange, forwarded, out);
	head_out_put(out, HEADER_X_FORWARDED_HOST, forwarded->host);
	head_out_put_copy(out, HEADER_X_FORWARDED_PORT, forwarded->port);
	head_out_put(out, HEADER_X_FORWARDED_PROTO, forwarded->proto);
	head_out_put(out, HEADER_X_FORWARDED_SCHEME, forwarded->proto);
	head_out_put(out, HEADER_X_SCHEME, forwarded->proto);
	if (forwarded->trusted && hosts.len > 0)
		head_out_put(out, HEADER_X_ORIGINAL_FORWARDED_HOST, hosts);
	if (exchange->table->routes.settings->add_original_uri)
		head_out_put(out, HEADER_X_ORIGINAL_URI, exchange->request.target);
}
