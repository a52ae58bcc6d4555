/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/body_reader.h"

#include "given_h2_stream.h"
#include "given_stream.h"

enum { HEAD_SIZE = 8 };

/* A connection whose head, "headHEAD", was parsed and what came with it lies behind. */
static struct given_loop given;
static struct given_stream stream;
static struct iobuf *buf;
static struct body_reader reader;

static void given_buffer(uint32_t room, const char *behind_head)
{
	given_stream_open(&stream, &given, SOCK_STREAM);
	buf = given_iobuf(room);
	memcpy(buf->bytes, "headHEAD", HEAD_SIZE);
	memcpy(buf->bytes + HEAD_SIZE, behind_head, strlen(behind_head));
	buf->start = HEAD_SIZE;
	buf->end = HEAD_SIZE + (uint32_t)strlen(behind_head);
}

static void say(const char *text)
{
	assert_int_equal(write(stream.peer, text, strlen(text)), strlen(text));
	run_turns(&given, 1);
}

static void hang_up(void)
{
	close(stream.peer);
	stream.peer = -1;
	run_turns(&given, 1);
}

static void assert_data(const char *expected)
{
	assert_true(span_equals(body_reader_data(&reader), span_from(expected)));
}

static void assert_left(const char *expected)
{
	assert_true(span_equals(span_make(buf->bytes + buf->start, buf->end - buf->start),
				span_from(expected)));
}

static void consume_all(void)
{
	body_reader_consume(&reader, body_reader_data(&reader).len);
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
	given_stream_close(&stream, &given);
	free(buf);
	given_loop_fini(&given);
	return 0;
}

static void no_body_is_at_its_end_and_what_follows_is_left(void **state)
{
	(void)state;
	given_buffer(64, "GET /next");
	body_reader_init(&reader, &stream.transport, buf, BODY_NONE, 0, true);

	assert_int_equal(body_reader_decode(&reader), BODY_READER_END);
	assert_left("GET /next");
}

static void a_length_of_nothing_is_at_its_end(void **state)
{
	(void)state;
	given_buffer(64, "");
	body_reader_init(&reader, &stream.transport, buf, BODY_LENGTH, 0, true);

	assert_int_equal(body_reader_decode(&reader), BODY_READER_END);
}

static void a_body_that_came_with_its_head_is_there_at_once(void **state)
{
	(void)state;
	given_buffer(64, "helloGET /next");
	body_reader_init(&reader, &stream.transport, buf, BODY_LENGTH, 5, true);

	assert_int_equal(body_reader_decode(&reader), BODY_READER_DATA);
	assert_data("hello");
	assert_true(reader.ended);
	consume_all();
	assert_int_equal(body_reader_decode(&reader), BODY_READER_END);
	assert_left("GET /next");
	assert_int_equal(reader.total, 5);
	assert_int_equal(reader.wire_bytes, 5);
}

static void without_bytes_one_waits(void **state)
{
	(void)state;
	given_buffer(64, "");
	body_reader_init(&reader, &stream.transport, buf, BODY_LENGTH, 5, true);

	assert_int_equal(body_reader_decode(&reader), BODY_READER_WAIT);
	assert_int_equal(body_reader_read(&reader), BODY_READER_WAIT);
}

static void a_length_is_read_to_its_last_byte_and_no_further(void **state)
{
	(void)state;
	given_buffer(64, "he");
	body_reader_init(&reader, &stream.transport, buf, BODY_LENGTH, 5, false);
	assert_int_equal(body_reader_decode(&reader), BODY_READER_DATA);
	assert_data("he");
	consume_all();
	say("lloGET /next");

	assert_int_equal(body_reader_read(&reader), BODY_READER_DATA);
	assert_data("llo");
	assert_true(reader.ended);
	assert_left("GET /next");
}

static void chunks_are_moved_together(void **state)
{
	(void)state;
	given_buffer(128, "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: v\r\n\r\nGET /next");
	body_reader_init(&reader, &stream.transport, buf, BODY_CHUNKED, 0, true);

	assert_int_equal(body_reader_decode(&reader), BODY_READER_DATA);
	assert_data("abcdefg");
	assert_true(reader.ended);
	assert_int_equal(reader.total, 7);
	assert_int_equal(reader.wire_bytes,
			 strlen("3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: v\r\n\r\n"));
	consume_all();
	assert_int_equal(body_reader_decode(&reader), BODY_READER_END);
	assert_left("GET /next");
	assert_memory_equal(buf->bytes, "headHEAD", HEAD_SIZE);
}

