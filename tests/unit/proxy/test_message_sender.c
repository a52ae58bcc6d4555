/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/message_sender.h"

#include "given_h2_stream.h"
#include "given_stream.h"

static struct given_loop given;
static struct given_stream stream;
static struct arena arena;
static struct message_sender sender;

static void given_sender(int type, enum message_framing framing, struct span head)
{
	given_stream_open(&stream, &given, type);
	message_sender_init(&sender, &stream.transport, framing, head);
}

static size_t flush(enum message_sender_status expected)
{
	size_t data_sent;

	assert_int_equal(message_sender_flush(&sender, &arena, &data_sent), expected);
	return data_sent;
}

static void assert_received(const char *expected)
{
	char bytes[1000];
	ssize_t got = recv(stream.peer, bytes, sizeof(bytes), 0);

	assert_int_equal(got, strlen(expected));
	assert_memory_equal(bytes, expected, (size_t)got);
}

/* Writes until the kernel takes no more. */
static size_t fill_stream(void)
{
	static char block[4096];
	struct iovec piece = {block, sizeof(block)};
	size_t filled = 0;
	ssize_t put;

	while ((put = transport_write(&stream.transport, &piece, 1)) > 0)
		filled += (size_t)put;
	return filled;
}

static void drain(size_t bytes)
{
	static char block[65536];

	while (bytes > 0) {
		ssize_t got = recv(stream.peer, block,
				   bytes < sizeof(block) ? bytes : sizeof(block), 0);

		assert_true(got > 0);
		bytes -= (size_t)got;
	}
	run_turns(&given, 1);
}

static int begin(void **state)
{
	(void)state;
	given_loop_init(&given);
	arena_init(&arena, NULL, 0, 4096);
	return 0;
}

static int end(void **state)
{
	(void)state;
	given_stream_close(&stream, &given);
	arena_fini(&arena);
	given_loop_fini(&given);
	return 0;
}

static void head_and_first_piece_leave_in_one_call(void **state)
{
	(void)state;
	given_sender(SOCK_SEQPACKET, MESSAGE_FRAMING_RAW, S("HEAD\r\n\r\n"));
	message_sender_put(&sender, S("body"), false);

	assert_int_equal(flush(MESSAGE_SENDER_SENT), 4);
	assert_received("HEAD\r\n\r\nbody");
	assert_int_equal(sender.sent, 12);
	assert_int_equal(sender.body_sent, 4);
	assert_false(message_sender_is_done(&sender));
}

static void a_message_without_body_is_its_head(void **state)
{
	(void)state;
	given_sender(SOCK_SEQPACKET, MESSAGE_FRAMING_NONE, S("HEAD\r\n\r\n"));
	assert_false(message_sender_wants_data(&sender));
	assert_false(message_sender_is_done(&sender));

	assert_int_equal(flush(MESSAGE_SENDER_SENT), 0);
	assert_received("HEAD\r\n\r\n");
	assert_true(message_sender_is_done(&sender));
}

static void a_chunk_has_its_size_before_it_and_the_last_one_the_end_behind_it(void **state)
{
	(void)state;
	given_sender(SOCK_SEQPACKET, MESSAGE_FRAMING_CHUNKED, S("H"));
	message_sender_put(&sender, S("0123456789abcdef"), false);
	assert_int_equal(flush(MESSAGE_SENDER_SENT), 16);
	assert_received("H10\r\n0123456789abcdef\r\n");

	message_sender_put(&sender, S("end"), true);
	assert_int_equal(flush(MESSAGE_SENDER_SENT), 3);
	assert_received("3\r\nend\r\n0\r\n\r\n");
	assert_true(message_sender_is_done(&sender));
	assert_int_equal(sender.body_sent, 19);
}

static void an_empty_piece_is_no_chunk(void **state)
{
	(void)state;
	given_sender(SOCK_SEQPACKET, MESSAGE_FRAMING_CHUNKED, S("H"));
	message_sender_put(&sender, S(""), false);
	assert_int_equal(flush(MESSAGE_SENDER_SENT), 0);
	assert_received("H");
	assert_true(message_sender_wants_data(&sender));

	message_sender_put(&sender, S(""), true);
	assert_int_equal(flush(MESSAGE_SENDER_SENT), 0);
	assert_received("0\r\n\r\n");
	assert_true(message_sender_is_done(&sender));
}

