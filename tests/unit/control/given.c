/* SPDX-License-Identifier: Apache-2.0 */
#include "given.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"
#include "table/builder.h"
#include "table/routes_builder.h"

enum { RULES_MAX = 16, PATIENCE_MS = 5000, LOOK_EVERY_MS = 1 };

static struct route route_of(struct builder *segment, const struct given_rule *rule)
{
	struct route_object object = {
		.namespace = builder_text(segment, S("shop")),
		.ingress = builder_text(segment, span_from(rule->ingress)),
		.service = builder_text(segment, span_from(rule->service)),
		.service_port = builder_text(segment, S("80")),
	};

	return (struct route){
		.upstream_incarnation = 1,
		.object = builder_intern(segment, ROUTES_OBJECTS, &object),
		.stat_row = rule->row,
		.answer = ROUTE_PROXY,
		.path_type = ROUTE_PREFIX,
	};
}

static bool is_host_known(const struct given_rule *rules, size_t before, const char *host)
{
	for (size_t i = 0; i < before; i++)
		if (strcmp(rules[i].host, host) == 0)
			return true;
	return false;
}

static void add_host(struct routes_builder *builder, const struct given_rule *rules, size_t count,
		     const char *host)
{
	struct routes_entry entries[RULES_MAX];
	uint32_t entry_count = 0;

	for (size_t i = 0; i < count; i++)
		if (strcmp(rules[i].host, host) == 0)
			entries[entry_count++] = (struct routes_entry){
				.path = span_from(rules[i].path),
				.route = route_of(&builder->segment, &rules[i]),
			};
	routes_builder_add_host(builder, span_from(host), HOST_EXACT, entries, entry_count);
}

/* The only shard of set 1. */
static struct table_stamp stamp_of(uint64_t generation)
{
	return (struct table_stamp){.generation = generation,
				    .built_wall_ns = generation * 1000,
				    .set = 1,
				    .shard_count = 1};
}

void given_routes(struct buf *out, uint64_t generation, const struct given_rule *rules,
		  size_t count)
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
	static const struct route_policy policy = {.connect_timeout_ms = 5000,
						   .response_head_bytes = 65536};
	struct routes_builder builder;
	struct table_stamp stamp;

	assert_in_range(count, 0, RULES_MAX);
	routes_builder_init(&builder);
	builder_add(&builder.segment, ROUTES_SETTINGS, &settings);
	builder_intern(&builder.segment, ROUTES_POLICIES, &policy);
	for (size_t i = 0; i < count; i++)
		if (!is_host_known(rules, i, rules[i].host))
			add_host(&builder, rules, count, rules[i].host);
	if (!is_host_known(rules, count, ""))
		routes_builder_add_host(&builder, S(""), HOST_EXACT, NULL, 0);
	stamp = stamp_of(generation);
	routes_builder_finish(&builder, &stamp, out);
	routes_builder_fini(&builder);
}

void given_endpoints(struct buf *out, uint64_t generation, uint32_t endpoints)
{
	struct table_stamp stamp = stamp_of(generation);
	struct builder builder;
	struct upstream_record upstream = {.first_share = TABLE_NONE,
					   .incarnation = 1,
					   .endpoint_count = endpoints,
					   .tls = TABLE_NONE};

	builder_init(&builder, TABLE_ENDPOINTS);
	upstream.name = builder_text(&builder, S("shop-web-80"));
	builder_add(&builder, ENDPOINTS_UPSTREAMS, &upstream);
	for (uint32_t i = 0; i < endpoints; i++) {
		struct endpoint_record record = {
			.port = 8080, .weight = 1, .slot = i, .incarnation = 1};

		assert_true(ip_parse(S("192.0.2.1"), &record.ip));
		record.ip.bytes[15] = (uint8_t)(i + 1);
		builder_add(&builder, ENDPOINTS_ENDPOINTS, &record);
	}
	builder_finish(&builder, &stamp, out);
	builder_fini(&builder);
}

static void given_certificates(struct buf *out, uint64_t generation, uint32_t certificates)
{
	struct table_stamp stamp = stamp_of(generation);
	struct builder builder;

	builder_init(&builder, TABLE_CERTIFICATES);
	for (uint32_t i = 0; i < certificates; i++) {
		struct certificate_record record = {
			.id = {{i + 1, 0}},
			.chain = builder_text(&builder, S("chain")),
			.key = builder_text(&builder, S("key")),
		};

		builder_add(&builder, CERTIFICATES_RECORDS, &record);
	}
	builder_finish(&builder, &stamp, out);
	builder_fini(&builder);
}

