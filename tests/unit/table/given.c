/* SPDX-License-Identifier: Apache-2.0 */
#include "given.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "table/hash.h"

enum { LINES_MAX = 64 };

struct given_pages given_pages(struct span bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (bytes.len + page - 1) / page * page;
	struct given_pages pages = {.size = size + page};
	char *at;

	pages.pages = mmap(NULL, pages.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	assert_ptr_not_equal(pages.pages, MAP_FAILED);
	at = (char *)pages.pages + size - bytes.len;
	if (bytes.len > 0)
		memcpy(at, bytes.ptr, bytes.len);
	assert_int_equal(mprotect((char *)pages.pages + size, page, PROT_NONE), 0);
	if (size > 0)
		assert_int_equal(mprotect(pages.pages, size, PROT_READ), 0);
	pages.bytes = span_make(at, bytes.len);
	return pages;
}

void given_pages_end(struct given_pages *pages)
{
	munmap(pages->pages, pages->size);
}

void given_builder(struct routes_builder *builder)
{
	static const struct table_settings settings = {
		.client_header_timeout_ms = 60000,
		.header_line_bytes = 8192,
		.header_total_bytes = 32768,
		.ignore_invalid_headers = 1,
		.tls_versions = BIT(HOST_TLS_1_2) | BIT(HOST_TLS_1_3),
		.redirect_status = 308,
		.http2_streams = 128,
		.proxy_header_timeout_ms = 5000,
		.stream_idle_timeout_ms = 600000,
	};
	static const struct route_policy policy = {
		.body_limit_bytes = 1 << 20,
		.connect_timeout_ms = 5000,
		.next_upstream = BIT(NEXT_UPSTREAM_ERROR) | BIT(NEXT_UPSTREAM_TIMEOUT),
		.response_head_bytes = 65536,
	};
	struct ip_network network;

	routes_builder_init(builder);
	builder_add(&builder->segment, ROUTES_SETTINGS, &settings);
	builder_intern(&builder->segment, ROUTES_POLICIES, &policy);
	assert_true(ip_network_parse(S("10.0.0.0/8"), &network));
	builder_add(&builder->segment, ROUTES_NETWORKS, &network);
}

struct route given_route(struct routes_builder *builder, struct span service,
			 enum route_path_type type)
{
	struct builder *segment = &builder->segment;
	struct route_object object = {
		.namespace = builder_text(segment, S("shop")),
		.ingress = builder_text(segment, S("web")),
		.service = builder_text(segment, service),
		.service_port = builder_text(segment, S("80")),
	};

	return (struct route){
		.upstream = 0,
		.upstream_incarnation = 1,
		.object = builder_intern(segment, ROUTES_OBJECTS, &object),
		.stat_row = 1,
		.answer = ROUTE_PROXY,
		.path_type = (uint8_t)type,
	};
}

struct line {
	struct span host;
	struct span type;
	struct span path;
	struct span service;
};

static uint32_t read_lines(const char *text, struct line *lines)
{
	struct span rest = span_from(text);
	uint32_t count = 0;

	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');
		struct line *to = &lines[count++];

		assert_in_range(count, 1, LINES_MAX);
		to->host = span_cut(&line, ' ');
		if (span_equals(to->host, S("-")))
			to->host = S("");
		to->type = span_cut(&line, ' ');
		to->path = span_cut(&line, ' ');
		assert_true(span_equals(span_cut(&line, ' '), S("->")));
		to->service = line;
	}
	return count;
}

static bool is_first_of_host(const struct line *lines, uint32_t index)
{
	for (uint32_t i = 0; i < index; i++)
		if (span_equals(lines[i].host, lines[index].host))
			return false;
	return true;
}

static void add_host(struct routes_builder *builder, struct span host, const struct line *lines,
		     uint32_t count)
{
	struct routes_entry entries[LINES_MAX];
	bool is_wildcard = span_starts_with(host, S("*"));
	bool is_many = span_starts_with(host, S("**"));
	uint32_t entry_count = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct routes_entry *entry = &entries[entry_count];

		if (!span_equals(lines[i].host, host))
			continue;
		*entry = (struct routes_entry){
			.path = lines[i].path,
			.route = given_route(builder, lines[i].service,
					     span_equals(lines[i].type, S("Exact")) ? ROUTE_EXACT
										    : ROUTE_PREFIX),
		};
		entry->route.implicit = span_equals(lines[i].type, S("Root"));
		entry_count++;
	}
	routes_builder_add_host(builder, span_skip(host, is_many ? 2 : is_wildcard),
				is_many       ? HOST_MANY_LABELS
				: is_wildcard ? HOST_ONE_LABEL
					      : HOST_EXACT,
				entries, entry_count);
}

struct table_stamp given_stamp(uint32_t shard, uint32_t shard_count)
{
	return (struct table_stamp){.generation = 1,
				    .built_wall_ns = 2,
				    .set = 1,
				    .shard = shard,
				    .shard_count = shard_count};
}