static void the_end_of_the_connection_ends_a_body_without_length(void **state)
{
	(void)state;
	given_buffer(64, "he");
	body_reader_init(&reader, &stream.transport, buf, BODY_CLOSE, 0, false);
	assert_int_equal(body_reader_decode(&reader), BODY_READER_DATA);
	consume_all();
	say("llo");
	assert_int_equal(body_reader_read(&reader), BODY_READER_DATA);
	assert_data("llo");
	assert_false(reader.ended);
	consume_all();
	hang_up();

	assert_int_equal(body_reader_read(&reader), BODY_READER_END);
}

static void a_length_or_chunks_that_end_early_are_cut(void **state)
{
	(void)state;
	given_buffer(64, "he");
	body_reader_init(&reader, &stream.transport, buf, BODY_LENGTH, 5, false);
	body_reader_decode(&reader);
	consume_all();
	hang_up();
	assert_int_equal(body_reader_read(&reader), BODY_READER_CUT);

	body_reader_init(&reader, &stream.transport, buf, BODY_CHUNKED, 0, false);
	assert_int_equal(body_reader_read(&reader), BODY_READER_CUT);
}

static void a_broken_chunk_is_a_fault_and_stays_one(void **state)
{
	(void)state;
	given_buffer(64, "3\r\nabcX");
	body_reader_init(&reader, &stream.transport, buf, BODY_CHUNKED, 0, true);

	assert_int_equal(body_reader_decode(&reader), BODY_READER_FAULT);
	assert_int_equal(reader.fault, FAULT_BAD_CHUNK);
	assert_int_equal(body_reader_decode(&reader), BODY_READER_FAULT);
}

static void a_broken_trailer_is_a_fault_of_its_own(void **state)
{
	(void)state;
	given_buffer(64, "3\r\nabc\r\n0\r\nbad line\r\n\r\n");
	body_reader_init(&reader, &stream.transport, buf, BODY_CHUNKED, 0, true);

	assert_int_equal(body_reader_decode(&reader), BODY_READER_FAULT);
	assert_int_equal(reader.fault, FAULT_BAD_TRAILER);
}

/*
 * What is kept
 */

static void a_body_that_is_kept_can_be_read_once_more(void **state)
{
	(void)state;
	given_buffer(128, "2\r\nab\r\n");
	body_reader_init(&reader, &stream.transport, buf, BODY_CHUNKED, 0, true);
	body_reader_decode(&reader);
	consume_all();
	say("3\r\ncde\r\n");
	assert_int_equal(body_reader_read(&reader), BODY_READER_DATA);
	assert_data("cde");
	body_reader_consume(&reader, 1);

	assert_true(reader.keeps);
	body_reader_rewind(&reader);
	assert_data("abcde");
	consume_all();
	say("1\r\nf\r\n0\r\n\r\n");
	assert_int_equal(body_reader_read(&reader), BODY_READER_DATA);
	assert_data("f");
	consume_all();
	assert_int_equal(body_reader_decode(&reader), BODY_READER_END);
	body_reader_rewind(&reader);
	assert_data("abcdef");
	assert_true(reader.ended);
	assert_memory_equal(buf->bytes, "headHEAD", HEAD_SIZE);
}

static void where_room_runs_out_nothing_is_kept_but_the_head(void **state)
{
	(void)state;
	given_buffer(HEAD_SIZE + 4, "");
	body_reader_init(&reader, &stream.transport, buf, BODY_LENGTH, 10, true);
	say("0123456789");
	assert_int_equal(body_reader_read(&reader), BODY_READER_DATA);
	assert_data("0123");
	consume_all();
	assert_true(reader.keeps);

	assert_int_equal(body_reader_read(&reader), BODY_READER_DATA);
	assert_data("4567");
	assert_false(reader.keeps);
	assert_memory_equal(buf->bytes, "headHEAD", HEAD_SIZE);
}

static void a_body_that_is_not_kept_has_the_whole_buffer(void **state)
{
	(void)state;
	given_buffer(HEAD_SIZE + 4, "");
	body_reader_init(&reader, &stream.transport, buf, BODY_LENGTH, 20, false);
	say("0123456789abcdefghij");

	assert_int_equal(body_reader_read(&reader), BODY_READER_DATA);
	assert_data("0123456789ab");
}

static void a_head_that_fills_the_buffer_may_go_where_nothing_is_kept(void **state)
{
	(void)state;
	given_buffer(HEAD_SIZE, "");
	body_reader_init(&reader, &stream.transport, buf, BODY_LENGTH, 10, false);
	say("0123456789");

	assert_int_equal(body_reader_read(&reader), BODY_READER_DATA);
	assert_data("01234567");
	consume_all();
	assert_int_equal(body_reader_read(&reader), BODY_READER_DATA);
	assert_data("89");
	assert_true(reader.ended);
}

/*
 * Of a stream
 */

static struct iobuf_pool pool;

static void given_fed_reader(enum body_framing framing)
{
	iobuf_pool_init(&pool, 64);
	given_h2_stream();
	body_reader_init_stream(&reader, &h2_stream, framing);
}

