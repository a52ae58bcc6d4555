/* SPDX-License-Identifier: Apache-2.0 */
#include "io/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "given_tls.h"
#include "io/socket.h"

/* A transport in the loop; the other end of its stream is the test's. */
static struct given_loop given;
static struct transport transport;
static int peer;

static void on_ready(struct loop_source *source, uint32_t events)
{
	transport_note(container_of(source, struct transport, source), events);
}

static void given_streams(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	assert_int_equal(transport_open(&transport, given.loop, ends[0], on_ready), 0);
	peer = ends[1];
	run_turns(&given, 1);
}

/* The same over TCP, where a peer can reset. */
static void given_tcp(void)
{
	struct ip_port at = {0};
	struct ip_port from;
	struct error err;
	bool pending;
	int listener;
	int fd;

	assert_true(ip_parse(S("127.0.0.1"), &at.ip));
	listener = socket_listen(&at, 1, &err);
	assert_int_equal(socket_local(listener, &at), 0);
	fd = socket_connect(&at, &pending);
	assert_int_equal(transport_open(&transport, given.loop, fd, on_ready), 0);
	fcntl(listener, F_SETFL, 0);
	peer = socket_accept(listener, &from);
	assert_int_not_equal(peer, -1);
	close(listener);
}

static bool can_read(void *owner)
{
	return ((struct transport *)owner)->can_read;
}

static bool can_write(void *owner)
{
	return ((struct transport *)owner)->can_write;
}

static ssize_t send_text(const char *text)
{
	struct iovec piece = {(char *)text, strlen(text)};

	return transport_write(&transport, &piece, 1);
}

static void say(const char *text)
{
	assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

static void close_peer(void)
{
	close(peer);
	peer = -1;
}

static int begin(void **state)
{
	(void)state;
	given_loop_init(&given);
	return 0;
}

static int end(void **state)
{
	(void)state;
	transport_close(&transport, given.loop);
	assert_false(transport_is_open(&transport));
	if (peer != -1)
		close(peer);
	given_loop_fini(&given);
	return 0;
}

static void what_was_sent_is_read(void **state)
{
	char bytes[100];

	(void)state;
	given_streams();
	say("hello");
	run_turns(&given, 1);

	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "hello", 5);
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), TRANSPORT_AGAIN);
}

/* A read that took less than it asked for has emptied the queue: the next edge will tell. */
static void the_kernel_is_not_asked_for_what_it_does_not_have(void **state)
{
	char bytes[100];

	(void)state;
	given_streams();
	say("hello");
	run_turns(&given, 1);
	assert_int_equal(transport_read(&transport, bytes, 2), 2);
	assert_true(transport.can_read);
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), 3);
	assert_false(transport.can_read);

	say("more");
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), TRANSPORT_AGAIN);
	run_turns(&given, 1);
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), 4);
}

static void bytes_before_the_end_are_read_and_then_the_end(void **state)
{
	char bytes[100];

	(void)state;
	given_streams();
	say("bye");
	shutdown(peer, SHUT_WR);
	run_turns(&given, 1);

	assert_true(transport.peer_done);
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), 3);
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), 0);
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), 0);
}

/* The end arrives between the edge of the bytes and their read. */
static void an_end_behind_bytes_whose_edge_was_noted_is_not_lost(void **state)
{
	char bytes[100];

	(void)state;
	given_streams();
	say("bye");
	run_turns(&given, 1);
	shutdown(peer, SHUT_WR);
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), 3);
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), TRANSPORT_AGAIN);

	run_turns(&given, 1);
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), 0);
}

static void pieces_are_written_in_order_in_one_call(void **state)
{
	struct iovec pieces[3] = {{"a", 1}, {"bc", 2}, {"def", 3}};
	char bytes[100];

	(void)state;
	given_streams();

	assert_int_equal(transport_write(&transport, pieces, 3), 6);
	assert_int_equal(read(peer, bytes, sizeof(bytes)), 6);
	assert_memory_equal(bytes, "abcdef", 6);
}

static void a_full_stream_says_again_until_an_edge(void **state)
{
	static char block[65536];
	struct iovec piece = {block, sizeof(block)};
	size_t sent = 0;
	size_t got = 0;
	ssize_t put;

	(void)state;
	given_streams();
	while ((put = transport_write(&transport, &piece, 1)) > 0)
		sent += (size_t)put;
	assert_int_equal(put, TRANSPORT_AGAIN);
	assert_false(transport.can_write);
	assert_true(sent > 0);

	while (got < sent) {
		ssize_t n = read(peer, block, sizeof(block));

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_int_equal(send_text("x"), TRANSPORT_AGAIN);
	run_until(&given, can_write, &transport);
	assert_int_equal(send_text("x"), 1);
}

static void writing_to_a_peer_that_has_gone_is_broken_and_no_signal(void **state)
{
	(void)state;
	given_streams();
	close_peer();

	assert_int_equal(send_text("x"), TRANSPORT_BROKEN);
	assert_int_equal(errno, EPIPE);
}

static void our_end_leaves_the_other_way_open(void **state)
{
	char bytes[100];

	(void)state;
	given_streams();
	transport_finish(&transport);
	assert_int_equal(read(peer, bytes, sizeof(bytes)), 0);

	say("late");
	run_until(&given, can_read, &transport);
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), 4);
}

static void a_reset_is_broken_with_its_reason(void **state)
{
	char bytes[100];

	(void)state;
	given_tcp();
	socket_reset_on_close(peer);
	close_peer();
	run_until(&given, can_read, &transport);

	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), TRANSPORT_BROKEN);
	assert_int_equal(errno, ECONNRESET);
}