static void an_empty_last_piece_of_a_raw_body_ends_it(void **state)
{
	(void)state;
	given_sender(SOCK_SEQPACKET, MESSAGE_FRAMING_RAW, S("H"));
	message_sender_put(&sender, S(""), true);

	assert_int_equal(flush(MESSAGE_SENDER_SENT), 0);
	assert_received("H");
	assert_true(message_sender_is_done(&sender));
}

static void no_second_piece_is_wanted_while_one_is_under_way(void **state)
{
	(void)state;
	given_sender(SOCK_STREAM, MESSAGE_FRAMING_RAW, S("H"));
	fill_stream();
	assert_true(message_sender_wants_data(&sender));
	message_sender_put(&sender, S("body"), false);

	flush(MESSAGE_SENDER_WAIT);
	assert_false(message_sender_wants_data(&sender));
	assert_true(message_sender_is_pending(&sender));
}

static void a_head_that_waits_outlives_the_memory_it_was_in(void **state)
{
	char memory[] = "HEAD";
	size_t filled;

	(void)state;
	given_sender(SOCK_STREAM, MESSAGE_FRAMING_RAW, span_make(memory, 4));
	filled = fill_stream();
	message_sender_put(&sender, S("body"), true);
	assert_int_equal(flush(MESSAGE_SENDER_WAIT), 0);
	memset(memory, 'x', sizeof(memory));
	drain(filled);

	assert_int_equal(flush(MESSAGE_SENDER_SENT), 4);
	assert_received("HEADbody");
}

static void a_head_that_cannot_be_kept_is_no_fault_of_the_peer(void **state)
{
	static char head[5000];

	(void)state;
	given_sender(SOCK_STREAM, MESSAGE_FRAMING_NONE, span_make(head, sizeof(head)));
	fill_stream();

	flush(MESSAGE_SENDER_NO_MEMORY);
}

static void a_peer_that_is_gone_breaks_the_message(void **state)
{
	(void)state;
	given_sender(SOCK_STREAM, MESSAGE_FRAMING_NONE, S("HEAD"));
	close(stream.peer);
	stream.peer = -1;

	flush(MESSAGE_SENDER_BROKEN);
}

static void what_the_kernel_takes_of_a_piece_is_told_and_nothing_is_sent_twice(void **state)
{
	enum { SIZE = 1 << 20 };
	char *body = malloc(SIZE);
	char *received = malloc(SIZE + 100);
	size_t sent = 0;
	size_t got = 0;

	(void)state;
	for (unsigned i = 0; i < SIZE; i++)
		body[i] = (char)(i * 7 >> 8);
	given_sender(SOCK_STREAM, MESSAGE_FRAMING_CHUNKED, S("HEAD"));
	given_stream_set_room(&stream, 1);
	message_sender_put(&sender, span_make(body, SIZE), true);
	while (!message_sender_is_done(&sender)) {
		size_t data_sent;
		ssize_t n;

		assert_int_not_equal(message_sender_flush(&sender, &arena, &data_sent),
				     MESSAGE_SENDER_BROKEN);
		sent += data_sent;
		assert_int_equal(sender.body_sent, sent);
		while ((n = recv(stream.peer, received + got, SIZE + 100 - got, 0)) > 0)
			got += (size_t)n;
		run_turns(&given, 1);
	}

	assert_int_equal(sent, SIZE);
	assert_int_equal(got, 4 + 8 + SIZE + 7);
	assert_int_equal(sender.sent, got);
	assert_memory_equal(received, "HEAD100000\r\n", 12);
	assert_memory_equal(received + 12, body, SIZE);
	assert_memory_equal(received + 12 + SIZE, "\r\n0\r\n\r\n", 7);
	free(body);
	free(received);
}

/*
 * Into a stream
 */

static void given_stream_sender(enum message_framing framing)
{
	given_h2_stream();
	message_sender_init_stream(&sender, &h2_stream, framing);
}

static void fetch(size_t max, enum h2_body_status status, const char *expected)
{
	struct h2_body body = message_sender_fetch(&sender, max);

	assert_int_equal(body.status, status);
	assert_true(span_equals(body.bytes, span_from(expected)));
	if (body.bytes.len > 0)
		message_sender_fetched(&sender, body.bytes.len);
	h2_stream.local_ended = body.status == H2_BODY_END;
}

