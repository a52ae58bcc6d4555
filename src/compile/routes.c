/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"
#include "compile/compiler.h"
#include "table/hash.h"
#include "table/routes_builder.h"

/* What no ConfigMap key says (security spec, 7.1). */
enum { CLIENT_STALL_TIMEOUT_MS = 60000, TUNNEL_IDLE_AS_ROUTE = 0 };

/* Seeds of the hash of hosts that are tried in turn until no shard has a long chain. */
enum { SEEDS_MAX = 16 };

/* Enums of the model are those of the table by another name. */
static_assert((int)MODEL_PROXY == (int)ROUTE_PROXY, "answers");
static_assert((int)MODEL_NOT_FOUND == (int)ROUTE_NOT_FOUND, "answers");
static_assert((int)MODEL_NO_SERVICE == (int)ROUTE_NO_SERVICE, "answers");
static_assert((int)MODEL_DENIED == (int)ROUTE_DENIED, "answers");
static_assert((int)MODEL_EXACT == (int)ROUTE_EXACT, "path types");
static_assert((int)MODEL_PREFIX == (int)ROUTE_PREFIX, "path types");
static_assert((int)MODEL_VERIFY_OFF == (int)HOST_TLS_VERIFY_OFF, "verification");
static_assert((int)MODEL_VERIFY_ON == (int)HOST_TLS_VERIFY_ON, "verification");
static_assert((int)MODEL_VERIFY_OPTIONAL == (int)HOST_TLS_VERIFY_OPTIONAL, "verification");
static_assert((int)MODEL_VERIFY_OPTIONAL_NO_CA == (int)HOST_TLS_VERIFY_OPTIONAL_NO_CA,
	      "verification");

struct span compiler_stored_host(struct span name)
{
	return span_starts_with(name, S("*.")) ? span_skip(name, 1) : name;
}

/* The host for everything else has a place of its own. */
uint32_t compiler_host_shard(const struct deal *deal, struct span name)
{
	uint64_t hash = table_hash(compiler_stored_host(name), deal->seed);

	return name.len == 0 ? 0 : table_hash_shard(hash, deal->shard_count);
}

struct routes_compiler {
	struct compiler *compiler;
	const struct model *model;
	const struct model_options *options;
	uint64_t generation;
	struct routes_builder builder;
	struct buf key;               /* of a row, made anew for each route */
	struct routes_entry *entries; /* of the host in progress */
	size_t entry_room;
	uint32_t *rows; /* of the host in progress, each once */
	size_t row_count;
	size_t row_room;
};

/* The value of Strict-Transport-Security (compat spec, 18). */
static struct table_span add_hsts(struct builder *segment, const struct model_settings *settings)
{
	struct buf value = {0};
	struct table_span text;

	if (!settings->hsts)
		return (struct table_span){0};
	buf_add(&value, S("max-age="));
	buf_add(&value, settings->hsts_max_age);
	if (settings->hsts_include_subdomains)
		buf_add(&value, S("; includeSubDomains"));
	if (settings->hsts_preload)
		buf_add(&value, S("; preload"));
	text = builder_text(segment, buf_span(&value));
	buf_fini(&value);
	return text;
}

/* TLS knows no longer ones, and shorter ones are mostly head. */
static uint16_t record_bytes(uint32_t wanted)
{
	if (wanted < TABLE_RECORD_BYTES_MIN)
		return TABLE_RECORD_BYTES_MIN;
	return (uint16_t)(wanted < TABLE_RECORD_BYTES_MAX ? wanted : TABLE_RECORD_BYTES_MAX);
}

/* Something is not rounded to nothing. */
static uint32_t whole_seconds(uint32_t ms)
{
	return ms / 1000 + (ms % 1000 != 0);
}