static void news_are_bytes_an_end_or_a_reset(void **state)
{
	char bytes[100];

	(void)state;
	given_tcp();
	assert_false(transport_has_news(&transport));
	say("x");
	run_until(&given, can_read, &transport);
	assert_true(transport_has_news(&transport));
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), 1);
	assert_false(transport_has_news(&transport));

	shutdown(peer, SHUT_WR);
	run_until(&given, can_read, &transport);
	assert_true(transport_has_news(&transport));
}

static void a_connection_under_way_tells_by_writability_that_it_is_made(void **state)
{
	(void)state;
	given_tcp();
	run_until(&given, can_write, &transport);

	assert_int_equal(socket_connect_result(transport.source.fd), 0);
	assert_int_equal(send_text("hello"), 5);
}

static void what_cannot_be_watched_stays_the_callers(void **state)
{
	struct transport other;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	given_streams();
	assert_int_equal(transport_open(&other, given.loop, file, on_ready), -1);
	assert_false(transport_is_open(&other));
	assert_int_equal(close(file), 0);
}

static void a_plain_stream_can_be_spliced_and_has_no_tls_to_tell_of(void **state)
{
	struct transport_tls facts;

	(void)state;
	given_streams();

	assert_true(transport_can_splice(&transport));
	assert_false(transport_is_cut(&transport));
	assert_null(transport_failure(&transport));
	assert_false(transport_tls(&transport, &facts));
}

static void a_transport_that_is_reset_is_seen_as_broken(void **state)
{
	char byte;

	(void)state;
	given_tcp();
	transport_reset(&transport, given.loop);

	assert_false(transport_is_open(&transport));
	assert_int_equal(read(peer, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	transport_reset(&transport, given.loop); /* harmless */
}

/* As behind a PROXY header, which was read to its last byte and no further. */
static void tls_may_begin_behind_plain_bytes(void **state)
{
	struct given_tls tls;
	struct given_raw raw;
	struct transport *server = &tls.server.transport;
	char bytes[6];
	int ends[2];

	(void)state;
	given_streams();
	given_tls_init(&tls);
	tls.chosen = given_shop_context();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	assert_int_equal(transport_open(server, tls.loop.loop, ends[0], on_ready), 0);
	tls.client_fd = ends[1];
	assert_int_equal(write(tls.client_fd, "PROXY ", 6), 6);
	given_raw_init(&raw, &tls, NULL);
	assert_int_equal(SSL_do_handshake(raw.ssl), -1);
	run_turns(&tls.loop, 1);
	assert_int_equal(transport_read(server, bytes, 6), 6);

	assert_int_equal(transport_start_server_tls(server, tls.loop.loop, tls.tls_server), 0);
	assert_false(server->can_read);
	transport_note(server, 0);
	assert_true(given_raw_shake(&raw, &tls));
	assert_false(transport_can_splice(server));
	given_raw_fini(&raw);
	tls_context_drop(tls.chosen);
	given_tls_fini(&tls);
}

static void what_is_looked_at_stays_until_it_is_taken(void **state)
{
	char bytes[16];

	given_tcp();
	assert_int_equal(send(peer, "header", 6, 0), 6);
	run_turns(&given, 2);

	assert_int_equal(transport_peek(&transport, bytes, 3), 3);
	assert_int_equal(transport_peek(&transport, bytes, sizeof(bytes)), 6);
	assert_true(transport_skip(&transport, 4));

	assert_true(transport.can_read);
	assert_int_equal(transport_read(&transport, bytes, sizeof(bytes)), 2);
	assert_memory_equal(bytes, "er", 2);
	(void)state;
}

static void bytes_that_were_looked_at_do_not_hide_those_that_follow(void **state)
{
	char bytes[16];

	given_tcp();
	for (ssize_t count = 1; count <= 3; count++) {
		assert_int_equal(send(peer, "x", 1, 0), 1);
		transport.can_read = false;
		run_turns(&given, 2);
		/* an edge came, although those before it were not read */
		assert_true(transport.can_read);
		assert_int_equal(transport_peek(&transport, bytes, sizeof(bytes)), count);
	}
	(void)state;
}

static void a_look_sees_the_end_and_nothing(void **state)
{
	char byte;

	given_tcp();
	assert_int_equal(transport_peek(&transport, &byte, 1), TRANSPORT_AGAIN);
	assert_false(transport.can_read);
	shutdown(peer, SHUT_WR);
	run_turns(&given, 2);
	assert_int_equal(transport_peek(&transport, &byte, 1), 0);
	assert_true(transport.peer_done);
	(void)state;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(what_was_sent_is_read),
		TEST(the_kernel_is_not_asked_for_what_it_does_not_have),
		TEST(bytes_before_the_end_are_read_and_then_the_end),
		TEST(an_end_behind_bytes_whose_edge_was_noted_is_not_lost),
		TEST(pieces_are_written_in_order_in_one_call),
		TEST(a_full_stream_says_again_until_an_edge),
		TEST(writing_to_a_peer_that_has_gone_is_broken_and_no_signal),
		TEST(our_end_leaves_the_other_way_open),
		TEST(a_reset_is_broken_with_its_reason),
		TEST(news_are_bytes_an_end_or_a_reset),
		TEST(a_connection_under_way_tells_by_writability_that_it_is_made),
		TEST(what_cannot_be_watched_stays_the_callers),
		TEST(a_plain_stream_can_be_spliced_and_has_no_tls_to_tell_of),
		TEST(a_transport_that_is_reset_is_seen_as_broken),
		TEST(tls_may_begin_behind_plain_bytes),
		TEST(what_is_looked_at_stays_until_it_is_taken),
		TEST(bytes_that_were_looked_at_do_not_hide_those_that_follow),
		TEST(a_look_sees_the_end_and_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