static void feed(struct span bytes)
{
	h2_stream.held_bytes += bytes.len;
	assert_true(body_reader_feed(&reader, &pool, bytes));
}

/* As many bytes of a pattern that repeats nowhere in a buffer. */
static const char *pattern(void)
{
	static char bytes[5 * IOBUF_ROOM];

	for (uint32_t i = 0; i < sizeof(bytes) / 4; i++)
		memcpy(bytes + (size_t)i * 4, &i, 4);
	return bytes;
}

static void end_fed_reader(void)
{
	body_reader_fini(&reader, &pool);
	assert_int_equal(pool.slab.count, 0);
	assert_int_equal(pool.large, 0);
	iobuf_pool_fini(&pool);
}

static void a_stream_costs_no_buffer_before_its_first_byte(void **state)
{
	(void)state;
	given_fed_reader(BODY_CHUNKED);

	assert_int_equal(body_reader_read(&reader), BODY_READER_WAIT);
	assert_true(body_reader_is_untouched(&reader));
	assert_int_equal(pool.slab.count, 0);
	assert_int_equal(body_reader_data(&reader).len, 0);
	end_fed_reader();
}

static void what_a_stream_brings_is_data_until_it_ends(void **state)
{
	(void)state;
	given_fed_reader(BODY_CHUNKED);
	feed(S("hello "));
	feed(S("world"));
	assert_int_equal(body_reader_decode(&reader), BODY_READER_DATA);
	assert_data("hello world");
	consume_all();
	assert_int_equal(body_reader_read(&reader), BODY_READER_WAIT);
	assert_false(body_reader_may_have_more(&reader));

	h2_stream.remote_ended = true;

	assert_int_equal(body_reader_read(&reader), BODY_READER_END);
	assert_int_equal(reader.total, 11);
	end_fed_reader();
}

static void a_stream_without_body_has_ended_from_the_beginning(void **state)
{
	(void)state;
	given_fed_reader(BODY_NONE);

	assert_int_equal(body_reader_decode(&reader), BODY_READER_END);
	end_fed_reader();
}

static void what_is_sent_twice_is_given_back_once(void **state)
{
	(void)state;
	given_fed_reader(BODY_CHUNKED);
	feed(S("hello"));
	body_reader_consume(&reader, 3);
	assert_int_equal(h2_stream.held_bytes, 2);

	body_reader_rewind(&reader);
	assert_data("hello");
	body_reader_consume(&reader, 4);

	assert_int_equal(h2_stream.held_bytes, 1);
	consume_all();
	assert_int_equal(h2_stream.held_bytes, 0);
	end_fed_reader();
}

static void a_body_is_kept_as_long_as_it_fits(void **state)
{
	(void)state;
	given_fed_reader(BODY_CHUNKED);
	feed(span_make(pattern(), IOBUF_ROOM));
	body_reader_consume(&reader, 100);
	assert_true(reader.keeps);

	feed(span_make(pattern() + IOBUF_ROOM, 100));

	assert_false(reader.keeps);
	assert_int_equal(h2_stream.held_bytes, IOBUF_ROOM);
	assert_memory_equal(body_reader_data(&reader).ptr, pattern() + 100, IOBUF_ROOM);
	consume_all();
	assert_int_equal(h2_stream.held_bytes, 0);
	end_fed_reader();
}

static void the_buffer_grows_with_what_nobody_takes(void **state)
{
	(void)state;
	given_fed_reader(BODY_CHUNKED);

	for (unsigned i = 0; i < 5; i++)
		feed(span_make(pattern() + (size_t)i * IOBUF_ROOM, IOBUF_ROOM));

	assert_true(reader.keeps);
	assert_int_equal(body_reader_data(&reader).len, 5 * IOBUF_ROOM);
	assert_memory_equal(body_reader_data(&reader).ptr, pattern(), 5 * IOBUF_ROOM);
	consume_all();
	body_reader_rewind(&reader);
	assert_memory_equal(body_reader_data(&reader).ptr, pattern(), 5 * IOBUF_ROOM);
	end_fed_reader();
}

static void without_a_buffer_nothing_is_taken(void **state)
{
	(void)state;
	given_fed_reader(BODY_CHUNKED);
	iobuf_pool_fini(&pool);
	iobuf_pool_init(&pool, 0);

	assert_false(body_reader_feed(&reader, &pool, S("a")));
	assert_int_equal(reader.total, 0);
	end_fed_reader();
}

static void what_came_before_a_tunnel_is_its_first_data(void **state)
{
	(void)state;
	given_fed_reader(BODY_NONE);
	feed(S("early"));

	body_reader_go_raw(&reader);

	assert_int_equal(body_reader_decode(&reader), BODY_READER_DATA);
	assert_data("early");
	consume_all();
	assert_int_equal(body_reader_decode(&reader), BODY_READER_WAIT);
	h2_stream.remote_ended = true;
	assert_int_equal(body_reader_decode(&reader), BODY_READER_END);
	end_fed_reader();
}

