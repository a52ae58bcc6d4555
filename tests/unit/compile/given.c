/* SPDX-License-Identifier: Apache-2.0 */
#include "given.h"

#include <stdlib.h>

#include "base/memory.h"

static const char *known_endpoints = "";
bool given_faults;

static const struct model_policy plain_policy = {
	.connect_timeout_ms = 5000,
	.read_timeout_ms = 60000,
	.response_head_bytes = 4096,
};

void given_endpoints(const char *text)
{
	known_endpoints = text;
}

/* A model by hand. */
struct hand_model {
	struct model model; /* first */
	struct arena arena;
};

struct hand_host {
	struct model_host host; /* first */
	struct model_route *last;
};

static struct arena *arena_of(struct model *model)
{
	return &((struct hand_model *)model)->arena;
}

static struct model *model_by_hand(void)
{
	struct model *model = memory_new(sizeof(struct hand_model));

	arena_init(arena_of(model), NULL, 0, SIZE_MAX);
	map_init(&model->hosts_by_name);
	map_init(&model->upstreams_by_key);
	list_init(&model->hosts);
	list_init(&model->upstreams);
	map_init(&model->certificates_by_name);
	list_init(&model->certificates);
	model->settings.header_line_bytes = 8192;
	model->settings.header_total_bytes = 32768;
	model->settings.tls_versions = 3;
	model->settings.http_redirect_code = 308;
	model->settings.http2_concurrent_streams = 128;
	model->settings.proxy_header_timeout_ms = 5000;
	model->settings.stream_idle_timeout_ms = 600000;
	return model;
}

static struct hand_host *host_of(struct model *model, struct span name)
{
	struct map_entry *entry = map_find(&model->hosts_by_name, name);
	struct hand_host *host;

	if (entry != NULL)
		return container_of(entry, struct hand_host, host.by_name);
	host = arena_take_zero(arena_of(model), sizeof(*host));
	host->host.by_name.key = name;
	map_add(&model->hosts_by_name, &host->host.by_name);
	list_add_last(&model->hosts, &host->host.link);
	return host;
}

struct model_upstream *given_upstream(struct model *model, const char *backend)
{
	struct arena *arena = arena_of(model);
	struct span key = arena_printf(arena, "shop/%s", backend);
	struct map_entry *entry = map_find(&model->upstreams_by_key, key);
	struct span port = span_skip(key, sizeof("shop/") - 1);
	struct span service = span_cut(&port, ':');
	struct model_upstream *upstream;

	if (entry != NULL)
		return container_of(entry, struct model_upstream, by_key);
	upstream = arena_take_zero(arena, sizeof(*upstream));
	upstream->by_key.key = key;
	upstream->name = arena_printf(arena, "shop-%.*s-%.*s", (int)service.len, service.ptr,
				      (int)port.len, port.ptr);
	upstream->namespace = S("shop");
	upstream->service = service;
	map_add(&model->upstreams_by_key, &upstream->by_key);
	list_add_last(&model->upstreams, &upstream->link);
	return upstream;
}

static void set_target(struct model *model, struct model_route *route, struct span backend)
{
	struct span port = backend;

	if (span_equals(backend, S("404"))) {
		route->answer = MODEL_NOT_FOUND;
	} else if (span_equals(backend, S("503"))) {
		route->answer = MODEL_NO_SERVICE;
	} else if (span_equals(backend, S("denied"))) {
		route->answer = MODEL_DENIED;
	} else {
		route->answer = MODEL_PROXY;
		route->upstream = given_upstream(model, arena_copy(arena_of(model), backend).ptr);
		route->service = span_cut(&port, ':');
		route->service_port = port;
	}
}

static void add_route(struct model *model, struct span line)
{
	struct span host_name = span_cut(&line, ' ');
	struct span type = span_cut(&line, ' ');
	struct model_route *route = arena_take_zero(arena_of(model), sizeof(*route));
	struct hand_host *host = host_of(model, span_equals(host_name, S("-")) ? S("") : host_name);

	route->path = span_cut(&line, ' ');
	route->type = span_equals(type, S("Exact")) ? MODEL_EXACT : MODEL_PREFIX;
	route->implicit = span_equals(type, S("Root"));
	route->policy = &plain_policy;
	if (!route->implicit || !span_equals(line, S("-> built-in"))) {
		route->namespace = S("shop");
		route->ingress = S("web");
	}
	assert_true(span_equals(span_cut(&line, ' '), S("->")));
	set_target(model, route, span_equals(line, S("built-in")) ? S("404") : line);
	if (host->last == NULL)
		host->host.first = route;
	else
		host->last->next = route;
	host->last = route;
	host->host.route_count++;
	model->route_count++;
}

struct model *given_model(const char *text)
{
	struct model *model = model_by_hand();
	struct span rest = span_from(text);

	while (rest.len > 0)
		add_route(model, span_cut(&rest, '\n'));
	host_of(model, S(""));
	return model;
}

void given_model_end(struct model *model)
{
	map_fini(&model->hosts_by_name);
	map_fini(&model->upstreams_by_key);
	map_fini(&model->certificates_by_name);
	arena_fini(arena_of(model));
	free(model);
}

static struct model_endpoint read_endpoint(struct span text)
{
	struct model_endpoint endpoint = {.state = MODEL_ENDPOINT_READY};
	struct span address;
	uint64_t port = 0;

	if (text.ptr[0] == '!') {
		endpoint.state = MODEL_ENDPOINT_TERMINATING;
		text = span_skip(text, 1);
	}
	address = span_cut(&text, ':');
	assert_true(ip_parse(address, &endpoint.at.ip));
	assert_true(span_to_u64(text, &port));
	endpoint.at.port = (uint16_t)port;
	return endpoint;
}

