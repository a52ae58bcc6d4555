/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/memory.h"
#include "compile/compile.h"
#include "compile/ids.h"
#include "table/routes_builder.h"

/* What no ConfigMap key says (security spec, 7.1). */
enum { CLIENT_STALL_TIMEOUT_MS = 60000, TUNNEL_IDLE_AS_ROUTE = 0 };

/* Enums of the model are those of the table by another name. */
static_assert((int)MODEL_PROXY == (int)ROUTE_PROXY, "answers");
static_assert((int)MODEL_NOT_FOUND == (int)ROUTE_NOT_FOUND, "answers");
static_assert((int)MODEL_NO_SERVICE == (int)ROUTE_NO_SERVICE, "answers");
static_assert((int)MODEL_DENIED == (int)ROUTE_DENIED, "answers");
static_assert((int)MODEL_EXACT == (int)ROUTE_EXACT, "path types");
static_assert((int)MODEL_PREFIX == (int)ROUTE_PREFIX, "path types");

struct routes_compiler {
	struct ids *ids;
	uint64_t generation;
	struct routes_builder builder;
	struct buf key;               /* of a row, made anew for each route */
	struct routes_entry *entries; /* of the host in progress */
	size_t entry_room;
};

static void add_settings(struct builder *segment, const struct model_settings *from,
			 const struct model_options *options)
{
	struct table_settings settings = {
		.client_header_timeout_ms = from->client_header_timeout_ms,
		.client_body_timeout_ms = from->client_body_timeout_ms,
		.keep_alive_timeout_ms = from->keep_alive_timeout_ms,
		.keep_alive_requests = from->keep_alive_requests,
		.header_line_bytes = from->header_line_bytes,
		.header_total_bytes = from->header_total_bytes,
		.upstream_keepalive_connections = from->upstream_keepalive_connections,
		.upstream_keepalive_timeout_ms = from->upstream_keepalive_timeout_ms,
		.upstream_keepalive_time_ms = from->upstream_keepalive_time_ms,
		.upstream_keepalive_requests = from->upstream_keepalive_requests,
		.client_stall_timeout_ms = CLIENT_STALL_TIMEOUT_MS,
		.tunnel_idle_timeout_ms = TUNNEL_IDLE_AS_ROUTE,
		.drain_timeout_ms = from->drain_timeout_ms,
		.underscores_in_headers = from->underscores_in_headers,
		.ignore_invalid_headers = from->ignore_invalid_headers,
		.use_forwarded_headers = from->use_forwarded_headers,
		.compute_full_forwarded_for = from->compute_full_forwarded_for,
		.generate_request_id = from->generate_request_id,
		.add_original_uri = from->add_original_uri,
		.allow_backend_server_header = from->allow_backend_server_header,
		.server_tokens = from->server_tokens,
		.access_log = from->access_log,
		.access_log_default_backend = from->access_log_default_backend,
		.tenant_destinations_free = options->tenant_destinations_free,
		.retry_non_idempotent = from->retry_non_idempotent,
	};

	builder_add(segment, ROUTES_SETTINGS, &settings);
	for (uint32_t i = 0; i < from->trusted_count; i++)
		builder_add(segment, ROUTES_NETWORKS, &from->trusted[i]);
}

static uint32_t add_policy(struct builder *segment, const struct model_policy *from)
{
	struct route_policy policy = {
		.body_limit_bytes = from->body_limit_bytes,
		.connect_timeout_ms = from->connect_timeout_ms,
		.send_timeout_ms = from->send_timeout_ms,
		.read_timeout_ms = from->read_timeout_ms,
		.next_upstream = from->next_upstream,
		.next_upstream_tries = from->next_upstream_tries,
		.next_upstream_timeout_ms = from->next_upstream_timeout_ms,
		.response_head_bytes = from->response_head_bytes,
	};

	return builder_intern(segment, ROUTES_POLICIES, &policy);
}

static uint32_t add_object(struct builder *segment, const struct model_route *route)
{
	struct route_object object;

	if (route->namespace.len == 0)
		return TABLE_NONE;
	object = (struct route_object){
		.namespace = builder_text(segment, route->namespace),
		.ingress = builder_text(segment, route->ingress),
		.service = builder_text(segment, route->service),
		.service_port = builder_text(segment, route->service_port),
	};
	return builder_intern(segment, ROUTES_OBJECTS, &object);
}

/* Routes of the same Ingress, Service and host share a row: that is as fine as the metrics are (compat
 * spec, 25.1). '\n' is in no name. */
static uint32_t row_of(struct routes_compiler *compiler, const struct model_route *route,
		       struct span host)
{
	struct span parts[] = {route->namespace, route->ingress, route->service, host};

	if (route->namespace.len == 0)
		return 0;
	buf_clear(&compiler->key);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		buf_add(&compiler->key, parts[i]);
		buf_add_byte(&compiler->key, '\n');
	}
	return ids_row(compiler->ids, buf_span(&compiler->key), compiler->generation);
}

/* A route whose upstream could get no number answers as if there were no Service. */
static void set_upstream(struct route *route, const struct ids *ids, const struct model_route *from)
{
	const struct ids_upstream *upstream = NULL;

	if (from->answer == MODEL_PROXY)
		upstream = ids_find_upstream(ids, from->upstream->by_key.key);
	if (upstream != NULL) {
		route->upstream = upstream->id.number;
		route->upstream_incarnation = upstream->id.incarnation;
	} else if (from->answer == MODEL_PROXY) {
		route->answer = ROUTE_NO_SERVICE;
	}
}

static struct route compile_route(struct routes_compiler *compiler, const struct model_route *from,
				  struct span host)
{
	struct builder *segment = &compiler->builder.segment;
	struct route route = {
		.upstream = TABLE_NONE,
		.policy = add_policy(segment, from->policy),
		.object = add_object(segment, from),
		.stat_row = row_of(compiler, from, host),
		.answer = (uint8_t)from->answer,
		.path_type = (uint8_t)from->type,
		.implicit = from->implicit,
		.default_backend = from->default_backend,
	};

	set_upstream(&route, compiler->ids, from);
	return route;
}

static void compile_host(struct routes_compiler *compiler, const struct model_host *host)
{
	bool is_wildcard = span_starts_with(host->name, S("*."));
	uint32_t count = 0;

	compiler->entries = memory_grow_array(compiler->entries, &compiler->entry_room,
					      host->route_count, sizeof(*compiler->entries));
	for (const struct model_route *route = host->first; route != NULL; route = route->next)
		compiler->entries[count++] = (struct routes_entry){
			.path = route->path,
			.route = compile_route(compiler, route, host->name),
		};
	routes_builder_add_host(
		&compiler->builder, is_wildcard ? span_skip(host->name, 1) : host->name,
		is_wildcard ? HOST_ONE_LABEL : HOST_EXACT, compiler->entries, count);
}

void compile_routes(const struct model *model, const struct model_options *options, struct ids *ids,
		    uint64_t generation, uint64_t built_wall_ns, struct buf *out)
{
	struct routes_compiler compiler = {.ids = ids, .generation = generation};

	ids_name_upstreams(ids, model, generation);
	routes_builder_init(&compiler.builder);
	add_settings(&compiler.builder.segment, &model->settings, options);
	for (const struct model_host *host = model->first_host; host != NULL; host = host->next)
		compile_host(&compiler, host);
	routes_builder_finish(&compiler.builder, generation, built_wall_ns, out);
	routes_builder_fini(&compiler.builder);
	buf_fini(&compiler.key);
	free(compiler.entries);
}
