/* SPDX-License-Identifier: Apache-2.0 */
#include "io/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct ip_port address(const char *ip, uint16_t port)
{
	struct ip_port at = {.port = port};

	assert_true(ip_parse(span_from(ip), &at.ip));
	return at;
}

/* A listener on a port that the kernel chose. */
static int given_listener(const char *ip, struct ip_port *at)
{
	struct ip_port any = address(ip, 0);
	struct error err;
	int fd = socket_listen(&any, 16, &err);

	if (fd == -1)
		fail_msg("%s", err.text);
	assert_int_equal(socket_local(fd, at), 0);
	return fd;
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 loopback = {.sin6_family = AF_INET6,
					.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool is_there = fd != -1 && bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0;

	close(fd);
	return is_there;
}

static int await(int fd, short events)
{
	struct pollfd look = {.fd = fd, .events = events};

	assert_int_equal(poll(&look, 1, 20000), 1);
	return look.revents;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

static void assert_connects(const char *ip)
{
	struct ip_port at;
	struct ip_port peer;
	struct ip_port local;
	int listener = given_listener(ip, &at);
	bool pending;
	int client = socket_connect(&at, &pending);
	int accepted;

	assert_int_not_equal(client, -1);
	await(client, POLLOUT);
	assert_int_equal(socket_connect_result(client), 0);
	await(listener, POLLIN);
	accepted = socket_accept(listener, &peer);
	assert_int_not_equal(accepted, -1);
	assert_int_equal(socket_local(client, &local), 0);
	assert_true(ip_equals(&peer.ip, &local.ip));
	assert_int_equal(peer.port, local.port);
	assert_int_equal(socket_local(accepted, &local), 0);
	assert_true(ip_equals(&local.ip, &at.ip));
	assert_int_equal(local.port, at.port);
	close(client);
	close(accepted);
	close(listener);
}

static void a_connection_is_made_over_ipv4(void **state)
{
	(void)state;
	assert_connects("127.0.0.1");
}

static void a_connection_is_made_over_ipv6(void **state)
{
	(void)state;
	if (!has_ipv6())
		skip();
	assert_connects("::1");
}

static void sockets_do_not_block_and_are_not_inherited(void **state)
{
	struct ip_port at;
	struct ip_port peer;
	int listener = given_listener("127.0.0.1", &at);
	bool pending;
	int fds[3] = {listener, socket_connect(&at, &pending), -1};

	(void)state;
	await(listener, POLLIN);
	fds[2] = socket_accept(listener, &peer);
	for (unsigned i = 0; i < 3; i++) {
		assert_true((fcntl(fds[i], F_GETFL) & O_NONBLOCK) != 0);
		assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
		assert_int_equal(option(fds[i], IPPROTO_TCP, TCP_NODELAY), 1);
		close(fds[i]);
	}
}

static void a_listener_without_connections_says_so(void **state)
{
	struct ip_port at;
	struct ip_port peer;
	int listener = given_listener("127.0.0.1", &at);

	(void)state;
	assert_int_equal(socket_accept(listener, &peer), -1);
	assert_int_equal(errno, EAGAIN);
	close(listener);
}

static void workers_share_a_port_with_a_queue_each(void **state)
{
	struct ip_port at;
	struct error err;
	int first = given_listener("127.0.0.1", &at);
	int second = socket_listen(&at, 16, &err);

	(void)state;
	assert_int_not_equal(second, -1);
	close(first);
	close(second);
}

static void a_port_that_is_listened_on_is_not_free(void **state)
{
	char text[IP_PORT_TEXT_SIZE];
	struct ip_port at;
	struct error err;
	int listener = given_listener("127.0.0.1", &at);

	(void)state;
	ip_port_write(text, &at);
	assert_int_equal(socket_check_free(&at, &err), -1);
	assert_non_null(strstr(err.text, text));
	assert_non_null(strstr(err.text, "another program has the port (EADDRINUSE)"));
	close(listener);
	assert_int_equal(socket_check_free(&at, &err), 0);
	assert_int_equal(socket_check_free(&at, &err), 0);
}

static void a_port_of_one_address_is_free_on_another(void **state)
{
	struct ip_port at;
	struct ip_port other;
	struct error err;
	int listener = given_listener("127.0.0.1", &at);

	(void)state;
	other = address("127.0.0.2", at.port);
	assert_int_equal(socket_check_free(&other, &err), 0);
	close(listener);
}

static void a_port_with_connections_that_have_ended_is_free(void **state)
{
	struct ip_port at;
	struct ip_port peer;
	struct error err;
	int listener = given_listener("127.0.0.1", &at);
	bool pending;
	int client = socket_connect(&at, &pending);
	int accepted;

	(void)state;
	await(listener, POLLIN);
	accepted = socket_accept(listener, &peer);
	close(accepted); /* the side that closes first keeps the port in TIME_WAIT */
	await(client, POLLIN);
	close(client);
	close(listener);

	assert_int_equal(socket_check_free(&at, &err), 0);
}

static void every_ipv4_address_and_every_ipv6_address_are_two_listeners(void **state)
{
	struct ip_port v4;
	struct ip_port v6;
	struct error err;
	int first = given_listener("0.0.0.0", &v4);
	int second;

	(void)state;
	if (!has_ipv6())
		skip();
	v6 = address("::", v4.port);
	assert_int_equal(socket_check_free(&v6, &err), 0);
	second = socket_listen(&v6, 16, &err);
	assert_int_not_equal(second, -1);
	close(first);
	close(second);
}

static void an_address_that_is_not_ours_is_refused_by_name(void **state)
{
	struct ip_port at = address("192.0.2.1", 8080);
	struct error err;

	(void)state;
	assert_int_equal(socket_listen(&at, 16, &err), -1);
	assert_non_null(strstr(err.text, "cannot listen on 192.0.2.1:8080"));
	assert_non_null(strstr(err.text, "EADDRNOTAVAIL"));
}

static void a_refused_connection_is_told(void **state)
{
	struct ip_port at;
	bool pending = false;
	int client;

	(void)state;
	close(given_listener("127.0.0.1", &at));
	client = socket_connect(&at, &pending);

	if (client == -1) {
		assert_int_equal(errno, ECONNREFUSED);
		return;
	}
	assert_true(pending);
	await(client, POLLOUT);
	assert_int_equal(socket_connect_result(client), ECONNREFUSED);
	close(client);
}

static void a_connection_without_a_way_is_told_and_leaks_nothing(void **state)
{
	struct ip_port at = address("255.255.255.255", 80);
	int next_before = dup(STDERR_FILENO);
	int next_after;
	bool pending;

	(void)state;
	close(next_before);
	assert_int_equal(socket_connect(&at, &pending), -1);
	assert_int_not_equal(errno, 0);
	next_after = dup(STDERR_FILENO);
	assert_int_equal(next_after, next_before);
	close(next_after);
}

static void a_close_may_be_made_a_reset(void **state)
{
	struct ip_port at;
	struct ip_port peer;
	int listener = given_listener("127.0.0.1", &at);
	bool pending;
	int client = socket_connect(&at, &pending);
	char byte;
	int accepted;

	(void)state;
	await(listener, POLLIN);
	accepted = socket_accept(listener, &peer);
	socket_reset_on_close(accepted);
	close(accepted);

	await(client, POLLIN);
	assert_int_equal(read(client, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(client);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_made_over_ipv4),
		cmocka_unit_test(a_connection_is_made_over_ipv6),
		cmocka_unit_test(sockets_do_not_block_and_are_not_inherited),
		cmocka_unit_test(a_listener_without_connections_says_so),
		cmocka_unit_test(workers_share_a_port_with_a_queue_each),
		cmocka_unit_test(a_port_that_is_listened_on_is_not_free),
		cmocka_unit_test(a_port_of_one_address_is_free_on_another),
		cmocka_unit_test(a_port_with_connections_that_have_ended_is_free),
		cmocka_unit_test(every_ipv4_address_and_every_ipv6_address_are_two_listeners),
		cmocka_unit_test(an_address_that_is_not_ours_is_refused_by_name),
		cmocka_unit_test(a_refused_connection_is_told),
		cmocka_unit_test(a_connection_without_a_way_is_told_and_leaks_nothing),
		cmocka_unit_test(a_close_may_be_made_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
