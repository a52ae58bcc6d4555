/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/bug.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"
#include "table/dump_parts.h"
#include "table/layout.h"

/* Fields that are plain numbers or switches, said once. */
struct field {
	const char *key;
	uint16_t at;
	uint8_t size;
	bool is_switch;
};

#define NUMBER(type, field, key)                                                            \
	{                                                                                   \
		key, offsetof(struct type, field), sizeof(((struct type *)0)->field), false \
	}
#define SWITCH(type, field, key)                                                           \
	{                                                                                  \
		key, offsetof(struct type, field), sizeof(((struct type *)0)->field), true \
	}

static const struct field settings_fields[] = {
	NUMBER(table_settings, client_header_timeout_ms, "clientHeaderTimeoutMs"),
	NUMBER(table_settings, client_body_timeout_ms, "clientBodyTimeoutMs"),
	NUMBER(table_settings, client_stall_timeout_ms, "clientStallTimeoutMs"),
	NUMBER(table_settings, keep_alive_timeout_ms, "keepAliveTimeoutMs"),
	NUMBER(table_settings, keep_alive_requests, "keepAliveRequests"),
	NUMBER(table_settings, header_line_bytes, "headerLineBytes"),
	NUMBER(table_settings, header_total_bytes, "headerTotalBytes"),
	NUMBER(table_settings, upstream_keepalive_connections, "upstreamKeepaliveConnections"),
	NUMBER(table_settings, upstream_keepalive_timeout_ms, "upstreamKeepaliveTimeoutMs"),
	NUMBER(table_settings, upstream_keepalive_time_ms, "upstreamKeepaliveTimeMs"),
	NUMBER(table_settings, upstream_keepalive_requests, "upstreamKeepaliveRequests"),
	NUMBER(table_settings, tunnel_idle_timeout_ms, "tunnelIdleTimeoutMs"),
	NUMBER(table_settings, drain_timeout_ms, "drainTimeoutMs"),
	NUMBER(table_settings, proxy_header_timeout_ms, "proxyHeaderTimeoutMs"),
	NUMBER(table_settings, stream_idle_timeout_ms, "streamIdleTimeoutMs"),
	NUMBER(table_settings, stream_retry_timeout_ms, "streamRetryTimeoutMs"),
	NUMBER(table_settings, stream_tries, "streamTries"),
	SWITCH(table_settings, underscores_in_headers, "underscoresInHeaders"),
	SWITCH(table_settings, ignore_invalid_headers, "ignoreInvalidHeaders"),
	SWITCH(table_settings, use_forwarded_headers, "useForwardedHeaders"),
	SWITCH(table_settings, compute_full_forwarded_for, "computeFullForwardedFor"),
	SWITCH(table_settings, generate_request_id, "generateRequestId"),
	SWITCH(table_settings, add_original_uri, "addOriginalUri"),
	SWITCH(table_settings, allow_backend_server_header, "allowBackendServerHeader"),
	SWITCH(table_settings, server_tokens, "serverTokens"),
	SWITCH(table_settings, access_log, "accessLog"),
	SWITCH(table_settings, access_log_default_backend, "accessLogDefaultBackend"),
	SWITCH(table_settings, tenant_destinations_free, "tenantDestinationsFree"),
	SWITCH(table_settings, retry_non_idempotent, "retryNonIdempotent"),
	SWITCH(table_settings, ssl_reject_handshake, "sslRejectHandshake"),
	SWITCH(table_settings, ssl_session_tickets, "sslSessionTickets"),
	SWITCH(table_settings, use_proxy_protocol, "useProxyProtocol"),
	SWITCH(table_settings, stream_retry, "streamRetry"),
	SWITCH(table_settings, use_http2, "useHttp2"),
	NUMBER(table_settings, tls_versions, "tlsVersions"),
	NUMBER(table_settings, redirect_status, "redirectStatus"),
	NUMBER(table_settings, tls_record_bytes, "tlsRecordBytes"),
	NUMBER(table_settings, ssl_session_timeout_s, "sslSessionTimeoutS"),
	NUMBER(table_settings, http2_streams, "http2Streams"),
	NUMBER(table_settings, host_seed, "hostSeed"),
};

static const struct field policy_fields[] = {
	NUMBER(route_policy, body_limit_bytes, "bodyLimitBytes"),
	NUMBER(route_policy, connect_timeout_ms, "connectTimeoutMs"),
	NUMBER(route_policy, send_timeout_ms, "sendTimeoutMs"),
	NUMBER(route_policy, read_timeout_ms, "readTimeoutMs"),
	NUMBER(route_policy, next_upstream_tries, "nextUpstreamTries"),
	NUMBER(route_policy, next_upstream_timeout_ms, "nextUpstreamTimeoutMs"),
	NUMBER(route_policy, response_head_bytes, "responseHeadBytes"),
};

