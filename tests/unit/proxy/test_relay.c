/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/relay.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/random.h"
#include "given_h2_stream.h"
#include "given_stream.h"
#include "given_tls.h"
#include "io/socket.h"

enum { HEAD_SIZE = 16 };

static const char *const next_message = "GET /next HTTP/1.1\r\n\r\n";

static struct given_loop given;
static struct given_stream source; /* the peer sends the body */
static struct given_stream sink;   /* the peer takes the message */
static struct iobuf *buf;
static struct arena arena;
static struct relay relay;

static void given_streams(uint32_t room)
{
	given_stream_open(&source, &given, SOCK_STREAM);
	given_stream_open(&sink, &given, SOCK_STREAM);
	buf = given_iobuf(room);
	memset(buf->bytes, 'h', HEAD_SIZE);
	buf->start = buf->end = HEAD_SIZE;
}

static void given_relay(enum body_framing from, uint64_t length, enum message_framing to)
{
	body_reader_init(&relay.reader, &source.transport, buf, from, length, false);
	message_sender_init(&relay.sender, &sink.transport, to, S("HEAD\r\n\r\n"));
	relay.body_limit = UINT64_MAX;
	relay.pipes = NULL;
	relay.blocks = NULL;
}

static void close_streams(void)
{
	given_stream_close(&source, &given);
	given_stream_close(&sink, &given);
	free(buf);
	buf = NULL;
}

static void say(struct span text)
{
	assert_int_equal(write(source.peer, text.ptr, text.len), text.len);
	run_turns(&given, 1);
}

static void hang_up(struct given_stream *stream)
{
	close(stream->peer);
	stream->peer = -1;
	run_turns(&given, 1);
}

/* Takes what arrived at the sink. */
static void take(struct buf *into)
{
	ssize_t got;

	while ((got = recv(sink.peer, buf_reserve(into, 65536), 65536, 0)) > 0)
		into->len += (size_t)got;
	run_turns(&given, 1);
}

static void assert_taken(const char *expected)
{
	struct buf taken = {0};

	take(&taken);
	assert_string_equal(buf_text(&taken), expected);
	buf_fini(&taken);
}

static enum relay_status pump(void)
{
	return relay_pump(&relay, &arena);
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
	close_streams();
	arena_fini(&arena);
	given_loop_fini(&given);
	return 0;
}

/*
 * One way a test
 */

static void a_head_alone_is_a_whole_message(void **state)
{
	(void)state;
	given_streams(64);
	given_relay(BODY_NONE, 0, MESSAGE_FRAMING_NONE);

	assert_int_equal(pump(), RELAY_DONE);
	assert_taken("HEAD\r\n\r\n");
}

static void the_head_goes_before_any_of_the_body_is_there(void **state)
{
	(void)state;
	given_streams(64);
	given_relay(BODY_LENGTH, 5, MESSAGE_FRAMING_RAW);
	assert_int_equal(pump(), RELAY_WAIT);
	assert_false(relay_waits_for_sink(&relay));
	assert_taken("HEAD\r\n\r\n");

	say(S("hello"));
	assert_int_equal(pump(), RELAY_DONE);
	assert_taken("hello");
}

static void each_piece_goes_on_as_it_comes(void **state)
{
	(void)state;
	given_streams(64);
	given_relay(BODY_CHUNKED, 0, MESSAGE_FRAMING_CHUNKED);
	say(S("5\r\nhel"));
	assert_int_equal(pump(), RELAY_WAIT);
	assert_taken("HEAD\r\n\r\n3\r\nhel\r\n");

	say(S("lo\r\n0\r\n"));
	assert_int_equal(pump(), RELAY_WAIT);
	assert_taken("2\r\nlo\r\n");
	say(S("\r\n"));
	assert_int_equal(pump(), RELAY_DONE);
	assert_taken("0\r\n\r\n");
}

static void an_empty_chunked_body_becomes_an_empty_chunked_body(void **state)
{
	(void)state;
	given_streams(64);
	given_relay(BODY_CHUNKED, 0, MESSAGE_FRAMING_CHUNKED);
	say(S("0\r\n\r\n"));

	assert_int_equal(pump(), RELAY_DONE);
	assert_taken("HEAD\r\n\r\n0\r\n\r\n");
}

