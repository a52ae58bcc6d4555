/* SPDX-License-Identifier: Apache-2.0 */
#include "run/listeners.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/socket.h"

/* An address of loopback whose port nobody has. */
static struct ip_port given_free(const char *ip)
{
	struct ip_port at = {.port = 0};
	struct error err;
	int fd;

	assert_true(ip_parse(span_from(ip), &at.ip));
	fd = socket_listen(&at, 1, &err);
	assert_int_not_equal(fd, -1);
	assert_int_equal(socket_local(fd, &at), 0);
	close(fd);
	return at;
}

static int count_open(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	return count;
}

static void every_worker_listens_on_every_address_by_itself(void **state)
{
	struct ip_port at[2] = {given_free("127.0.0.1"), given_free("127.0.0.2")};
	struct listeners listeners;
	struct error err;
	int before = count_open();

	(void)state;
	assert_int_equal(listeners_open(&listeners, at, 2, 3, &err), 0);

	assert_int_equal(count_open(), before + 6);
	for (uint32_t worker = 0; worker < 3; worker++) {
		for (uint32_t i = 0; i < 2; i++) {
			int fd = listeners_of(&listeners, worker)[i];
			int listening = 0;
			socklen_t size = sizeof(listening);
			struct ip_port local;

			getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
			assert_int_equal(listening, 1);
			assert_int_equal(socket_local(fd, &local), 0);
			assert_true(ip_equals(&local.ip, &at[i].ip));
			assert_int_equal(local.port, at[i].port);
			assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		}
	}
	listeners_close(&listeners);
	assert_int_equal(count_open(), before);
}

static void a_busy_port_is_named_and_nothing_stays_open(void **state)
{
	struct ip_port at[2] = {given_free("127.0.0.1"), given_free("127.0.0.2")};
	struct listeners listeners;
	struct error err;
	int other = socket_listen(&at[1], 1, &err);
	int before = count_open();
	char text[IP_PORT_TEXT_SIZE];

	(void)state;
	assert_int_equal(listeners_open(&listeners, at, 2, 2, &err), -1);
	listeners_close(&listeners);

	ip_port_write(text, &at[1]);
	assert_non_null(strstr(err.text, text));
	assert_non_null(strstr(err.text, "another program has the port"));
	assert_int_equal(count_open(), before);
	close(other);
}

static void an_address_that_is_not_ours_leaves_nothing_open(void **state)
{
	struct ip_port at[2] = {given_free("127.0.0.1"), given_free("127.0.0.1")};
	struct listeners listeners;
	struct error err;
	int before = count_open();

	(void)state;
	assert_true(ip_parse(S("192.0.2.1"), &at[1].ip));
	assert_int_equal(listeners_open(&listeners, at, 2, 2, &err), -1);
	listeners_close(&listeners);

	assert_non_null(strstr(err.text, "cannot listen on 192.0.2.1"));
	assert_int_equal(count_open(), before);
}

static void the_queue_is_as_long_as_the_kernel_lets_it(void **state)
{
	FILE *file = fopen("/proc/sys/net/core/somaxconn", "r");
	unsigned most = 0;

	(void)state;
	assert_int_equal(fscanf(file, "%u", &most), 1);
	fclose(file);

	assert_int_equal(listeners_queue_length(), most < 4096 ? most : 4096);
}

static void everywhere_is_both_families(void **state)
{
	struct ip_port at[2];
	char text[IP_PORT_TEXT_SIZE];
	uint32_t count = listeners_everywhere(at, 80);

	(void)state;
	assert_in_range(count, 1, 2);
	ip_port_write(text, &at[0]);
	assert_string_equal(text, "0.0.0.0:80");
	ip_port_write(text, &at[1]);
	assert_string_equal(text, "[::]:80");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_worker_listens_on_every_address_by_itself),
		cmocka_unit_test(a_busy_port_is_named_and_nothing_stays_open),
		cmocka_unit_test(an_address_that_is_not_ours_leaves_nothing_open),
		cmocka_unit_test(the_queue_is_as_long_as_the_kernel_lets_it),
		cmocka_unit_test(everywhere_is_both_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
