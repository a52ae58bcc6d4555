/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/way.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

#include "base/buf.h"
#include "given_stream.h"
#include "io/socket.h"

enum { BLOCKS = 2, PIPES = 1, SMALL_ROOM = 4096, LARGE_ROOM = 1 << 20, PATIENCE_MS = 5000 };

static struct given_loop given;
static struct given_stream source; /* the peer sends */
static struct given_stream sink;   /* the peer takes */
static struct iobuf_pool blocks;
static struct pipe_pool pipes;
static struct way way;
static size_t said;  /* by the source since set_up */
static size_t taken; /* and what has arrived of it */

/* TCP, where the kernel splices and a peer can reset. */
static void open_tcp(struct given_stream *stream)
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
	assert_int_equal(transport_open(&stream->transport, given.loop, fd, given_stream_on_ready),
			 0);
	fcntl(listener, F_SETFL, 0);
	stream->peer = socket_accept(listener, &from);
	assert_int_not_equal(stream->peer, -1);
	close(listener);
	run_turns(&given, 1);
}

static int set_up(void **state)
{
	said = 0;
	taken = 0;
	given_loop_init(&given);
	open_tcp(&source);
	open_tcp(&sink);
	iobuf_pool_init(&blocks, BLOCKS);
	pipe_pool_init(&pipes, PIPES);
	way_init(&way, &source.transport, &sink.transport, &blocks, &pipes);
	(void)state;
	return 0;
}

static int tear_down(void **state)
{
	way_fini(&way);
	given_stream_close(&source, &given);
	given_stream_close(&sink, &given);
	iobuf_pool_fini(&blocks);
	pipe_pool_fini(&pipes);
	given_loop_fini(&given);
	(void)state;
	return 0;
}

/* Byte n of all that is said. */
static unsigned char byte_of(size_t n)
{
	return (unsigned char)(n * 7 + n / 256);
}

/* As much as the kernel takes of it; how much that is. */
static size_t say(size_t length)
{
	static unsigned char bytes[65536];
	size_t before = said;

	while (said - before < length) {
		size_t piece = length - (said - before);
		ssize_t put;

		if (piece > sizeof(bytes))
			piece = sizeof(bytes);
		for (size_t i = 0; i < piece; i++)
			bytes[i] = byte_of(said + i);
		put = send(source.peer, bytes, piece, MSG_DONTWAIT);
		if (put <= 0)
			break;
		said += (size_t)put;
	}
	return said - before;
}

/* What has arrived is what was said. */
static void take(void)
{
	static unsigned char bytes[65536];
	ssize_t got;

	while ((got = recv(sink.peer, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		for (ssize_t i = 0; i < got; i++, taken++)
			assert_int_equal(bytes[i], byte_of(taken));
}

/* Pumps until all that was said has arrived. */
static void take_all(void)
{
	while (taken < said) {
		run_turns(&given, 1);
		(void)way_pump(&way);
		assert_int_equal(
			poll(&(struct pollfd){.fd = sink.peer, .events = POLLIN}, 1, PATIENCE_MS),
			1);
		take();
	}
}

static bool holds_nothing(void)
{
	return way.block == NULL && way.pipe == NULL;
}

static void bytes_pass_as_they_are(void **state)
{
	assert_int_equal(say(1000), 1000);
	run_turns(&given, 1);

	assert_int_equal(way_pump(&way), WAY_WAIT);

	take();
	assert_int_equal(taken, said);
	assert_int_equal(way.received, said);
	assert_int_equal(way.sent, said);
	(void)state;
}

static void one_that_waits_holds_neither_block_nor_pipe(void **state)
{
	for (unsigned i = 0; i < 50; i++) {
		say(50000);
		take_all();
		assert_int_equal(way_pump(&way), WAY_WAIT);
		assert_true(holds_nothing());
	}

	assert_int_equal(taken, way.sent);
	assert_true(way.sent > 1 << 20);
	assert_int_equal(pipes.count, 1); /* what is many went through one */
	(void)state;
}

static void nothing_is_read_while_something_is_unsent(void **state)
{
	given_stream_set_room(&sink, SMALL_ROOM);
	for (unsigned i = 0; i < 200; i++) {
		say(1 << 20);
		run_turns(&given, 1);
		(void)way_pump(&way);
	}

	assert_int_equal(say(1 << 20), 0);
	assert_true(way.received - way.sent <= PIPE_BYTES);

	given_stream_set_room(&sink, LARGE_ROOM);
	take_all();
	assert_int_equal(way.sent, said);
	(void)state;
}

static void one_turn_moves_no_more_than_a_share(void **state)
{
	enum way_status status;
	uint64_t before;

	for (unsigned i = 0; i < 20; i++) {
		say(1 << 20);
		run_turns(&given, 1);
		before = way.sent;
		status = way_pump(&way);
		take();
		assert_true(way.sent - before <= 256 * 1024 + PIPE_BYTES);
		if (status == WAY_TURN_OVER)
			return;
	}
	fail_msg("it never had its share");
	(void)state;
}

static void the_end_is_passed_on_behind_the_last_byte(void **state)
{
	char byte;

	assert_int_equal(say(3), 3);
	shutdown(source.peer, SHUT_WR);
	run_turns(&given, 2);

	assert_int_equal(way_pump(&way), WAY_ENDED);

	take();
	assert_int_equal(taken, 3);
	assert_int_equal(recv(sink.peer, &byte, 1, 0), 0);
	assert_true(holds_nothing());
	assert_int_equal(way_pump(&way), WAY_ENDED);
	(void)state;
}

static void a_source_that_breaks_off_is_no_end(void **state)
{
	char byte;

	socket_reset_on_close(source.peer);
	close(source.peer);
	source.peer = -1;
	run_turns(&given, 1);

	assert_int_equal(way_pump(&way), WAY_BROKEN);

	assert_int_equal(recv(sink.peer, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(way.has_ended);
	(void)state;
}

static void where_nobody_takes_any_more_it_ends(void **state)
{
	socket_reset_on_close(sink.peer);
	close(sink.peer);
	sink.peer = -1;
	run_turns(&given, 1);
	say(1000);
	run_turns(&given, 1);

	assert_int_equal(way_pump(&way), WAY_ENDED);

	assert_true(holds_nothing());
	assert_int_equal(way.sent, 0);
	(void)state;
}

static void without_a_pipe_it_is_copied(void **state)
{
	struct pipe *other = pipe_pool_take(&pipes);

	for (unsigned i = 0; i < 20; i++) {
		say(100000);
		take_all();
	}

	assert_int_equal(way.sent, said);
	assert_null(way.pipe);
	pipe_pool_give(&pipes, other);
	(void)state;
}

static void without_memory_it_says_so_and_reads_nothing(void **state)
{
	struct iobuf *others[BLOCKS + 8];
	size_t count = 0;

	while (count < BLOCKS + 8 && (others[count] = iobuf_take(&blocks)) != NULL)
		count++;
	say(10);
	run_turns(&given, 1);

	assert_int_equal(way_pump(&way), WAY_NO_MEMORY);

	assert_int_equal(way.received, 0);
	while (count > 0)
		iobuf_give(&blocks, others[--count]);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_pass_as_they_are, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_waits_holds_neither_block_nor_pipe, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_read_while_something_is_unsent, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(one_turn_moves_no_more_than_a_share, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_end_is_passed_on_behind_the_last_byte, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_source_that_breaks_off_is_no_end, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(where_nobody_takes_any_more_it_ends, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(without_a_pipe_it_is_copied, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_memory_it_says_so_and_reads_nothing, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