static void a_body_without_length_becomes_chunks_with_an_end(void **state)
{
	(void)state;
	given_streams(64);
	given_relay(BODY_CLOSE, 0, MESSAGE_FRAMING_CHUNKED);
	say(S("hello"));
	assert_int_equal(pump(), RELAY_WAIT);
	hang_up(&source);

	assert_int_equal(pump(), RELAY_DONE);
	assert_taken("HEAD\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
}

static void what_follows_the_body_stays_for_the_next_message(void **state)
{
	(void)state;
	given_streams(64);
	given_relay(BODY_CHUNKED, 0, MESSAGE_FRAMING_RAW);
	say(S("2\r\nab\r\n0\r\n\r\nGET /next"));

	assert_int_equal(pump(), RELAY_DONE);
	assert_taken("HEAD\r\n\r\nab");
	assert_true(span_equals(span_make(buf->bytes + buf->start, buf->end - buf->start),
				S("GET /next")));
}

static void a_body_that_ends_early_is_cut(void **state)
{
	(void)state;
	given_streams(64);
	given_relay(BODY_LENGTH, 10, MESSAGE_FRAMING_RAW);
	say(S("hello"));
	hang_up(&source);

	assert_int_equal(pump(), RELAY_CUT);
	assert_taken("HEAD\r\n\r\nhello");
}

static void chunks_without_their_end_are_cut_and_get_no_end(void **state)
{
	(void)state;
	given_streams(64);
	given_relay(BODY_CHUNKED, 0, MESSAGE_FRAMING_CHUNKED);
	say(S("5\r\nhello\r\n"));
	hang_up(&source);

	assert_int_equal(pump(), RELAY_CUT);
	assert_taken("HEAD\r\n\r\n5\r\nhello\r\n");
}

static void a_broken_chunk_is_bad_and_nothing_of_it_goes_on(void **state)
{
	(void)state;
	given_streams(64);
	given_relay(BODY_CHUNKED, 0, MESSAGE_FRAMING_CHUNKED);
	say(S("3\r\nabc\r\n"));
	assert_int_equal(pump(), RELAY_WAIT);
	say(S("4\r\ndefgX\r\n"));

	assert_int_equal(pump(), RELAY_BAD);
	assert_int_equal(relay.reader.fault, FAULT_BAD_CHUNK);
	assert_taken("HEAD\r\n\r\n3\r\nabc\r\n");
}

static void a_reset_is_no_end_of_a_body_without_length(void **state)
{
	struct ip_port at = {0};
	struct ip_port from;
	struct error err;
	bool pending;
	int listener;

	(void)state;
	given_streams(64);
	given_stream_close(&source, &given);
	assert_true(ip_parse(S("127.0.0.1"), &at.ip));
	listener = socket_listen(&at, 1, &err);
	assert_int_equal(socket_local(listener, &at), 0);
	source.peer = socket_connect(&at, &pending);
	while (transport_open(&source.transport, given.loop, socket_accept(listener, &from),
			      given_stream_on_ready) == -1)
		assert_int_equal(errno, EBADF);
	close(listener);
	given_relay(BODY_CLOSE, 0, MESSAGE_FRAMING_CHUNKED);
	assert_int_equal(pump(), RELAY_WAIT);
	socket_reset_on_close(source.peer);
	hang_up(&source);

	assert_int_equal(pump(), RELAY_CUT);
	assert_taken("HEAD\r\n\r\n");
}

static void a_sink_that_is_gone_is_broken(void **state)
{
	(void)state;
	given_streams(64);
	given_relay(BODY_LENGTH, 5, MESSAGE_FRAMING_RAW);
	hang_up(&sink);

	assert_int_equal(pump(), RELAY_BROKEN);
}

static void a_head_that_cannot_be_kept_for_a_slow_sink_is_nobodys_fault(void **state)
{
	static char head[100000];

	(void)state;
	given_streams(64);
	given_stream_set_room(&sink, 1);
	given_relay(BODY_NONE, 0, MESSAGE_FRAMING_NONE);
	message_sender_init(&relay.sender, &sink.transport, MESSAGE_FRAMING_NONE,
			    span_make(head, sizeof(head)));

	assert_int_equal(pump(), RELAY_NO_MEMORY);
}

static void a_body_may_be_as_long_as_its_limit_and_no_longer(void **state)
{
	(void)state;
	given_streams(64);
	given_relay(BODY_CHUNKED, 0, MESSAGE_FRAMING_CHUNKED);
	relay.body_limit = 5;
	say(S("5\r\nhello\r\n"));
	assert_int_equal(pump(), RELAY_WAIT);
	say(S("1\r\n!"));

	assert_int_equal(pump(), RELAY_TOO_LARGE);
	assert_taken("HEAD\r\n\r\n5\r\nhello\r\n");
}

static void nothing_is_read_while_the_sink_is_full(void **state)
{
	enum { SIZE = 150000 };
	static char body[SIZE];
	struct buf taken = {0};
	uint64_t total;

	(void)state;
	given_streams(4096);
	given_stream_set_room(&sink, 1);
	given_relay(BODY_LENGTH, SIZE, MESSAGE_FRAMING_RAW);
	assert_int_equal(write(source.peer, body, SIZE), SIZE);
	run_turns(&given, 1);
	assert_int_equal(pump(), RELAY_WAIT);
	assert_true(relay_waits_for_sink(&relay));
	total = relay.reader.total;
	assert_true(total < SIZE / 2);

	for (unsigned i = 0; i < 3; i++) {
		run_turns(&given, 1);
		assert_int_equal(pump(), RELAY_WAIT);
		assert_int_equal(relay.reader.total, total);
	}
	take(&taken);
	assert_int_equal(pump(), RELAY_WAIT);
	assert_true(relay.reader.total > total);
	buf_fini(&taken);
}

static void bytes_that_wait_for_a_full_sink_may_move_under_it(void **state)
{
	enum { SIZE = 1 << 20, PIECE = 16384 };
	static char body[SIZE];
	struct h2_stream stream = {.held_bytes = SIZE};
	struct iobuf_pool pool;
	struct buf taken = {0};

	(void)state;
	for (uint32_t i = 0; i < SIZE / 4; i++)
		memcpy(&body[i * 4], &i, 4);
	iobuf_pool_init(&pool, SIZE);
	given_streams(64);
	given_stream_set_room(&sink, 1);
	given_relay(BODY_NONE, 0, MESSAGE_FRAMING_RAW);
	body_reader_init_stream(&relay.reader, &stream, BODY_CHUNKED);
	message_sender_init(&relay.sender, &sink.transport, MESSAGE_FRAMING_RAW, S(""));

	for (size_t at = 0; at < SIZE; at += PIECE) {
		assert_true(relay_feed(&relay, &pool, span_make(body + at, PIECE)));
		assert_int_equal(pump(), RELAY_WAIT);
		if (at % (4 * PIECE) == 0)
			take(&taken);
	}
	stream.remote_ended = true;
	while (pump() != RELAY_DONE)
		take(&taken);
	take(&taken);

	assert_int_equal(taken.len, SIZE);
	assert_memory_equal(taken.ptr, body, SIZE);
	buf_fini(&taken);
	body_reader_fini(&relay.reader, &pool);
	iobuf_pool_fini(&pool);
}

static void a_relay_that_had_its_share_gives_way_to_others(void **state)
{
	enum { SIZE = 350000, SHARE = 256 * 1024 };
	static char body[SIZE];
	struct buf taken = {0};
	unsigned shares = 0;
	size_t said = 0;

	(void)state;
	given_streams(IOBUF_ROOM);
	given_stream_set_room(&source, 1 << 20);
	given_stream_set_room(&sink, 1 << 20);
	given_relay(BODY_LENGTH, SIZE, MESSAGE_FRAMING_RAW);
	while (said < SIZE) {
		ssize_t put = write(source.peer, body + said,
				    SIZE - said < 32768 ? SIZE - said : 32768);

		if (put == -1)
			break;
		said += (size_t)put;
	}
	if (said < SIZE) {
		close_streams();
		skip(); /* the kernel allows no socket to hold as much */
	}
	run_turns(&given, 1);
	while (pump() == RELAY_TURN_OVER) {
		shares++;
		assert_in_range(relay.sender.sent, SHARE, SHARE + IOBUF_ROOM);
		take(&taken);
	}
	assert_int_equal(shares, 1);
	take(&taken);
	assert_int_equal(taken.len, SIZE + 8);
	buf_fini(&taken);
}

static void a_request_can_be_sent_to_another_sink_from_its_beginning(void **state)
{
	(void)state;
	given_streams(128);
	given_relay(BODY_CHUNKED, 0, MESSAGE_FRAMING_CHUNKED);
	body_reader_init(&relay.reader, &source.transport, buf, BODY_CHUNKED, 0, true);
	say(S("5\r\nhello\r\n"));
	assert_int_equal(pump(), RELAY_WAIT);
	hang_up(&sink);
	say(S("1\r\n!\r\n"));
	assert_int_equal(pump(), RELAY_BROKEN);

	given_stream_close(&sink, &given);
	given_stream_open(&sink, &given, SOCK_STREAM);
	assert_true(relay.reader.keeps);
	body_reader_rewind(&relay.reader);
	message_sender_init(&relay.sender, &sink.transport, MESSAGE_FRAMING_CHUNKED,
			    S("AGAIN\r\n\r\n"));
	say(S("0\r\n\r\n"));
	assert_int_equal(pump(), RELAY_DONE);
	assert_taken("AGAIN\r\n\r\n6\r\nhello!\r\n0\r\n\r\n");
}

/*
 * Every framing, at random
 */

struct passage {
	enum body_framing from;
	enum message_framing to;
	uint32_t body_size;
	uint32_t room; /* of the buffer */
	bool keeps;
	uint32_t piece_max; /* bytes that the source says at one time, at most */
	bool ends;          /* the source closes behind the body */
};

static void add_chunked(struct random *random, struct span body, struct buf *coded)
{
	while (body.len > 0) {
		size_t size = 1 + random_below(random, 1U << random_below(random, 15));
		struct span data = span_take(body, size);

		buf_printf(coded, random_below(random, 2) == 0 ? "%zx" : "%zX", data.len);
		if (random_below(random, 4) == 0)
			buf_add(coded, S(";name=\"v;\\\"\""));
		buf_add(coded, S("\r\n"));
		buf_add(coded, data);
		buf_add(coded, S("\r\n"));
		body = span_skip(body, size);
	}
	buf_add(coded, S("000\r\n"));
	if (random_below(random, 2) == 0)
		buf_add(coded, S("Trailer: x\r\n"));
	buf_add(coded, S("\r\n"));
}

static void make_body(struct random *random, uint32_t size, struct buf *body)
{
	for (uint32_t i = 0; i < size; i++)
		buf_add_byte(body, (char)random_next(random));
}

/* Says the next piece of *rest; at the end, closes where the passage does. */
static void say_more(struct random *random, const struct passage *passage, struct span *rest)
{
	size_t size = 1 + random_below(random, passage->piece_max);
	struct span piece = span_take(*rest, size);

	if (rest->len == 0) {
		assert_true(passage->ends);
		hang_up(&source);
		return;
	}
	if (piece.len > 0) {
		ssize_t put = write(source.peer, piece.ptr, piece.len);

		assert_true(put > 0);
		*rest = span_skip(*rest, (size_t)put);
	}
	run_turns(&given, 1);
}

static void pump_to_the_end(struct random *random, const struct passage *passage, struct span coded,
			    struct buf *taken)
{
	for (;;) {
		switch (pump()) {
		case RELAY_DONE:
			take(taken);
			/* what was not said yet belongs to the next message as well */
			while (coded.len > 0 && source.peer != -1)
				say_more(random, passage, &coded);
			return;
		case RELAY_WAIT:
			if (relay_waits_for_sink(&relay) || random_below(random, 4) == 0)
				take(taken);
			else
				say_more(random, passage, &coded);
			break;
		case RELAY_TURN_OVER:
			break;
		case RELAY_CUT:
		case RELAY_BAD:
		case RELAY_BROKEN:
		case RELAY_NO_MEMORY:
		case RELAY_TOO_LARGE:
			fail_msg("the relay failed");
		}
	}
}

/* The body of a message without its framing. */
static struct span decoded(enum message_framing framing, struct buf *message)
{
	struct span head = S("HEAD\r\n\r\n");
	struct chunked_decoder decoder = {0};
	struct chunked_result result;

	assert_true(span_starts_with(buf_span(message), head));
	if (framing != MESSAGE_FRAMING_CHUNKED)
		return span_skip(buf_span(message), head.len);
	result = chunked_decode(&decoder, message->ptr + head.len, message->len - head.len);
	assert_int_equal(result.status, CHUNKED_DONE);
	assert_int_equal(result.consumed, message->len - head.len);
	return span_make(message->ptr + head.len, result.produced);
}

/* What lies behind the body: in the buffer first, then in the socket. */
static void assert_next_message(void)
{
	struct buf left = {0};
	ssize_t got;

	buf_add(&left, span_make(buf->bytes + buf->start, buf->end - buf->start));
	source.transport.can_read = true;
	got = transport_read(&source.transport, buf_reserve(&left, 4096), 4096);
	if (got > 0)
		left.len += (size_t)got;
	assert_string_equal(buf_text(&left), next_message);
	buf_fini(&left);
}

static void pass(struct random *random, const struct passage *passage)
{
	struct buf body = {0};
	struct buf coded = {0};
	struct buf taken = {0};
	bool fits = passage->body_size + HEAD_SIZE <= passage->room;

	make_body(random, passage->body_size, &body);
	if (passage->from == BODY_CHUNKED)
		add_chunked(random, buf_span(&body), &coded);
	else
		buf_add(&coded, buf_span(&body));
	if (!passage->ends)
		buf_add(&coded, span_from(next_message));

	given_streams(passage->room);
	given_stream_set_room(&sink, 1);
	given_relay(passage->from, passage->body_size, passage->to);
	body_reader_init(&relay.reader, &source.transport, buf, passage->from, passage->body_size,
			 passage->keeps);
	pump_to_the_end(random, passage, buf_span(&coded), &taken);

	assert_int_equal(relay.reader.total, passage->body_size);
	assert_int_equal(relay.sender.body_sent, passage->body_size);
	assert_int_equal(relay.sender.sent, taken.len);
	assert_true(span_equals(decoded(passage->to, &taken), buf_span(&body)));
	if (passage->keeps)
		assert_memory_equal(buf->bytes, "hhhhhhhhhhhhhhhh", HEAD_SIZE);
	/* framing in the buffer besides may cost what would have fitted, but too much is never kept */
	assert_false(relay.reader.keeps && !fits);
	if (relay.reader.keeps) {
		body_reader_rewind(&relay.reader);
		assert_true(span_equals(body_reader_data(&relay.reader), buf_span(&body)));
	}
	if (!passage->ends)
		assert_next_message();
	close_streams();
	buf_fini(&body);
	buf_fini(&coded);
	buf_fini(&taken);
}

static const struct {
	enum body_framing from;
	enum message_framing to;
} ways[] = {
	{BODY_LENGTH, MESSAGE_FRAMING_RAW},  {BODY_LENGTH, MESSAGE_FRAMING_CHUNKED},
	{BODY_CHUNKED, MESSAGE_FRAMING_RAW}, {BODY_CHUNKED, MESSAGE_FRAMING_CHUNKED},
	{BODY_CLOSE, MESSAGE_FRAMING_RAW},   {BODY_CLOSE, MESSAGE_FRAMING_CHUNKED},
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static void every_framing_passes_one_byte_at_a_time(void **state)
{
	struct random random;

	(void)state;
	random_seed(&random, 1);
	for (unsigned way = 0; way < WAYS; way++) {
		for (uint32_t room = HEAD_SIZE + 1; room < HEAD_SIZE + 60; room += 7) {
			for (unsigned keeps = 0; keeps < 2; keeps++) {
				struct passage passage = {
					.from = ways[way].from,
					.to = ways[way].to,
					.body_size = 40,
					.room = room,
					.keeps = keeps == 1,
					.piece_max = 1,
					.ends = ways[way].from == BODY_CLOSE,
				};

				pass(&random, &passage);
			}
		}
	}
}

static void every_framing_passes_in_random_pieces(void **state)
{
	uint64_t seed = clock_monotonic_ns();
	struct random random;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	random_seed(&random, seed);
	for (unsigned i = 0; i < 600; i++) {
		unsigned way = random_below(&random, WAYS);
		struct passage passage = {
			.from = ways[way].from,
			.to = ways[way].to,
			.body_size = 1 + random_below(&random, 1U << random_below(&random, 17)),
			.room = HEAD_SIZE + 1 +
				random_below(&random, 1U << random_below(&random, 15)),
			.keeps = random_below(&random, 2) == 0,
			.piece_max = 0,
			.ends = ways[way].from == BODY_CLOSE || random_below(&random, 2) == 0,
		};

		/* some hundred pieces and fillings of the buffer at most */
		passage.piece_max = 1 + passage.body_size / 50 + random_below(&random, 3000);
		if (passage.room < HEAD_SIZE + passage.body_size / 200)
			passage.room = HEAD_SIZE + 1 + passage.body_size / 200;
		pass(&random, &passage);
	}
}

/* Sends the body and what follows it as the sink takes it; the relay is pumped in between. */
static enum relay_status pass_large(struct span body, size_t sent_max, struct buf *taken)
{
	enum relay_status status = RELAY_WAIT;
	size_t sent = 0;

	for (unsigned turn = 0; turn < 10000 && (status == RELAY_WAIT || status == RELAY_TURN_OVER);
	     turn++) {
		size_t left = sent_max - sent;
		ssize_t put = left == 0 ? 0 : write(source.peer, body.ptr + sent, left);

		sent += put > 0 ? (size_t)put : 0;
		if (sent == sent_max && sent_max < body.len && source.peer != -1)
			hang_up(&source);
		run_turns(&given, 1);
		status = relay_pump(&relay, &arena);
		take(taken);
	}
	return status;
}

static char *large_text(size_t size)
{
	char *text = malloc(size);

	assert_non_null(text);
	for (size_t i = 0; i < size; i++)
		text[i] = (char)('a' + i % 23);
	return text;
}

enum { LARGE_BODY = 700 * 1000 };

static void a_large_body_passes_through_a_pipe_and_no_byte_more(void **state)
{
	char *text = large_text(LARGE_BODY);
	struct pipe_pool pipes;
	struct buf taken = {0};

	(void)state;
	pipe_pool_init(&pipes, 1);
	given_streams(4096);
	given_relay(BODY_LENGTH, LARGE_BODY - 5, MESSAGE_FRAMING_RAW);
	relay.pipes = &pipes;

	assert_int_equal(pass_large(span_make(text, LARGE_BODY), LARGE_BODY, &taken), RELAY_DONE);

	assert_int_equal(pipes.count, 1);
	assert_int_equal(taken.len, strlen("HEAD\r\n\r\n") + LARGE_BODY - 5);
	assert_memory_equal(taken.ptr + strlen("HEAD\r\n\r\n"), text, LARGE_BODY - 5);
	assert_int_equal(relay.sender.body_sent, LARGE_BODY - 5);
	assert_true(relay.reader.ended);
	assert_false(relay.reader.keeps);
	relay_fini(&relay);
	pipe_pool_fini(&pipes);
	buf_fini(&taken);
	close_streams();
	free(text);
}

static void a_large_body_that_ends_in_a_pipe_is_cut(void **state)
{
	char *text = large_text(LARGE_BODY);
	struct pipe_pool pipes;
	struct buf taken = {0};

	(void)state;
	pipe_pool_init(&pipes, 1);
	given_streams(4096);
	given_relay(BODY_LENGTH, LARGE_BODY, MESSAGE_FRAMING_RAW);
	relay.pipes = &pipes;

	assert_int_equal(pass_large(span_make(text, LARGE_BODY), 300 * 1000, &taken), RELAY_CUT);

	assert_int_equal(taken.len, strlen("HEAD\r\n\r\n") + 300 * 1000);
	relay_fini(&relay);
	pipe_pool_fini(&pipes);
	buf_fini(&taken);
	close_streams();
	free(text);
}

static void a_full_sink_keeps_the_pipe_full_and_is_waited_for(void **state)
{
	char *text = large_text(LARGE_BODY);
	struct pipe_pool pipes;
	struct buf taken = {0};
	enum relay_status status;

	(void)state;
	pipe_pool_init(&pipes, 1);
	given_streams(4096);
	given_stream_set_room(&sink, 4096);
	given_relay(BODY_LENGTH, LARGE_BODY, MESSAGE_FRAMING_RAW);
	relay.pipes = &pipes;
	assert_true(write(source.peer, text, 100 * 1000) > 0);
	run_turns(&given, 1);

	do
		status = relay_pump(&relay, &arena);
	while (status == RELAY_TURN_OVER);

	assert_int_equal(status, RELAY_WAIT);
	assert_true(relay_waits_for_sink(&relay));
	assert_true(relay.pipe->filled > 0);
	take(&taken);
	relay_fini(&relay);
	assert_int_equal(pipes.count, 0); /* a pipe with bytes of another body is not used again */
	pipe_pool_fini(&pipes);
	buf_fini(&taken);
	close_streams();
	free(text);
}

/* What a client of TLS reads, until nothing comes for a while. */
static void take_over_tls(struct given_tls *tls, struct buf *into)
{
	ssize_t got;

	while ((got = transport_read(&tls->client.transport, buf_reserve(into, 65536), 65536)) > 0)
		into->len += (size_t)got;
	assert_int_equal(got, TRANSPORT_AGAIN);
}

/* The source says the body, the client takes it; both as fast as they can. */
static enum relay_status pass_large_over_tls(struct given_tls *tls, struct span body,
					     struct buf *taken)
{
	enum relay_status status = RELAY_WAIT;

	while (status == RELAY_WAIT || status == RELAY_TURN_OVER) {
		ssize_t put = body.len == 0 ? 0 : write(source.peer, body.ptr, body.len);

		body = span_skip(body, put > 0 ? (size_t)put : 0);
		run_turns(&tls->loop, 1);
		status = relay_pump(&relay, &arena);
		run_turns(&tls->loop, 1);
		take_over_tls(tls, taken);
	}
	return status;
}

static void a_large_body_passes_over_tls_in_blocks_and_no_byte_more(void **state)
{
	char *text = large_text(LARGE_BODY);
	struct tls_context *server = given_shop_context();
	struct tls_context *client = given_plain_client();
	struct given_tls tls;
	struct pipe_pool pipes;
	struct iobuf_pool blocks;
	struct buf taken = {0};

	(void)state;
	pipe_pool_init(&pipes, 1);
	iobuf_pool_init(&blocks, 128);
	given_tls_init(&tls);
	given_tls_open(&tls, server, client);
	given_stream_open(&source, &tls.loop, SOCK_STREAM);
	buf = given_iobuf(4096);
	buf->start = buf->end = HEAD_SIZE;
	given_relay(BODY_LENGTH, LARGE_BODY - 5, MESSAGE_FRAMING_RAW);
	relay.sender.transport = &tls.server.transport;
	relay.pipes = &pipes;
	relay.blocks = &blocks;

	assert_int_equal(pass_large_over_tls(&tls, span_make(text, LARGE_BODY), &taken),
			 RELAY_DONE);
	take_over_tls(&tls, &taken);

	assert_int_equal(taken.len, strlen("HEAD\r\n\r\n") + LARGE_BODY - 5);
	assert_memory_equal(taken.ptr + strlen("HEAD\r\n\r\n"), text, LARGE_BODY - 5);
	assert_int_equal(relay.sender.body_sent, LARGE_BODY - 5);
	assert_int_equal(pipes.count, 0);
	assert_true(blocks.large > 0);
	relay_fini(&relay);
	assert_int_equal(blocks.large, 0);
	given_stream_close(&source, &tls.loop);
	given_tls_fini(&tls);
	tls_context_drop(server);
	tls_context_drop(client);
	iobuf_pool_fini(&blocks);
	pipe_pool_fini(&pipes);
	buf_fini(&taken);
	free(text);
}

/* A pod that speaks TLS says the end of a body without length, or is cut off before (security spec, U9). */
static enum relay_status relay_to_the_end_of(void (*end_it)(struct transport *transport))
{
	struct tls_context *server = given_shop_context();
	struct tls_context *client = given_plain_client();
	enum relay_status status = RELAY_WAIT;
	struct given_tls tls;

	given_tls_init(&tls);
	given_tls_open(&tls, server, client);
	given_stream_open(&sink, &tls.loop, SOCK_STREAM);
	buf = given_iobuf(4096);
	given_relay(BODY_CLOSE, 0, MESSAGE_FRAMING_CHUNKED);
	relay.reader.transport = &tls.client.transport;
	given_tls_say(&tls, &tls.server, "hello");
	end_it(&tls.server.transport);
	while (status == RELAY_WAIT) {
		run_turns(&tls.loop, 1);
		status = relay_pump(&relay, &arena);
	}
	given_stream_close(&sink, &tls.loop);
	given_tls_fini(&tls);
	tls_context_drop(server);
	tls_context_drop(client);
	free(buf);
	buf = NULL;
	return status;
}

static void cut(struct transport *transport)
{
	shutdown(transport->source.fd, SHUT_WR);
}

static void only_a_goodbye_ends_a_body_without_length_over_tls(void **state)
{
	(void)state;
	assert_int_equal(relay_to_the_end_of(transport_finish), RELAY_DONE);
	assert_int_equal(relay_to_the_end_of(cut), RELAY_CUT);
}

/*
 * Between a transport and a stream
 */

static void assert_fetched(enum h2_body_status status, const char *expected)
{
	struct h2_body body = message_sender_fetch(&relay.sender, 1000);

	assert_int_equal(body.status, status);
	assert_true(span_equals(body.bytes, span_from(expected)));
	if (body.bytes.len > 0)
		message_sender_fetched(&relay.sender, body.bytes.len);
	h2_stream.local_ended = body.status == H2_BODY_END;
}

static void chunks_and_their_trailers_pass_into_a_stream(void **state)
{
	(void)state;
	given_streams(64);
	given_h2_stream();
	body_reader_init(&relay.reader, &source.transport, buf, BODY_CHUNKED, 0, false);
	relay.reader.trailer_arena = &arena;
	message_sender_init_stream(&relay.sender, &h2_stream, MESSAGE_FRAMING_RAW);
	relay.body_limit = UINT64_MAX;
	say(S("5\r\nhello\r\n"));
	assert_int_equal(pump(), RELAY_WAIT);
	assert_true(relay_waits_for_sink(&relay));
	assert_fetched(H2_BODY_MORE, "hello");
	assert_int_equal(pump(), RELAY_WAIT);
	assert_true(relay_waits_for_source(&relay));

	say(S("0\r\nGrpc-Status: 0\r\n\r\n"));

	assert_int_equal(pump(), RELAY_WAIT);
	assert_fetched(H2_BODY_END, "");
	assert_int_equal(relay.sender.trailer_count, 1);
	assert_true(span_equals(relay.sender.trailers[0].name, S("Grpc-Status")));
	assert_int_equal(pump(), RELAY_DONE);
}

static void a_stream_passes_into_chunks(void **state)
{
	struct iobuf_pool pool;

	(void)state;
	given_streams(64);
	given_h2_stream();
	iobuf_pool_init(&pool, 4);
	body_reader_init_stream(&relay.reader, &h2_stream, BODY_CHUNKED);
	message_sender_init(&relay.sender, &sink.transport, MESSAGE_FRAMING_CHUNKED,
			    S("HEAD\r\n\r\n"));
	relay.body_limit = UINT64_MAX;
	assert_int_equal(pump(), RELAY_WAIT);
	assert_true(relay_waits_for_source(&relay));
	h2_stream.held_bytes = 5;
	body_reader_feed(&relay.reader, &pool, S("hello"));
	assert_int_equal(pump(), RELAY_WAIT);
	assert_int_equal(h2_stream.held_bytes, 0);

	h2_stream.remote_ended = true;

	assert_int_equal(pump(), RELAY_DONE);
	assert_taken("HEAD\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
	body_reader_fini(&relay.reader, &pool);
	iobuf_pool_fini(&pool);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_head_alone_is_a_whole_message),
		TEST(the_head_goes_before_any_of_the_body_is_there),
		TEST(each_piece_goes_on_as_it_comes),
		TEST(an_empty_chunked_body_becomes_an_empty_chunked_body),
		TEST(a_body_without_length_becomes_chunks_with_an_end),
		TEST(what_follows_the_body_stays_for_the_next_message),
		TEST(a_body_that_ends_early_is_cut),
		TEST(chunks_without_their_end_are_cut_and_get_no_end),
		TEST(a_broken_chunk_is_bad_and_nothing_of_it_goes_on),
		TEST(a_reset_is_no_end_of_a_body_without_length),
		TEST(a_sink_that_is_gone_is_broken),
		TEST(a_head_that_cannot_be_kept_for_a_slow_sink_is_nobodys_fault),
		TEST(a_body_may_be_as_long_as_its_limit_and_no_longer),
		TEST(nothing_is_read_while_the_sink_is_full),
		TEST(bytes_that_wait_for_a_full_sink_may_move_under_it),
		TEST(a_relay_that_had_its_share_gives_way_to_others),
		TEST(a_request_can_be_sent_to_another_sink_from_its_beginning),
		TEST(a_large_body_passes_through_a_pipe_and_no_byte_more),
		TEST(a_large_body_that_ends_in_a_pipe_is_cut),
		TEST(a_full_sink_keeps_the_pipe_full_and_is_waited_for),
		TEST(a_large_body_passes_over_tls_in_blocks_and_no_byte_more),
		TEST(only_a_goodbye_ends_a_body_without_length_over_tls),
		TEST(chunks_and_their_trailers_pass_into_a_stream),
		TEST(a_stream_passes_into_chunks),
		TEST(every_framing_passes_one_byte_at_a_time),
		TEST(every_framing_passes_in_random_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