static const char *const next_upstream_words[NEXT_UPSTREAM_COUNT] = {
	[NEXT_UPSTREAM_ERROR] = "error",
	[NEXT_UPSTREAM_TIMEOUT] = "timeout",
	[NEXT_UPSTREAM_INVALID_HEADER] = "invalid_header",
	[NEXT_UPSTREAM_HTTP_500] = "http_500",
	[NEXT_UPSTREAM_HTTP_502] = "http_502",
	[NEXT_UPSTREAM_HTTP_503] = "http_503",
	[NEXT_UPSTREAM_HTTP_504] = "http_504",
	[NEXT_UPSTREAM_HTTP_403] = "http_403",
	[NEXT_UPSTREAM_HTTP_404] = "http_404",
	[NEXT_UPSTREAM_HTTP_429] = "http_429",
	[NEXT_UPSTREAM_NON_IDEMPOTENT] = "non_idempotent",
};

static const char *const answer_words[ROUTE_ANSWER_COUNT] = {
	[ROUTE_PROXY] = "proxy",
	[ROUTE_NOT_FOUND] = "notFound",
	[ROUTE_NO_SERVICE] = "noService",
	[ROUTE_DENIED] = "denied",
};

static uint64_t field_value(const void *element, const struct field *field)
{
	const char *at = (const char *)element + field->at;
	uint64_t wide;
	uint32_t word;
	uint16_t half;

	if (field->size == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	if (field->size == sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		return word;
	}
	if (field->size == sizeof(half)) {
		memcpy(&half, at, sizeof(half));
		return half;
	}
	return (uint8_t)*at;
}

static void dump_fields(struct json *json, const void *element, const struct field *fields,
			size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = field_value(element, &fields[i]);

		if (fields[i].is_switch)
			json_bool(json, fields[i].key, value != 0);
		else
			json_number(json, fields[i].key, value);
	}
}

static void dump_settings(struct json *json, const struct routes *routes)
{
	const struct table_settings *settings = routes->settings;

	dump_fields(json, settings, settings_fields,
		    sizeof(settings_fields) / sizeof(settings_fields[0]));
	json_text(json, "sslCiphers", routes_text(routes, settings->ssl_ciphers));
	json_text(json, "sslCurves", routes_text(routes, settings->ssl_curves));
	json_number(json, "dhParametersBytes", settings->dh_parameters.len);
	json_text(json, "hsts", routes_text(routes, settings->hsts));
}

void dump_header(struct json *json, const struct shards *shards, enum dump_detail detail)
{
	char text[CLOCK_RFC3339_SIZE];
	size_t len;

	json_text(json, "kind", span_from(table_layouts[shards->kind].name));
	json_number(json, "version", TABLE_FORMAT_VERSION);
	if (detail == DUMP_CONTENT)
		return;
	json_number(json, "generation", shards->generation);
	len = clock_rfc3339(text, shards_built_wall_ns(shards));
	json_text(json, "built", span_make(text, len));
	json_number(json, "shards", shards->count);
	json_number(json, "set", shards->set);
	json_number(json, "bytes", shards->bytes);
	len = (size_t)snprintf(text, sizeof(text), "%016llx",
			       (unsigned long long)shards_checksum(shards));
	json_text(json, "checksum", span_make(text, len));
}

/* How a host sorts and shows: its wildcard spelled out. */
static struct span host_prefix(const struct host_record *host)
{
	if (host->wildcard == HOST_EXACT)
		return S("");
	return host->wildcard == HOST_ONE_LABEL ? S("*") : S("**");
}

void dump_host_name(struct json *json, const char *key, const struct routes *routes,
		    const struct host_record *host)
{
	char name[TABLE_HOST_BYTES_MAX + 2];
	struct span prefix = host_prefix(host);
	struct span rest = routes_text(routes, host->name);

	memcpy(name, prefix.ptr, prefix.len);
	if (rest.len > 0)
		memcpy(name + prefix.len, rest.ptr, rest.len);
	json_text(json, key, span_make(name, prefix.len + rest.len));
}

static void dump_object(struct json *json, const struct routes *routes, uint32_t index)
{
	const struct route_object *object = &routes->objects[index];

	json_text(json, "namespace", routes_text(routes, object->namespace));
	json_text(json, "ingress", routes_text(routes, object->ingress));
	if (object->service.len > 0)
		json_text(json, "service", routes_text(routes, object->service));
	if (object->service_port.len > 0)
		json_text(json, "port", routes_text(routes, object->service_port));
}