static void add_settings(struct routes_compiler *compiler)
{
	struct builder *segment = &compiler->builder.segment;
	const struct model_settings *from = &compiler->model->settings;
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
		.proxy_header_timeout_ms = from->proxy_header_timeout_ms,
		.stream_idle_timeout_ms = from->stream_idle_timeout_ms,
		.stream_retry_timeout_ms = from->stream_retry_timeout_ms,
		.stream_tries = from->stream_tries,
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
		.tenant_destinations_free = compiler->options->tenant_destinations_free,
		.retry_non_idempotent = from->retry_non_idempotent,
		.ssl_reject_handshake = from->ssl_reject_handshake,
		.ssl_session_tickets = from->ssl_session_tickets,
		.use_proxy_protocol = from->use_proxy_protocol,
		.stream_retry = from->stream_retry,
		.use_http2 = from->use_http2,
		.tls_versions = (uint8_t)from->tls_versions,
		.redirect_status = (uint16_t)from->http_redirect_code,
		.tls_record_bytes = record_bytes(from->tls_record_bytes),
		.ssl_session_timeout_s = whole_seconds(from->ssl_session_timeout_ms),
		.http2_streams = from->http2_concurrent_streams,
		.ssl_ciphers = builder_text(segment, from->ssl_ciphers),
		.ssl_curves = builder_text(segment, from->ssl_curves),
		.dh_parameters = builder_text(segment, from->dh_parameters),
		.hsts = add_hsts(segment, from),
		.host_seed = compiler->compiler->hosts.seed,
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

/* A row of the host in progress, remembered once. */
static uint32_t take_row(struct routes_compiler *compiler, struct span key)
{
	bool is_first;
	uint32_t row = ids_row(&compiler->compiler->ids, key, &is_first);

	if (!is_first)
		return row;
	compiler->rows = memory_grow_array(compiler->rows, &compiler->row_room,
					   compiler->row_count + 1, sizeof(*compiler->rows));
	compiler->rows[compiler->row_count++] = row;
	return row;
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
	return take_row(compiler, buf_span(&compiler->key));
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
		.https_only = from->https_only,
		.plain_anyway = from->plain_anyway,
		.default_backend = from->default_backend,
	};

	set_upstream(&route, &compiler->compiler->ids, from);
	return route;
}

/* One id for all that a connection is judged by. Names hold no blank. */
static struct certificate_id client_policy_of(const struct model_client_tls *client)
{
	struct buf text = {0};
	struct certificate_id id;

	buf_printf(&text, "%u %u ", client->verify, client->verify_depth);
	buf_add(&text, client->authorities);
	id = compiler_certificate_id(buf_span(&text));
	buf_fini(&text);
	return id;
}

/* Whether there is anything to say about clients. */
static bool add_client_tls(struct builder *segment, const struct model_client_tls *client,
			   struct host_tls *tls)
{
	if (client->refuses) {
		tls->refuses = 1;
		return true;
	}
	if (client->verify == MODEL_VERIFY_OFF)
		return false;
	tls->authorities = compiler_certificate_id(client->authorities);
	tls->client_policy = client_policy_of(client);
	tls->subject_pattern = builder_text(segment, client->subject_pattern);
	tls->error_page = builder_text(segment, client->error_page);
	tls->verify = (uint8_t)client->verify;
	tls->verify_depth = (uint8_t)client->verify_depth;
	tls->pass_certificate = client->passes_certificate;
	return true;
}

/* Whether the host has an order or a list of its own. */
static bool add_ciphers(struct builder *segment, const struct model_host *host,
			struct host_tls *tls)
{
	struct buf text = {0};

	if (host->ciphers.len == 0 && !host->client_prefers)
		return false;
	buf_printf(&text, "ciphers %u ", host->client_prefers);
	buf_add(&text, host->ciphers);
	tls->cipher_policy = compiler_certificate_id(buf_span(&text));
	tls->ciphers = builder_text(segment, host->ciphers);
	tls->client_prefers = host->client_prefers;
	buf_fini(&text);
	return true;
}

/* A host without certificates of its own is served with those of the host for everything else. */
static void add_tls(struct routes_compiler *compiler, const struct model_host *host, uint32_t index)
{
	struct builder *segment = &compiler->builder.segment;
	struct host_tls tls = {0};
	bool any = false;

	for (unsigned kind = 0; kind < MODEL_KEY_KIND_COUNT; kind++) {
		const struct model_certificate *certificate = host->certificates[kind];

		if (certificate == NULL)
			continue;
		tls.certificates[kind] = compiler_certificate_id(certificate->by_name.key);
		if (!any)
			tls.secret = builder_text(segment, certificate->by_name.key);
		any = true;
	}
	any |= add_client_tls(segment, &host->client, &tls);
	any |= add_ciphers(segment, host, &tls);
	if (any)
		routes_builder_set_tls(&compiler->builder, index, &tls);
}

/* Where TLS would be passed on to: as routes_root finds it. */
static bool leads_on(const struct routes_entry *entries, uint32_t count)
{
	const struct route *root = NULL;

	for (uint32_t i = 0; i < count; i++) {
		const struct route *route = &entries[i].route;

		if (entries[i].path.len != 1 || route->implicit)
			continue;
		if (root == NULL || route->path_type == ROUTE_PREFIX)
			root = route;
	}
	return root != NULL && root->answer == ROUTE_PROXY;
}

