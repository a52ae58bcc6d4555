/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/body_reader.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