void dump_route(struct json *json, const char *key, const struct routes *routes,
		const struct route *route, uint32_t policy)
{
	json_open_object(json, key, JSON_LINE);
	json_text(json, "path", routes_text(routes, route->path));
	json_text(json, "type", route->path_type == ROUTE_EXACT ? S("Exact") : S("Prefix"));
	json_text(json, "answer", span_from(answer_words[route->answer]));
	if (route->object != TABLE_NONE)
		dump_object(json, routes, route->object);
	if (route->implicit)
		json_bool(json, "implicit", true);
	if (route->default_backend)
		json_bool(json, "defaultBackend", true);
	if (route->https_only)
		json_bool(json, "httpsOnly", true);
	if (route->plain_anyway)
		json_bool(json, "plainAnyway", true);
	if (route->answer == ROUTE_PROXY) {
		json_number(json, "upstream", route->upstream);
		json_number(json, "incarnation", route->upstream_incarnation);
	}
	if (policy != TABLE_NONE)
		json_number(json, "policy", policy);
	json_number(json, "statRow", route->stat_row);
	json_close_object(json);
}

void dump_policy(struct json *json, const char *key, const struct route_policy *policy)
{
	json_open_object(json, key, JSON_BLOCK);
	dump_fields(json, policy, policy_fields, sizeof(policy_fields) / sizeof(policy_fields[0]));
	json_open_list(json, "nextUpstream", JSON_LINE);
	for (unsigned i = 0; i < NEXT_UPSTREAM_COUNT; i++)
		if (policy->next_upstream & BIT(i))
			json_text(json, NULL, span_from(next_upstream_words[i]));
	json_close_list(json);
	json_close_object(json);
}

/* A path or a host, to be sorted by what people read. */
struct line {
	const struct routes *routes;
	struct span prefix;
	struct span text;
	uint32_t index;
};

static int compare_lines(const void *left, const void *right)
{
	const struct line *a = left;
	const struct line *b = right;
	int order = span_compare(a->text, b->text);

	if (order == 0)
		order = span_compare(a->prefix, b->prefix);
	return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Policies of all shards, equal ones once, in the order of their first mention. */
struct policies {
	struct map by_bytes;
	struct arena arena;
	const struct route_policy **list;
	size_t room;
	uint32_t count;
};

struct numbered_policy {
	struct map_entry by_bytes;
	uint32_t number;
};

static uint32_t number_of(struct policies *policies, const struct route_policy *policy)
{
	struct span bytes = {(const char *)policy, sizeof(*policy)};
	struct map_entry *known = map_find(&policies->by_bytes, bytes);
	struct numbered_policy *fresh;

	if (known != NULL)
		return container_of(known, struct numbered_policy, by_bytes)->number;
	fresh = arena_take_zero(&policies->arena, sizeof(*fresh));
	fresh->by_bytes.key = bytes;
	fresh->number = policies->count++;
	map_add(&policies->by_bytes, &fresh->by_bytes);
	policies->list = memory_grow_array(policies->list, &policies->room, policies->count,
					   sizeof(*policies->list));
	policies->list[fresh->number] = policy;
	return fresh->number;
}

/* The routes of a host follow each other in the segment. */
static void dump_host_routes(struct json *json, const struct routes *routes, uint32_t first,
			     uint32_t count, struct policies *policies)
{
	struct line *lines = memory_new_array(count, sizeof(*lines));

	for (uint32_t i = 0; i < count; i++)
		lines[i] = (struct line){
			.text = routes_text(routes, routes->routes[first + i].path),
			.index = first + i,
		};
	qsort(lines, count, sizeof(*lines), compare_lines);
	json_open_list(json, "routes", JSON_BLOCK);
	for (uint32_t i = 0; i < count; i++) {
		const struct route *route = &routes->routes[lines[i].index];

		dump_route(json, NULL, routes, route,
			   number_of(policies, &routes->policies[route->policy]));
	}
	json_close_list(json);
	free(lines);
}

/* The routes of a host: those from the first of the whole shard that is its. */
static void find_routes(const struct routes *routes, uint32_t host, uint32_t *first,
			uint32_t *count)
{
	uint32_t low = 0;
	uint32_t high = routes->route_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (routes->routes[middle].host < host)
			low = middle + 1;
		else
			high = middle;
	}
	*first = low;
	for (*count = 0; low < routes->route_count && routes->routes[low].host == host; low++)
		++*count;
}

static size_t count_hosts(const struct shards *shards)
{
	size_t count = 0;

	for (uint32_t i = 0; i < shards->count; i++)
		count += shards->at[i]->routes.host_count;
	return count;
}

static struct line *sorted_hosts(const struct shards *shards, size_t count)
{
	struct line *lines = memory_new_array(count, sizeof(*lines));
	size_t next = 0;

