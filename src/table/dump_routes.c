/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/clock.h"
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

	if (field->size == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	if (field->size == sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		return word;
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

void dump_header(struct json *json, const struct table_header *header, enum table_kind kind,
		 enum dump_detail detail)
{
	char text[CLOCK_RFC3339_SIZE];
	size_t len;

	json_text(json, "kind", span_from(table_layouts[kind].name));
	json_number(json, "version", header->version);
	if (detail == DUMP_CONTENT)
		return;
	json_number(json, "generation", header->generation);
	len = clock_rfc3339(text, header->built_wall_ns);
	json_text(json, "built", span_make(text, len));
	json_number(json, "bytes", header->size);
	len = (size_t)snprintf(text, sizeof(text), "%016llx", (unsigned long long)header->checksum);
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
		const struct route *route)
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
	if (route->answer == ROUTE_PROXY) {
		json_number(json, "upstream", route->upstream);
		json_number(json, "incarnation", route->upstream_incarnation);
	}
	json_number(json, "policy", route->policy);
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

/* The routes of a host follow each other in the segment. */
static void dump_host_routes(struct json *json, const struct routes *routes, uint32_t first,
			     uint32_t count)
{
	struct line *lines = memory_new_array(count, sizeof(*lines));

	for (uint32_t i = 0; i < count; i++)
		lines[i] = (struct line){
			.text = routes_text(routes, routes->routes[first + i].path),
			.index = first + i,
		};
	qsort(lines, count, sizeof(*lines), compare_lines);
	json_open_list(json, "routes", JSON_BLOCK);
	for (uint32_t i = 0; i < count; i++)
		dump_route(json, NULL, routes, &routes->routes[lines[i].index]);
	json_close_list(json);
	free(lines);
}

/* Index of the first route of each host, and behind the last the number of routes. */
static uint32_t *first_routes(const struct routes *routes)
{
	uint32_t *first = memory_new_array((size_t)routes->host_count + 1, sizeof(*first));

	for (uint32_t i = 0; i < routes->route_count; i++)
		first[routes->routes[i].host + 1]++;
	for (uint32_t i = 0; i < routes->host_count; i++)
		first[i + 1] += first[i];
	return first;
}

static struct line *sorted_hosts(const struct routes *routes)
{
	struct line *lines = memory_new_array(routes->host_count, sizeof(*lines));

	for (uint32_t i = 0; i < routes->host_count; i++)
		lines[i] = (struct line){
			.prefix = host_prefix(&routes->hosts[i]),
			.text = routes_text(routes, routes->hosts[i].name),
			.index = i,
		};
	qsort(lines, routes->host_count, sizeof(*lines), compare_lines);
	return lines;
}

static void dump_hosts(struct json *json, const struct routes *routes)
{
	uint32_t *first = first_routes(routes);
	struct line *lines = sorted_hosts(routes);

	json_open_list(json, "hosts", JSON_BLOCK);
	for (uint32_t i = 0; i < routes->host_count; i++) {
		uint32_t host = lines[i].index;

		json_open_object(json, NULL, JSON_BLOCK);
		dump_host_name(json, "host", routes, &routes->hosts[host]);
		dump_host_routes(json, routes, first[host], first[host + 1] - first[host]);
		json_close_object(json);
	}
	json_close_list(json);
	free(lines);
	free(first);
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

void dump_routes(const struct routes *routes, enum dump_detail detail, struct buf *out)
{
	struct json json;

	json_init(&json, out);
	json_open_object(&json, NULL, JSON_BLOCK);
	dump_header(&json, routes->header, TABLE_ROUTES, detail);
	json_open_object(&json, "settings", JSON_BLOCK);
	dump_fields(&json, routes->settings, settings_fields,
		    sizeof(settings_fields) / sizeof(settings_fields[0]));
	json_close_object(&json);
	dump_networks(&json, routes);
	dump_hosts(&json, routes);
	json_open_list(&json, "policies", JSON_BLOCK);
	for (uint32_t i = 0; i < routes->policy_count; i++)
		dump_policy(&json, NULL, &routes->policies[i]);
	json_close_list(&json);
	json_close_object(&json);
}
