/* SPDX-License-Identifier: Apache-2.0 */
/* What a look-up of a route costs, whatever the size of the table.
 *
 *   usage: lookup write FILE HOSTS    a table with so many hosts, two paths each, as compile builds it
 *          lookup find FILE COUNT     that many look-ups in it; prints nanoseconds for each
 *
 * Writing and finding are apart so that callgrind, which slows a program fiftyfold, sees the finding alone. Hosts are
 * asked for in an order that no cache foresees, the same in each run; one in eight is not in the table.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "program.h"
#include "table/hash.h"
#include "table/routes_builder.h"
#include "table/shards.h"

enum { HOST_MAX = 64, FILE_BYTES_MAX = 1 << 30, SEED = 20260101, STRANGER_IN = 8 };

static struct span host_name(char text[static HOST_MAX], const char *prefix, uint32_t number)
{
	int length = snprintf(text, HOST_MAX, "%s%u.team%u.bench.example", prefix, number,
			      number % 97);

	return span_make(text, (size_t)length);
}

static void add_settings(struct routes_builder *builder)
{
	static const struct table_settings settings = {
		.client_header_timeout_ms = 60000,
		.header_line_bytes = 8192,
		.header_total_bytes = 32768,
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

	builder_add(&builder->segment, ROUTES_SETTINGS, &settings);
	builder_intern(&builder->segment, ROUTES_POLICIES, &policy);
}

static struct route make_route(struct routes_builder *builder, uint32_t number)
{
	struct builder *segment = &builder->segment;
	char name[HOST_MAX];
	struct span service = span_make(name,
					(size_t)snprintf(name, sizeof(name), "web%u", number));
	struct route_object object = {
		.namespace = builder_text(segment, S("bench")),
		.ingress = builder_text(segment, service),
		.service = builder_text(segment, service),
		.service_port = builder_text(segment, S("80")),
	};

	return (struct route){
		.upstream = number,
		.upstream_incarnation = 1,
		.object = builder_intern(segment, ROUTES_OBJECTS, &object),
		.stat_row = 1,
		.answer = ROUTE_PROXY,
		.path_type = ROUTE_PREFIX,
	};
}

/* About as many hosts in a shard as control puts into one. */
static uint32_t shard_count(uint32_t hosts)
{
	enum { HOSTS_PER_SHARD = 4 };
	uint32_t count = 1;

	while (count < TABLE_SHARDS_MAX && count * HOSTS_PER_SHARD < hosts)
		count *= 2;
	return count;
}

static void add_host(struct routes_builder *builder, struct span name, uint32_t number)
{
	struct route route = make_route(builder, number);
	struct routes_entry entries[] = {{S("/"), route}, {S("/api/v1"), route}};

	routes_builder_add_host(builder, name, HOST_EXACT, entries, 2);
}

/* The hosts of one shard. */
static void write_shard(const struct table_stamp *stamp, uint32_t hosts, struct buf *bundle)
{
	struct routes_builder builder;
	char text[HOST_MAX];

	routes_builder_init(&builder);
	add_settings(&builder);
	for (uint32_t i = 0; i < hosts; i++) {
		struct span name = host_name(text, "web", i);

		if (table_hash_shard(table_hash(name, 0), stamp->shard_count) == stamp->shard)
			add_host(&builder, name, i);
	}
	if (stamp->shard == 0)
		routes_builder_add_host(&builder, S(""), HOST_EXACT, NULL, 0);
	routes_builder_finish(&builder, stamp, bundle);
	routes_builder_fini(&builder);
}

static void write_table(const char *path, uint32_t hosts)
{
	struct table_stamp stamp = {.generation = 1, .built_wall_ns = 1, .set = 1};
	struct buf bundle = {0};
	struct error err;

	stamp.shard_count = shard_count(hosts);
	for (; stamp.shard < stamp.shard_count; stamp.shard++)
		write_shard(&stamp, hosts, &bundle);
	if (file_replace(path, buf_span(&bundle), 0644, &err) == -1)
		program_fail("%s", err.text);
	printf("{\"hosts\": %u, \"bytes\": %zu}\n", hosts, bundle.len);
	buf_fini(&bundle);
}

/* But for the host for everything else. */
static uint32_t count_hosts(const struct shards *routes)
{
	uint32_t hosts = 0;

	for (uint32_t i = 0; i < routes->count; i++)
		hosts += routes->at[i]->routes.host_count;
	return hosts - 1;
}

/* What is asked for, made beforehand: the clock sees nothing but look-ups. */
static char (*make_questions(const struct shards *routes, uint64_t count))[HOST_MAX]
{
	char(*names)[HOST_MAX] = memory_new_array(count, HOST_MAX);
	uint32_t hosts = count_hosts(routes);
	struct random random;

	random_seed(&random, SEED);
	for (uint64_t i = 0; i < count; i++) {
		uint32_t number = random_below(&random, hosts);

		host_name(names[i], number % STRANGER_IN == STRANGER_IN - 1 ? "nobody" : "web",
			  number);
	}
	return names;
}

static void find(const struct shards *routes, uint64_t count)
{
	char(*names)[HOST_MAX] = make_questions(routes, count);
	uint64_t began_ns = clock_monotonic_ns();
	uint64_t found = 0;
	uint64_t spent_ns;

	for (uint64_t i = 0; i < count; i++)
		found += routes_find(routes, span_from(names[i]), S("/api/v1/users/17")).route !=
			 NULL;
	spent_ns = clock_monotonic_ns() - began_ns;
	printf("{\"lookups\": %llu, \"found\": %llu, \"ns\": %.1f}\n", (unsigned long long)count,
	       (unsigned long long)found, (double)spent_ns / (double)count);
	free(names);
}

static void find_in_file(const char *path, uint64_t count)
{
	struct buf bundle = {0};
	struct shards routes;
	struct error err;

	shards_init(&routes, TABLE_ROUTES);
	if (file_read(path, FILE_BYTES_MAX, &bundle, &err) == -1 ||
	    shards_apply(&routes, buf_span(&bundle), NULL, &err) == -1)
		program_fail("%s", err.text);
	find(&routes, count);
	shards_fini(&routes);
	buf_fini(&bundle);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		program_fail("usage: lookup write FILE HOSTS | lookup find FILE COUNT");
	if (strcmp(argv[1], "write") == 0)
		write_table(argv[2], (uint32_t)program_number(argv[3], 1, 1000000));
	else
		find_in_file(argv[2], program_number(argv[3], 1, 10000000));
	return 0;
}