	for (uint32_t i = 0; i < shards->count; i++) {
		const struct routes *routes = &shards->at[i]->routes;

		for (uint32_t host = 0; host < routes->host_count; host++)
			lines[next++] = (struct line){
				.routes = routes,
				.prefix = host_prefix(&routes->hosts[host]),
				.text = routes_text(routes, routes->hosts[host].name),
				.index = host,
			};
	}
	qsort(lines, count, sizeof(*lines), compare_lines);
	return lines;
}

/* The Secret, and not its id: that is a hash of the name. Empty: the fallback. */
static void dump_tls(struct json *json, const struct routes *routes, const struct host_tls *tls)
{
	static const char *const words[HOST_TLS_VERIFY_COUNT] = {
		[HOST_TLS_VERIFY_OFF] = "off",
		[HOST_TLS_VERIFY_ON] = "on",
		[HOST_TLS_VERIFY_OPTIONAL] = "optional",
		[HOST_TLS_VERIFY_OPTIONAL_NO_CA] = "optional_no_ca",
	};

	if (!certificate_id_is_none(tls->certificates[0]) ||
	    !certificate_id_is_none(tls->certificates[1]))
		json_text(json, "certificate", routes_text(routes, tls->secret));
	if (tls->ciphers.len > 0)
		json_text(json, "ciphers", routes_text(routes, tls->ciphers));
	if (tls->client_prefers)
		json_text(json, "cipherOrder", S("client"));
	if (tls->verify == HOST_TLS_VERIFY_OFF && !tls->refuses)
		return;
	json_open_object(json, "clients", JSON_LINE);
	json_text(json, "verify", span_from(words[tls->verify]));
	json_number(json, "depth", tls->verify_depth);
	json_bool(json, "refuses", tls->refuses);
	json_bool(json, "passCertificate", tls->pass_certificate);
	json_text(json, "subject", routes_text(routes, tls->subject_pattern));
	json_text(json, "errorPage", routes_text(routes, tls->error_page));
	json_close_object(json);
}

static void dump_hosts(struct json *json, const struct shards *shards, struct policies *policies)
{
	size_t count = count_hosts(shards);
	struct line *lines = sorted_hosts(shards, count);

	json_open_list(json, "hosts", JSON_BLOCK);
	for (size_t i = 0; i < count; i++) {
		const struct routes *routes = lines[i].routes;
		uint32_t first, own;

		find_routes(routes, lines[i].index, &first, &own);
		json_open_object(json, NULL, JSON_BLOCK);
		dump_host_name(json, "host", routes, &routes->hosts[lines[i].index]);
		if (routes->hosts[lines[i].index].tls != TABLE_NONE)
			dump_tls(json, routes, &routes->tls[routes->hosts[lines[i].index].tls]);
		if (routes->hosts[lines[i].index].passthrough)
			json_bool(json, "passthrough", true);
		dump_host_routes(json, routes, first, own, policies);
		json_close_object(json);
	}
	json_close_list(json);
	free(lines);
}

/* Behind those that routes mention, those that none does. */
static void dump_policies(struct json *json, const struct shards *shards, struct policies *policies)
{
	for (uint32_t i = 0; i < shards->count; i++)
		for (uint32_t n = 0; n < shards->at[i]->routes.policy_count; n++)
			number_of(policies, &shards->at[i]->routes.policies[n]);
	json_open_list(json, "policies", JSON_BLOCK);
	for (uint32_t i = 0; i < policies->count; i++)
		dump_policy(json, NULL, policies->list[i]);
	json_close_list(json);
}

static void dump_networks(struct json *json, const struct routes *routes)
{
	json_open_list(json, "trusted", JSON_LINE);
	for (uint32_t i = 0; i < routes->network_count; i++) {
		const struct ip_network *network = &routes->networks[i];
		unsigned bits = network->prefix_bits;
		char text[IP_TEXT_SIZE + 8];
		size_t len = ip_write(text, &network->ip);

		if (ip_is_v4(&network->ip) && bits >= 96)
			bits -= 96;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "/%u", bits);
		json_text(json, NULL, span_make(text, len));
	}
	json_close_list(json);
}

void dump_routes(const struct shards *routes, enum dump_detail detail, struct buf *out)
{
	struct policies policies = {0};
	struct json json;

	map_init(&policies.by_bytes);
	arena_init(&policies.arena, NULL, 0, SIZE_MAX);
	json_init(&json, out);
	json_open_object(&json, NULL, JSON_BLOCK);
	dump_header(&json, routes, detail);
	json_open_object(&json, "settings", JSON_BLOCK);
	dump_settings(&json, &routes->at[0]->routes);
	json_close_object(&json);
	dump_networks(&json, &routes->at[0]->routes);
	dump_hosts(&json, routes, &policies);
	dump_policies(&json, routes, &policies);
	json_close_object(&json);
	map_fini(&policies.by_bytes);
	arena_fini(&policies.arena);
	free(policies.list);
}
