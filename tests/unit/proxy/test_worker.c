/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/worker.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "given.h"
#include "io/socket.h"
#include "ipc/message.h"
#include "table/seal.h"

enum { PATIENCE_S = 20 };

/* A worker in a process of its own; the test is its parent, its control, its client and its only pod. */
static pid_t worker;
static int run_end;
static int control_end;
static int stats_fd;
static struct stats_map figures;
static int pod;
static struct ip_port pod_at;
static struct ip_port worker_at;
static uint64_t generation;

static void be_patient(int socket)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};

	assert_int_equal(fcntl(socket, F_SETFL, 0), 0);
	assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
			 0);
}

static int given_listener(struct ip_port *at)
{
	struct ip_port any = {0};
	struct error err;
	int fd;

	assert_true(ip_parse(S("127.0.0.1"), &any.ip));
	fd = socket_listen(&any, 16, &err);
	assert_int_not_equal(fd, -1);
	assert_int_equal(socket_local(fd, at), 0);
	return fd;
}

/*
 * What a parent and control say
 */

static void send_message(int socket, const struct message *message, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ancillary = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof(*message)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd != -1) {
		ancillary.header.cmsg_level = SOL_SOCKET;
		ancillary.header.cmsg_type = SCM_RIGHTS;
		ancillary.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&ancillary.header), &fd, sizeof(fd));
		header.msg_control = &ancillary;
		header.msg_controllen = sizeof(ancillary.bytes);
	}
	assert_int_equal(sendmsg(socket, &header, 0), sizeof(*message));
}

static struct message receive(int socket)
{
	struct message message;

	assert_int_equal(recv(socket, &message, sizeof(message), 0), sizeof(message));
	return message;
}

static void hand_out(enum table_kind kind, int fd, uint64_t following)
{
	send_message(control_end,
		     &(struct message){.kind = MESSAGE_SEGMENT,
				       .table = kind,
				       .generation = ++generation,
				       .number = following},
		     fd);
}

static void hand_out_bytes(enum table_kind kind, const struct buf *bytes, uint64_t following)
{
	struct error err;
	int fd = seal_new("ingot-test-table", buf_span(bytes), &err);

	assert_int_not_equal(fd, -1);
	hand_out(kind, fd, following);
	close(fd);
}

static void assert_acknowledged(enum table_kind kind, enum ack_code code)
{
	struct message ack = receive(control_end);

	assert_int_equal(ack.kind, MESSAGE_ACK);
	assert_int_equal(ack.table, kind);
	assert_int_equal(ack.code, code);
	assert_true((ack.text[0] != '\0') == (code == ACK_REFUSED));
}

/*
 * Tables: a host leads to the pod
 */

static void make_routes(struct span host, struct buf *out)
{
	struct table_stamp stamp = given_stamp(0, 1);
	struct routes_builder builder;
	struct table_settings *settings;
	struct route_policy *policy;
	struct routes_entry entry = {.path = S("/")};

	given_builder(&builder);
	settings = builder_at(&builder.segment, ROUTES_SETTINGS, 0);
	settings->tenant_destinations_free = 1;
	policy = builder_at(&builder.segment, ROUTES_POLICIES, 0);
	policy->read_timeout_ms = PATIENCE_S * 1000;
	policy->send_timeout_ms = PATIENCE_S * 1000;
	entry.route = given_route(&builder, S("cart"), ROUTE_PREFIX);
	routes_builder_add_host(&builder, S(""), HOST_EXACT, NULL, 0);
	routes_builder_add_host(&builder, host, HOST_EXACT, &entry, 1);
	routes_builder_finish(&builder, &stamp, out);
	routes_builder_fini(&builder);
}

static void make_endpoints(struct buf *out)
{
	char text[64];

	snprintf(text, sizeof(text), "shop-cart-80 127.0.0.1:%u", pod_at.port);
	given_endpoints_bytes(text, out);
}

static void hand_out_routes(struct span host)
{
	struct buf bytes = {0};

	make_routes(host, &bytes);
	hand_out_bytes(TABLE_ROUTES, &bytes, 0);
	buf_fini(&bytes);
}

/*
 * A request
 */

static void be_the_pod(void)
{
	static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
				       "Connection: close\r\n\r\n";
	struct ip_port from;
	char request[2048];
	int fd = socket_accept(pod, &from);

	assert_int_not_equal(fd, -1);
	be_patient(fd);
	assert_true(recv(fd, request, sizeof(request), 0) > 0);
	assert_int_equal(write(fd, response, strlen(response)), strlen(response));
	close(fd);
}

/* The status of a request for that host; the pod answers those that reach it. */
static unsigned ask(const char *host, unsigned expected)
{
	char text[512];
	char *end;
	bool pending;
	int fd = socket_connect(&worker_at, &pending);
	ssize_t got;

	assert_int_not_equal(fd, -1);
	be_patient(fd);
	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
		 host);
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	if (expected == 200)
		be_the_pod();
	got = recv(fd, text, sizeof(text) - 1, 0);
	close(fd);
	assert_true(got > 12);
	text[got] = '\0';
	return (unsigned)strtoul(text + strlen("HTTP/1.1 "), &end, 10);
}