/* The host for everything else is in shard 0, the others where their stored names belong. */
static bool is_in_shard(struct span host, const struct table_stamp *stamp)
{
	struct span name = span_starts_with(host, S("**"))  ? span_skip(host, 2)
			   : span_starts_with(host, S("*")) ? span_skip(host, 1)
							    : host;

	if (name.len == 0)
		return stamp->shard == 0;
	return table_hash_shard(table_hash(name, 0), stamp->shard_count) == stamp->shard;
}

static void add_shard(const struct line *lines, uint32_t count, const struct table_stamp *stamp,
		      struct buf *out)
{
	struct routes_builder builder;
	bool has_other = stamp->shard != 0;

	given_builder(&builder);
	for (uint32_t i = 0; i < count; i++) {
		has_other = has_other || lines[i].host.len == 0;
		if (is_first_of_host(lines, i) && is_in_shard(lines[i].host, stamp))
			add_host(&builder, lines[i].host, lines, count);
	}
	if (!has_other)
		routes_builder_add_host(&builder, S(""), HOST_EXACT, NULL, 0);
	routes_builder_finish(&builder, stamp, out);
	routes_builder_fini(&builder);
}

void given_routes_bundle(const char *text, uint32_t shard_count, struct buf *out)
{
	static struct line lines[LINES_MAX];
	uint32_t count = read_lines(text, lines);

	for (uint32_t shard = 0; shard < shard_count; shard++) {
		struct table_stamp stamp = given_stamp(shard, shard_count);

		add_shard(lines, count, &stamp, out);
	}
}

void given_routes_bytes(const char *text, struct buf *out)
{
	given_routes_bundle(text, 1, out);
}

struct given_routes *given_routes_of(struct span bundle)
{
	struct given_routes *given = memory_new(sizeof(*given));
	struct error err = {0};

	given->pages = given_pages(bundle);
	shards_init(&given->shards, TABLE_ROUTES);
	if (shards_apply(&given->shards, given->pages.bytes, NULL, &err) == -1)
		fail_msg("%s", err.text);
	given->routes = given->shards.at[0]->routes;
	return given;
}

struct given_routes *given_routes_in_shards(const char *text, uint32_t shard_count)
{
	struct given_routes *given;
	struct buf bytes = {0};

	given_routes_bundle(text, shard_count, &bytes);
	given = given_routes_of(buf_span(&bytes));
	buf_fini(&bytes);
	return given;
}

struct given_routes *given_routes(const char *text)
{
	return given_routes_in_shards(text, 1);
}

void given_routes_end(struct given_routes *given)
{
	shards_fini(&given->shards);
	given_pages_end(&given->pages);
	free(given);
}

void assert_route(const struct given_routes *given, const char *host, const char *path,
		  const char *service)
{
	struct given_pages host_pages = given_pages(span_from(host));
	struct given_pages path_pages = given_pages(span_from(path));
	struct route_match match = routes_find(&given->shards, host_pages.bytes, path_pages.bytes);
	const struct routes *routes = &match.shard->routes;
	struct buf found = {0};

	if (match.route != NULL)
		buf_add(&found, routes_text(routes, routes->objects[match.route->object].service));
	if (match.add_slash)
		buf_add_byte(&found, '/');
	assert_string_equal(buf_text(&found), service);
	buf_fini(&found);
	given_pages_end(&host_pages);
	given_pages_end(&path_pages);
}

/* "10.0.0.1:80" or "[2001:db8::1]:80". */
static struct ip_port read_address(struct span text)
{
	bool has_brackets = text.ptr[0] == '[';
	size_t end = span_find(text, has_brackets ? ']' : ':');
	struct ip_port at = {0};
	uint64_t port = 0;

	assert_true(ip_parse(span_skip(span_take(text, end), has_brackets), &at.ip));
	assert_true(span_to_u64(span_skip(text, end + (has_brackets ? 2 : 1)), &port));
	at.port = (uint16_t)port;
	return at;
}

/* Slots in the order of the text. */
static void add_endpoint(struct builder *builder, struct upstream_record *upstream,
			 struct span address, uint32_t slot)
{
	struct ip_port at = read_address(address);
	struct endpoint_record endpoint = {
		.ip = at.ip,
		.port = at.port,
		.weight = 1,
		.slot = slot,
		.incarnation = 1,
	};

	builder_add(builder, ENDPOINTS_ENDPOINTS, &endpoint);
	upstream->endpoint_count++;
}

static void add_external(struct builder *builder, struct upstream_record *upstream,
			 struct span address)
{
	size_t colon = span_find(address, ':');
	uint64_t port = 0;

	assert_true(span_to_u64(span_skip(address, colon + 1), &port));
	upstream->external_name = builder_text(builder,
					       span_take(span_skip(address, 1), colon - 1));
	upstream->external_port = (uint16_t)port;
}

/* "~api.example": TLS with that name. */
static void add_tls(struct builder *builder, struct upstream_record *upstream, struct span name)
{
	const struct upstream_tls tls = {
		.digest = {1},
		.authorities = {{1, 2}},
		.server_name = builder_text(builder, span_skip(name, 1)),
		.verify_name = builder_text(builder, span_skip(name, 1)),
		.ciphers = builder_text(builder, S("ECDHE-RSA-AES128-GCM-SHA256")),
		.versions = BIT(UPSTREAM_TLS_1_3),
		.verify_depth = 1,
	};

	upstream->tls = builder_intern(builder, ENDPOINTS_TLS, &tls);
}