/* The line of an upstream, behind its key; empty: none. */
static struct span line_of(const struct model_upstream *upstream)
{
	struct span rest = span_from(known_endpoints);
	struct span key = span_skip(upstream->by_key.key, sizeof("shop/") - 1);

	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');

		if (span_equals(span_cut(&line, ' '), key))
			return line;
	}
	return S("");
}

uint32_t model_endpoints(const struct store *store, const struct model_options *options,
			 const struct model_upstream *upstream, struct arena *arena,
			 const struct model_endpoint **endpoints, struct diagnostics *diagnostics)
{
	enum { ENDPOINTS_MAX = 16 };
	struct model_endpoint *found = arena_take(arena, ENDPOINTS_MAX * sizeof(*found));
	struct span line = line_of(upstream);
	uint32_t count = 0;

	assert_true(span_equals(upstream->namespace, S("shop")));
	if (given_faults)
		diagnostics_add_place(diagnostics, DIAGNOSTIC_BAD_ENDPOINT, S(""), 0, 0, "%.*s",
				      (int)upstream->name.len, upstream->name.ptr);
	while (line.len > 0)
		found[count++] = read_endpoint(span_cut(&line, ' '));
	*endpoints = found;
	(void)store;
	(void)options;
	return count;
}

static void give_back(struct span bytes)
{
	free((void *)(uintptr_t)bytes.ptr);
}

/* What was compiled takes effect; a copy of it. */
static void apply(struct shards *table, const struct buf *bundle)
{
	struct error err = {0};
	struct buf copy = {0};

	if (bundle->len == 0)
		return;
	buf_add(&copy, buf_span(bundle));
	if (shards_apply(table, buf_span(&copy), give_back, &err) == -1)
		fail_msg("%s", err.text);
}

void compiled_update(struct compiled *compiled, struct compiler *compiler,
		     const struct model *model, const struct model_changes *changes,
		     uint64_t generation)
{
	static const struct model_options options;

	buf_clear(&compiled->routes_bytes);
	buf_clear(&compiled->endpoints_bytes);
	compiler_note(compiler, model, changes, generation);
	assert_true(
		compile_routes(compiler, model, &options, generation, 7, &compiled->routes_bytes));
	assert_true(compile_endpoints(compiler, NULL, &options, generation, 7,
				      &compiled->endpoints_bytes));
	apply(&compiled->routes_table, &compiled->routes_bytes);
	apply(&compiled->endpoints_table, &compiled->endpoints_bytes);
	compiled->routes = compiled->routes_table.at[0]->routes;
	compiled->endpoints = compiled->endpoints_table.at[0]->endpoints;
}

struct compiled *compiled(struct compiler *compiler, const struct model *model, uint64_t generation)
{
	struct compiled *compiled = memory_new(sizeof(*compiled));

	shards_init(&compiled->routes_table, TABLE_ROUTES);
	shards_init(&compiled->endpoints_table, TABLE_ENDPOINTS);
	compiled_update(compiled, compiler, model, NULL, generation);
	return compiled;
}

void compiled_end(struct compiled *compiled)
{
	shards_fini(&compiled->routes_table);
	shards_fini(&compiled->endpoints_table);
	buf_fini(&compiled->routes_bytes);
	buf_fini(&compiled->endpoints_bytes);
	free(compiled);
}

const struct route *compiled_route(const struct compiled *compiled, const char *host,
				   const char *path)
{
	struct route_match match = routes_find(&compiled->routes_table, span_from(host),
					       span_from(path));

	if (match.route == NULL)
		fail_msg("no route for %s%s", host, path);
	return match.route;
}

const struct upstream_record *upstream_of_route(const struct compiled *compiled,
						const struct route *route)
{
	return endpoints_find(&compiled->endpoints_table, route->upstream,
			      route->upstream_incarnation)
		.upstream;
}

const struct upstream_record *compiled_upstream(const struct compiled *compiled, const char *host,
						const char *path)
{
	const struct upstream_record *upstream = upstream_of_route(
		compiled, compiled_route(compiled, host, path));

	if (upstream == NULL)
		fail_msg("no upstream for %s%s", host, path);
	return upstream;
}

void assert_endpoints(const struct compiled *compiled, const char *host, const char *path,
		      const char *text)
{
	const struct route *route = compiled_route(compiled, host, path);
	struct upstream_match match = endpoints_find(&compiled->endpoints_table, route->upstream,
						     route->upstream_incarnation);
	struct buf found = {0};

	assert_non_null(match.upstream);
	for (uint32_t i = 0; i < match.upstream->endpoint_count; i++) {
		const struct endpoint_record *endpoint =
			&match.endpoints->endpoints[match.upstream->first_endpoint + i];
		struct ip_port at = {.ip = endpoint->ip, .port = endpoint->port};
		char address[IP_PORT_TEXT_SIZE];

		ip_port_write(address, &at);
		buf_printf(&found, "%s%s%s#%u", i == 0 ? "" : " ",
			   endpoint->state == ENDPOINT_TERMINATING ? "!" : "", address,
			   endpoint->slot);
	}
	assert_string_equal(buf_text(&found), text);
	buf_fini(&found);
}

void assert_text(struct span found, const char *expected)
{
	if (!span_equals(found, span_from(expected)))
		fail_msg("\"%.*s\" is not \"%s\"", (int)found.len, found.ptr, expected);
}