static void assert_answers(const char *host, unsigned status)
{
	assert_int_equal(ask(host, status), status);
}

/*
 * The worker
 */

static pid_t start_worker(int listener, int channel)
{
	pid_t pid = fork();
	struct worker_options options = {
		.channel_fd = channel,
		.stats_fd = stats_fd,
		.access_log_fd = -1,
		.connections_max = 16,
		.listener_count = 1,
		.listeners = {{.fd = listener, .kind = LISTENER_PLAIN}},
		.resolver = "127.0.0.1:9",
	};

	if (pid == 0) {
		close(run_end);
		close(control_end);
		close(pod);
		_exit(worker_run(&options));
	}
	assert_int_not_equal(pid, -1);
	return pid;
}

static void give_control(int fd)
{
	send_message(run_end, &(struct message){.kind = MESSAGE_PEER}, fd);
	close(fd);
}

static int begin(void **state)
{
	int run[2];
	int control[2];
	struct error err;
	struct buf bytes = {0};
	int listener;

	(void)state;
	generation = 0;
	pod = given_listener(&pod_at);
	be_patient(pod);
	listener = given_listener(&worker_at);
	stats_fd = stats_new(1, &err);
	assert_int_equal(stats_map(&figures, stats_fd, STATS_READ, &err), 0);
	assert_int_equal(channel_pair(run, &err), 0);
	assert_int_equal(channel_pair(control, &err), 0);
	run_end = run[0];
	control_end = control[0];
	worker = start_worker(listener, run[1]);
	close(listener);
	close(run[1]);
	be_patient(run_end);
	be_patient(control_end);
	give_control(control[1]);
	make_endpoints(&bytes);
	hand_out_bytes(TABLE_ENDPOINTS, &bytes, 1);
	buf_fini(&bytes);
	hand_out_routes(S("shop.example"));
	assert_acknowledged(TABLE_ROUTES, ACK_APPLIED);
	assert_acknowledged(TABLE_ENDPOINTS, ACK_APPLIED);
	assert_int_equal(receive(run_end).kind, MESSAGE_READY);
	return 0;
}

static int end(void **state)
{
	int status;

	(void)state;
	send_message(run_end, &(struct message){.kind = MESSAGE_STOP, .number = 1000}, -1);
	assert_int_equal(waitpid(worker, &status, 0), worker);
	assert_int_equal(status, 0);
	stats_unmap(&figures);
	close(stats_fd);
	close(run_end);
	close(control_end);
	close(pod);
	return 0;
}

static uint64_t refused_count(void)
{
	return stats_worker(&figures, 0)->counters.segments_refused;
}

static void a_worker_serves_what_it_was_handed(void **state)
{
	(void)state;
	assert_answers("shop.example", 200);
	assert_answers("other.example", 404);
}

static void damaged_routes_are_refused_and_the_old_ones_serve(void **state)
{
	struct buf bytes = {0};
	uint64_t tried = 0;

	(void)state;
	make_routes(S("other.example"), &bytes);
	for (size_t at = 0; at < bytes.len; at += bytes.len / 7) {
		bytes.ptr[at] ^= 0x40;
		hand_out_bytes(TABLE_ROUTES, &bytes, 0);
		assert_acknowledged(TABLE_ROUTES, ACK_REFUSED);
		bytes.ptr[at] ^= 0x40;
		tried++;
	}
	assert_int_equal(refused_count(), tried);
	assert_answers("shop.example", 200);
	assert_answers("other.example", 404);

	hand_out_bytes(TABLE_ROUTES, &bytes, 0);
	assert_acknowledged(TABLE_ROUTES, ACK_APPLIED);
	assert_answers("other.example", 200);
	buf_fini(&bytes);
}

static void damaged_endpoints_are_refused_and_the_old_ones_serve(void **state)
{
	struct buf bytes = {0};

	(void)state;
	make_endpoints(&bytes);
	bytes.len -= 8;
	hand_out_bytes(TABLE_ENDPOINTS, &bytes, 0);

	assert_acknowledged(TABLE_ENDPOINTS, ACK_REFUSED);
	assert_answers("shop.example", 200);
	buf_fini(&bytes);
}

static void a_table_that_somebody_could_still_write_is_refused(void **state)
{
	int fd = memfd_create("ingot-test-table", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct buf bytes = {0};

	(void)state;
	make_routes(S("other.example"), &bytes);
	assert_int_equal(write(fd, bytes.ptr, bytes.len), bytes.len);
	hand_out(TABLE_ROUTES, fd, 0);

	assert_acknowledged(TABLE_ROUTES, ACK_REFUSED);
	assert_answers("shop.example", 200);
	close(fd);
	buf_fini(&bytes);
}

static void what_is_no_table_is_refused(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	hand_out(TABLE_ROUTES, fd, 0);

	assert_acknowledged(TABLE_ROUTES, ACK_REFUSED);
	assert_answers("shop.example", 200);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_worker_serves_what_it_was_handed),
		TEST(damaged_routes_are_refused_and_the_old_ones_serve),
		TEST(damaged_endpoints_are_refused_and_the_old_ones_serve),
		TEST(a_table_that_somebody_could_still_write_is_refused),
		TEST(what_is_no_table_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