static void trailers_of_a_stream_are_those_that_came_with_its_end(void **state)
{
	struct header trailers[2] = {{.name = S("a")}, {.name = S("b")}};
	const struct header *list;

	(void)state;
	given_fed_reader(BODY_CHUNKED);
	h2_stream.trailers = trailers;
	h2_stream.trailer_count = 2;

	assert_int_equal(body_reader_trailers(&reader, &list), 2);
	assert_ptr_equal(list, trailers);
	end_fed_reader();
}

/*
 * Trailers of chunks
 */

static void trailers_are_kept_where_they_are_wanted_however_they_come(void **state)
{
	static const char coded[] = "2\r\nok\r\n0\r\nGrpc-Status: 0\r\nx: y\r\n\r\n";
	const struct header *list;
	struct arena arena;

	(void)state;
	arena_init(&arena, NULL, 0, 1 << 16);
	given_buffer(64, "");
	body_reader_init(&reader, &stream.transport, buf, BODY_CHUNKED, 0, false);
	reader.trailer_arena = &arena;
	for (size_t i = 0; i < sizeof(coded) - 1; i++) {
		say((char[]){coded[i], '\0'});
		assert_int_not_equal(body_reader_read(&reader), BODY_READER_FAULT);
		consume_all();
	}

	assert_true(reader.ended);
	assert_int_equal(body_reader_trailers(&reader, &list), 2);
	assert_true(span_equals(list[0].name, S("Grpc-Status")));
	assert_true(span_equals(list[1].value, S("y")));
	arena_fini(&arena);
}

static void a_body_without_trailers_takes_no_memory_for_them(void **state)
{
	const struct header *list;
	struct arena arena;

	(void)state;
	arena_init(&arena, NULL, 0, 0);
	given_buffer(64, "2\r\nok\r\n0\r\n\r\n");
	body_reader_init(&reader, &stream.transport, buf, BODY_CHUNKED, 0, false);
	reader.trailer_arena = &arena;

	assert_int_equal(body_reader_decode(&reader), BODY_READER_DATA);
	assert_int_equal(body_reader_trailers(&reader, &list), 0);
	arena_fini(&arena);
}

static void trailers_that_cannot_be_kept_are_a_fault(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, NULL, 0, 0);
	given_buffer(64, "0\r\na: b\r\n\r\n");
	body_reader_init(&reader, &stream.transport, buf, BODY_CHUNKED, 0, false);
	reader.trailer_arena = &arena;

	assert_int_equal(body_reader_decode(&reader), BODY_READER_FAULT);
	assert_int_equal(reader.fault, FAULT_OUT_OF_MEMORY);
	arena_fini(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(no_body_is_at_its_end_and_what_follows_is_left),
		TEST(a_length_of_nothing_is_at_its_end),
		TEST(a_body_that_came_with_its_head_is_there_at_once),
		TEST(without_bytes_one_waits),
		TEST(a_length_is_read_to_its_last_byte_and_no_further),
		TEST(chunks_are_moved_together),
		TEST(the_end_of_the_connection_ends_a_body_without_length),
		TEST(a_length_or_chunks_that_end_early_are_cut),
		TEST(a_broken_chunk_is_a_fault_and_stays_one),
		TEST(a_broken_trailer_is_a_fault_of_its_own),
		TEST(a_body_that_is_kept_can_be_read_once_more),
		TEST(where_room_runs_out_nothing_is_kept_but_the_head),
		TEST(a_body_that_is_not_kept_has_the_whole_buffer),
		TEST(a_head_that_fills_the_buffer_may_go_where_nothing_is_kept),
		TEST(trailers_are_kept_where_they_are_wanted_however_they_come),
		TEST(a_body_without_trailers_takes_no_memory_for_them),
		TEST(trailers_that_cannot_be_kept_are_a_fault),
		cmocka_unit_test(a_stream_costs_no_buffer_before_its_first_byte),
		cmocka_unit_test(what_a_stream_brings_is_data_until_it_ends),
		cmocka_unit_test(a_stream_without_body_has_ended_from_the_beginning),
		cmocka_unit_test(what_is_sent_twice_is_given_back_once),
		cmocka_unit_test(a_body_is_kept_as_long_as_it_fits),
		cmocka_unit_test(the_buffer_grows_with_what_nobody_takes),
		cmocka_unit_test(without_a_buffer_nothing_is_taken),
		cmocka_unit_test(what_came_before_a_tunnel_is_its_first_data),
		cmocka_unit_test(trailers_of_a_stream_are_those_that_came_with_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