static void add_host(struct routes_compiler *compiler, const struct model_host *host)
{
	bool is_wildcard = span_starts_with(host->by_name.key, S("*."));
	uint32_t count = 0;
	uint32_t index;

	compiler->entries = memory_grow_array(compiler->entries, &compiler->entry_room,
					      host->route_count, sizeof(*compiler->entries));
	for (const struct model_route *route = host->first; route != NULL; route = route->next)
		compiler->entries[count++] = (struct routes_entry){
			.path = route->path,
			.route = compile_route(compiler, route, host->by_name.key),
		};
	index = routes_builder_add_host(&compiler->builder, compiler_stored_host(host->by_name.key),
					is_wildcard ? HOST_ONE_LABEL : HOST_EXACT,
					compiler->entries, count);
	add_tls(compiler, host, index);
	/* an upstream that could get no number has no endpoints to be passed on to */
	if (host->passthrough && leads_on(compiler->entries, count))
		routes_builder_set_passthrough(&compiler->builder, index);
}

/* What the host had and has no more rests; what it has now is remembered. */
static void exchange_rows(struct routes_compiler *compiler, struct dealt *host)
{
	for (size_t i = 0; i < host->row_count; i++)
		ids_leave_row(&compiler->compiler->ids, host->rows[i], compiler->generation);
	host->rows = memory_grow_array(host->rows, &host->row_room, compiler->row_count,
				       sizeof(*host->rows));
	if (compiler->row_count > 0)
		memcpy(host->rows, compiler->rows, compiler->row_count * sizeof(*host->rows));
	host->row_count = compiler->row_count;
}

static void compile_host(struct routes_compiler *compiler, struct dealt *host)
{
	struct map_entry *entry = map_find(&compiler->model->hosts_by_name, host->by_name.key);

	BUG_ON(entry == NULL); /* compiler_note removes such */
	compiler->row_count = 0;
	ids_begin_rows(&compiler->compiler->ids);
	add_host(compiler, container_of(entry, struct model_host, by_name));
	exchange_rows(compiler, host);
}

/* How many buckets are searched for one host at most. A shard that is too large stays old. */
static uint32_t compile_shard(struct routes_compiler *compiler, uint32_t shard,
			      uint64_t built_wall_ns, struct buf *out)
{
	const struct deal *hosts = &compiler->compiler->hosts;
	struct table_stamp stamp = {
		.generation = compiler->generation,
		.built_wall_ns = built_wall_ns,
		.set = hosts->set,
		.shard = shard,
		.shard_count = hosts->shard_count,
	};
	size_t before = out->len;
	uint32_t longest;

	routes_builder_init(&compiler->builder);
	add_settings(compiler);
	list_for_each (link, &hosts->shards[shard].things)
		compile_host(compiler, container_of(link, struct dealt, in_shard));
	longest = routes_builder_finish(&compiler->builder, &stamp, out);
	routes_builder_fini(&compiler->builder);
	hosts->shards[shard].old = out->len == before;
	return longest;
}

/* False: names collide, and all are to be dealt out under another seed. */
static bool compile_old(struct routes_compiler *compiler, uint64_t built_wall_ns, struct buf *out)
{
	const struct deal *hosts = &compiler->compiler->hosts;
	uint32_t longest = 0;

	for (uint32_t shard = 0; shard < hosts->shard_count; shard++) {
		uint32_t chain = hosts->shards[shard].old
					 ? compile_shard(compiler, shard, built_wall_ns, out)
					 : 0;

		if (chain > longest)
			longest = chain;
	}
	return longest <= ROUTES_CHAIN_LONG;
}

bool compile_routes(struct compiler *compiler, const struct model *model,
		    const struct model_options *options, uint64_t generation,
		    uint64_t built_wall_ns, struct buf *out)
{
	struct routes_compiler routes = {
		.compiler = compiler, .model = model, .options = options, .generation = generation};
	struct deal *hosts = &compiler->hosts;
	size_t before = out->len;

	deal_adapt(hosts, generation);
	for (int tries = 1; !compile_old(&routes, built_wall_ns, out) && tries < SEEDS_MAX;
	     tries++) {
		out->len = before;
		deal_out(hosts, hosts->shard_count, hosts->seed + 1, generation);
	}
	buf_fini(&routes.key);
	free(routes.entries);
	free(routes.rows);
	return !deal_is_old(hosts);
}