void given_segment(struct buf *out, enum table_kind kind, uint64_t generation, uint32_t what)
{
	char host[32];
	struct given_rule rule = {host, "/", "web", "web", 1};

	snprintf(host, sizeof(host), "h%u.example", what);
	switch (kind) {
	case TABLE_ROUTES:
		given_routes(out, generation, &rule, 1);
		break;
	case TABLE_ENDPOINTS:
		given_endpoints(out, generation, what);
		break;
	case TABLE_CERTIFICATES:
		given_certificates(out, generation, what);
		break;
	case TABLE_KIND_COUNT:
		fail();
	}
}

struct look {
	struct timer timer;
	struct loop *loop;
	bool (*is_true)(void *what);
	void *what;
	unsigned left;
};

static void on_look(struct timer *timer)
{
	struct look *look = container_of(timer, struct look, timer);

	if (look->is_true(look->what) || look->left == 0) {
		loop_stop(look->loop);
		return;
	}
	look->left--;
	timer_start(loop_timers(look->loop), timer, LOOK_EVERY_MS);
}

void run_until(struct loop *loop, bool (*is_true)(void *what), void *what)
{
	struct look look = {.loop = loop,
			    .is_true = is_true,
			    .what = what,
			    .left = PATIENCE_MS / TIMER_TICK_MS};

	timer_init(&look.timer, on_look);
	timer_start(loop_timers(loop), &look.timer, 0);
	loop_run(loop);
	timer_stop(loop_timers(loop), &look.timer);
	assert_true(is_true(what));
}

static bool is_second_time(void *what)
{
	unsigned *times = what;

	return ++*times >= 3;
}

void run_once(struct loop *loop)
{
	unsigned times = 0;

	run_until(loop, is_second_time, &times);
}

struct fake_worker given_worker(struct publisher *publisher, uint32_t index)
{
	struct error err;
	int fds[2];

	assert_int_equal(channel_pair(fds, &err), 0);
	publisher_set_peer(publisher, index, fds[0], 1000 + (pid_t)index);
	return (struct fake_worker){.fd = fds[1]};
}

void fake_worker_end(struct fake_worker *worker)
{
	close(worker->fd);
}

struct received fake_worker_receive(struct fake_worker *worker)
{
	struct received received = {.fd = -1};
	struct iovec part = {&received.message, sizeof(received.message)};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ancillary;
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &ancillary,
				.msg_controllen = sizeof(ancillary)};
	struct cmsghdr *with;

	if (recvmsg(worker->fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0)
		return received;
	received.has_message = true;
	with = CMSG_FIRSTHDR(&header);
	if (with != NULL && with->cmsg_type == SCM_RIGHTS)
		memcpy(&received.fd, CMSG_DATA(with), sizeof(received.fd));
	return received;
}

void fake_worker_drain(struct fake_worker *worker)
{
	for (;;) {
		struct received received = fake_worker_receive(worker);

		if (!received.has_message)
			return;
		if (received.fd != -1)
			close(received.fd);
	}
}

void fake_worker_ack(struct fake_worker *worker, enum table_kind kind, uint64_t generation,
		     enum ack_code code)
{
	struct message ack = {
		.kind = MESSAGE_ACK, .table = kind, .generation = generation, .code = code};

	assert_int_equal(send(worker->fd, &ack, sizeof(ack), MSG_NOSIGNAL), sizeof(ack));
}

bool fake_worker_is_expelled(struct fake_worker *worker)
{
	char byte;

	fake_worker_drain(worker);
	return recv(worker->fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

static void each_name(const char *path, void (*use)(const char *path, const char *name))
{
	DIR *directory = opendir(path);

	assert_non_null(directory);
	for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			use(path, entry->d_name);
	closedir(directory);
}

static unsigned counted;

static void count_name(const char *path, const char *name)
{
	(void)path;
	(void)name;
	counted++;
}

unsigned count_descriptors(void)
{
	counted = 0;
	each_name("/proc/self/fd", count_name);
	return counted;
}

static void remove_name(const char *path, const char *name)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", path, name);
	remove(full);
}

void given_directory(struct given_directory *directory)
{
	snprintf(directory->path, sizeof(directory->path), "/tmp/ingot-test-XXXXXX");
	assert_non_null(mkdtemp(directory->path));
}

void given_directory_end(struct given_directory *directory)
{
	if (access(directory->path, F_OK) == -1)
		return;
	each_name(directory->path, remove_name);
	rmdir(directory->path);
}