/* "%": each of the endpoints before it has a share, all the same. */
static void add_shares(struct builder *builder, struct upstream_record *upstream)
{
	upstream->first_share = builder_count(builder, ENDPOINTS_SHARES);
	for (uint64_t i = 1; i <= upstream->endpoint_count; i++) {
		uint32_t end = (uint32_t)((i << 32) / upstream->endpoint_count - 1);

		builder_add(builder, ENDPOINTS_SHARES, &end);
	}
}

/* "#x_user": chosen by the hash of "user-$http_x_user"; the endpoints before it have two places each. */
static void add_hash(struct builder *builder, struct upstream_record *upstream, struct span field)
{
	const struct template_part parts[] = {
		{.text = builder_text(builder, S("user-"))},
		{.text = builder_text(builder, span_skip(field, 1)), .variable = VARIABLE_HTTP},
	};

	upstream->algorithm = UPSTREAM_HASH;
	upstream->hash_by.first = builder_count(builder, ENDPOINTS_PARTS);
	upstream->hash_by.count = 2;
	builder_add(builder, ENDPOINTS_PARTS, &parts[0]);
	builder_add(builder, ENDPOINTS_PARTS, &parts[1]);
	upstream->first_point = builder_count(builder, ENDPOINTS_RING);
	upstream->point_count = 2 * upstream->endpoint_count;
	for (uint32_t i = 0; i < upstream->point_count; i++)
		builder_add(builder, ENDPOINTS_RING,
			    &(struct ring_point){.hash = 1000 * i, .node = i / 2});
}

static void add_upstream(struct builder *builder, struct span line, uint32_t slot)
{
	struct span name = span_cut(&line, ' ');
	struct upstream_record upstream = {0};

	if (!span_equals(name, S("-"))) {
		upstream.incarnation = 1;
		upstream.first_endpoint = builder_count(builder, ENDPOINTS_ENDPOINTS);
		upstream.name = builder_text(builder, name);
		upstream.tls = TABLE_NONE;
		upstream.first_share = TABLE_NONE;
	}
	while (line.len > 0) {
		struct span address = span_cut(&line, ' ');

		if (address.ptr[0] == '@')
			add_external(builder, &upstream, address);
		else if (address.ptr[0] == '~')
			add_tls(builder, &upstream, address);
		else if (address.ptr[0] == '%')
			add_shares(builder, &upstream);
		else if (address.ptr[0] == '#')
			add_hash(builder, &upstream, address);
		else
			add_endpoint(builder, &upstream, address, slot++);
	}
	builder_add(builder, ENDPOINTS_UPSTREAMS, &upstream);
}

static uint32_t count_endpoints(struct span line)
{
	uint32_t count = 0;

	span_cut(&line, ' ');
	while (line.len > 0) {
		count += span_find(S("@~%#"), span_cut(&line, ' ').ptr[0]) == SIZE_MAX;
	}
	return count;
}

static void add_endpoints_shard(const char *text, const struct table_stamp *stamp, struct buf *out)
{
	struct span rest = span_from(text);
	struct builder builder;
	uint32_t slot = 0;

	builder_init(&builder, TABLE_ENDPOINTS);
	for (uint32_t id = 0; rest.len > 0; id++) {
		struct span line = span_cut(&rest, '\n');

		if (id % stamp->shard_count == stamp->shard)
			add_upstream(&builder, line, slot);
		slot += count_endpoints(line);
	}
	builder_finish(&builder, stamp, out);
	builder_fini(&builder);
}

void given_endpoints_bundle(const char *text, uint32_t shard_count, struct buf *out)
{
	for (uint32_t shard = 0; shard < shard_count; shard++) {
		struct table_stamp stamp = given_stamp(shard, shard_count);

		add_endpoints_shard(text, &stamp, out);
	}
}

void given_endpoints_bytes(const char *text, struct buf *out)
{
	given_endpoints_bundle(text, 1, out);
}

struct given_endpoints *given_endpoints_in_shards(const char *text, uint32_t shard_count)
{
	struct given_endpoints *given = memory_new(sizeof(*given));
	struct buf bytes = {0};
	struct error err = {0};

	given_endpoints_bundle(text, shard_count, &bytes);
	given->pages = given_pages(buf_span(&bytes));
	buf_fini(&bytes);
	shards_init(&given->shards, TABLE_ENDPOINTS);
	if (shards_apply(&given->shards, given->pages.bytes, NULL, &err) == -1)
		fail_msg("%s", err.text);
	given->endpoints = given->shards.at[0]->endpoints;
	return given;
}

struct given_endpoints *given_endpoints(const char *text)
{
	return given_endpoints_in_shards(text, 1);
}

void given_endpoints_end(struct given_endpoints *given)
{
	shards_fini(&given->shards);
	given_pages_end(&given->pages);
	free(given);
}