static void a_stream_waits_for_pieces_and_fetches_them_as_it_has_room(void **state)
{
	(void)state;
	given_stream_sender(MESSAGE_FRAMING_RAW);
	fetch(100, H2_BODY_WAIT, "");
	message_sender_put(&sender, S("hello"), false);
	assert_int_equal(flush(MESSAGE_SENDER_WAIT), 0);
	assert_false(message_sender_wants_data(&sender));

	fetch(3, H2_BODY_MORE, "hel");
	assert_int_equal(flush(MESSAGE_SENDER_WAIT), 3);
	fetch(3, H2_BODY_MORE, "lo");
	fetch(3, H2_BODY_WAIT, "");

	assert_int_equal(flush(MESSAGE_SENDER_SENT), 2);
	assert_true(message_sender_wants_data(&sender));
	assert_int_equal(sender.body_sent, 5);
}

static void a_stream_is_done_when_its_end_has_gone(void **state)
{
	(void)state;
	given_stream_sender(MESSAGE_FRAMING_RAW);
	message_sender_put(&sender, S("hello"), true);
	assert_int_equal(flush(MESSAGE_SENDER_WAIT), 0);
	assert_false(message_sender_is_done(&sender));

	fetch(4, H2_BODY_MORE, "hell");
	assert_int_equal(flush(MESSAGE_SENDER_WAIT), 4);
	fetch(4, H2_BODY_END, "o");

	assert_int_equal(flush(MESSAGE_SENDER_SENT), 1);
	assert_true(message_sender_is_done(&sender));
}

static void an_empty_last_piece_waits_for_the_end_of_the_stream(void **state)
{
	(void)state;
	given_stream_sender(MESSAGE_FRAMING_RAW);
	message_sender_put(&sender, S(""), true);
	flush(MESSAGE_SENDER_WAIT);
	assert_true(message_sender_is_pending(&sender));

	fetch(4, H2_BODY_END, "");

	flush(MESSAGE_SENDER_SENT);
	assert_true(message_sender_is_done(&sender));
}

static void trailers_go_with_the_end_and_not_before(void **state)
{
	struct header trailers[2] = {{.name = S("a")}, {.name = S("b")}};
	struct h2_body body;

	(void)state;
	given_stream_sender(MESSAGE_FRAMING_RAW);
	sender.trailers = trailers;
	sender.trailer_count = 2;
	message_sender_put(&sender, S("ab"), true);

	assert_int_equal(message_sender_fetch(&sender, 1).trailer_count, 0);
	body = message_sender_fetch(&sender, 2);
	assert_int_equal(body.status, H2_BODY_END);
	assert_ptr_equal(body.trailers, trailers);
	assert_int_equal(body.trailer_count, 2);
}

static void a_stream_whose_head_is_all_is_done_when_that_has_gone(void **state)
{
	(void)state;
	given_stream_sender(MESSAGE_FRAMING_NONE);
	flush(MESSAGE_SENDER_WAIT);

	h2_stream.local_ended = true;

	flush(MESSAGE_SENDER_SENT);
	assert_true(message_sender_is_done(&sender));
}

static void a_stream_counts_what_its_frames_take(void **state)
{
	(void)state;
	given_stream_sender(MESSAGE_FRAMING_RAW);
	assert_false(message_sender_is_untouched(&sender)); /* its head cannot be taken back */
	h2_stream.wire_sent_bytes = 77;

	flush(MESSAGE_SENDER_SENT);

	assert_int_equal(sender.sent, 77);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(head_and_first_piece_leave_in_one_call),
		TEST(a_message_without_body_is_its_head),
		TEST(a_chunk_has_its_size_before_it_and_the_last_one_the_end_behind_it),
		TEST(an_empty_piece_is_no_chunk),
		TEST(an_empty_last_piece_of_a_raw_body_ends_it),
		TEST(no_second_piece_is_wanted_while_one_is_under_way),
		TEST(a_head_that_waits_outlives_the_memory_it_was_in),
		TEST(a_head_that_cannot_be_kept_is_no_fault_of_the_peer),
		TEST(a_peer_that_is_gone_breaks_the_message),
		TEST(what_the_kernel_takes_of_a_piece_is_told_and_nothing_is_sent_twice),
		cmocka_unit_test(a_stream_waits_for_pieces_and_fetches_them_as_it_has_room),
		cmocka_unit_test(a_stream_is_done_when_its_end_has_gone),
		cmocka_unit_test(an_empty_last_piece_waits_for_the_end_of_the_stream),
		cmocka_unit_test(trailers_go_with_the_end_and_not_before),
		cmocka_unit_test(a_stream_whose_head_is_all_is_done_when_that_has_gone),
		cmocka_unit_test(a_stream_counts_what_its_frames_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
