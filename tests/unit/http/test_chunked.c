/* SPDX-License-Identifier: Apache-2.0 */
#include "http/chunked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "page_end.h"
#include "second_reading.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a body is taken for, its data in memory of the test. */
struct given_body {
	struct chunked_result result; /* consumed and produced are over all pieces */
	char data[PAGE_END_ROOM];
};

/* Decodes coded bytes in pieces of that many bytes, each at the end of memory. */
static void decode_in_pieces(struct span coded, size_t piece, struct given_body *body)
{
	struct chunked_decoder decoder = {0};

	body->result = (struct chunked_result){.status = CHUNKED_MORE};
	while (body->result.status == CHUNKED_MORE && coded.len > 0) {
		struct span bytes = page_end_copy(span_take(coded, piece));
		struct chunked_result result = chunked_decode(&decoder, (char *)bytes.ptr,
							      bytes.len);

		if (result.status == CHUNKED_MORE)
			assert_int_equal(result.consumed, bytes.len);
		memcpy(body->data + body->result.produced, bytes.ptr, result.produced);
		body->result.status = result.status;
		body->result.fault = result.fault;
		body->result.consumed += result.consumed;
		body->result.produced += result.produced;
		coded = span_skip(coded, result.consumed);
	}
	assert_int_equal(decoder.data_total, body->result.produced);
}

/* Whole, byte by byte and in other pieces: always the same. */
static struct given_body *given_body(struct span coded)
{
	static const size_t pieces[] = {1, 2, 3, 7, 64, 1000};
	static struct given_body whole, other;

	decode_in_pieces(coded, SIZE_MAX, &whole);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		decode_in_pieces(coded, pieces[i], &other);
		assert_int_equal(other.result.status, whole.result.status);
		assert_int_equal(other.result.fault, whole.result.fault);
		assert_int_equal(other.result.consumed, whole.result.consumed);
		assert_int_equal(other.result.produced, whole.result.produced);
		assert_memory_equal(other.data, whole.data, whole.result.produced);
	}
	if (whole.result.status == CHUNKED_DONE) {
		size_t data_bytes, coded_bytes;

		assert_true(second_chunked(coded, other.data, &data_bytes, &coded_bytes));
		assert_int_equal(coded_bytes, whole.result.consumed);
		assert_int_equal(data_bytes, whole.result.produced);
		assert_memory_equal(other.data, whole.data, data_bytes);
	}
	return &whole;
}

static void assert_done(struct span coded, struct span data)
{
	struct given_body *body = given_body(coded);

	if (body->result.status != CHUNKED_DONE || body->result.consumed != coded.len ||
	    !span_equals(span_make(body->data, body->result.produced), data))
		fail_msg("'%.*s': status %d, %zu bytes of data", (int)coded.len, coded.ptr,
			 (int)body->result.status, body->result.produced);
}

static void assert_bad(struct span coded, enum fault fault)
{
	struct given_body *body = given_body(coded);

	if (body->result.status != CHUNKED_BAD || body->result.fault != fault)
		fail_msg("'%.*s': status %d, %s", (int)coded.len, coded.ptr,
			 (int)body->result.status, fault_facts(body->result.fault)->word);
}

static void data_comes_out_without_its_coding(void **state)
{
	(void)state;
	assert_done(S("6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"), S("hello world"));
	assert_done(S("000A\r\n0123456789\r\n0b\r\nabcdefghijk\r\n0000\r\n\r\n"),
		    S("0123456789abcdefghijk"));
	assert_done(S("1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n"), S("\r\n"));
	assert_done(S("0\r\n\r\n"), S(""));
	assert_done(S("0000000000000000\r\n\r\n"), S(""));
}

static void bytes_behind_the_body_are_left_alone(void **state)
{
	struct span coded = S("3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n");
	char bytes[64];
	struct chunked_decoder decoder = {0};
	struct chunked_result result;

	(void)state;
	memcpy(bytes, coded.ptr, coded.len);
	result = chunked_decode(&decoder, bytes, coded.len);

	assert_int_equal(result.status, CHUNKED_DONE);
	assert_int_equal(result.consumed, 13);
	assert_int_equal(result.produced, 3);
	assert_memory_equal(bytes, "abc", 3);
	assert_memory_equal(bytes + 13, coded.ptr + 13, coded.len - 13);
}

static void a_body_that_is_not_over_needs_more(void **state)
{
	struct span coded = S("5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n");

	(void)state;
	for (size_t length = 0; length < coded.len; length++)
		assert_int_equal(given_body(span_take(coded, length))->result.status, CHUNKED_MORE);
	assert_int_equal(given_body(coded)->result.status, CHUNKED_DONE);
}

static void a_size_is_hexadecimal_digits_and_nothing_else(void **state)
{
	static const struct span sizes[] = {
		/* H45 */
		S("0x5\r\nhello\r\n"),  S("+5\r\nhello\r\n"),   S("-5\r\nhello\r\n"),
		S("5 \r\nhello\r\n"),   S(" 5\r\nhello\r\n"),   S("5\t\r\nhello\r\n"),
		S("5 ;a\r\nhello\r\n"), S("\r\nhello\r\n"),     S("5G\r\nhello\r\n"),
		S("0_5\r\nhello\r\n"),  S(";a=b\r\nhello\r\n"), S("g\r\n"),
		S("5\0\r\nhello\r\n"),  S("5.0\r\n"),           S("\xb5\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++)
		assert_bad(sizes[i], FAULT_BAD_CHUNK);
}

static void a_size_has_at_most_sixteen_digits_and_63_bits(void **state)
{
	(void)state; /* H45 */
	assert_done(S("0000000000000001\r\nx\r\n0\r\n\r\n"), S("x"));
	assert_bad(S("00000000000000001\r\nx\r\n"), FAULT_BAD_CHUNK);
	assert_bad(S("10000000000000005\r\nhello\r\n"), FAULT_BAD_CHUNK);
	assert_bad(S("FFFFFFFFFFFFFFFF\r\nhello\r\n"), FAULT_BAD_CHUNK);
	assert_bad(S("8000000000000000\r\nhello\r\n"), FAULT_BAD_CHUNK);
	assert_int_equal(given_body(S("7FFFFFFFFFFFFFFF\r\nhello"))->result.status, CHUNKED_MORE);
}

static void a_body_ends_at_two_to_the_63(void **state)
{
	struct chunked_decoder decoder = {.data_total = INT64_MAX - 5};
	struct chunked_decoder beyond = {.data_total = INT64_MAX - 4};
	char bytes[] = "5\r\nhello\r\n";
	char again[] = "5\r\nhello\r\n";

	(void)state;
	assert_int_equal(chunked_decode(&decoder, bytes, sizeof(bytes) - 1).status, CHUNKED_MORE);
	assert_int_equal(chunked_decode(&beyond, again, sizeof(again) - 1).status, CHUNKED_BAD);
}

static void lines_end_with_crlf(void **state)
{
	(void)state; /* H1, H47 */
	assert_bad(S("5\nhello\r\n0\r\n\r\n"), FAULT_BAD_CHUNK);
	assert_bad(S("5\r\r\nhello\r\n"), FAULT_BAD_CHUNK);
	assert_bad(S("5\rhello\r\n"), FAULT_BAD_CHUNK);
	assert_bad(S("5;a\nhello\r\n"), FAULT_BAD_CHUNK);
	assert_bad(S("5\r\nhelloXX0\r\n\r\n"), FAULT_BAD_CHUNK);
	assert_bad(S("5\r\nhello\n0\r\n\r\n"), FAULT_BAD_CHUNK);
	assert_bad(S("5\r\nhello\rX"), FAULT_BAD_CHUNK);
	assert_bad(S("3\r\nhello\r\n0\r\n\r\n"), FAULT_BAD_CHUNK);
	assert_bad(S("5\r\nhello\r\n\r\n0\r\n\r\n"), FAULT_BAD_CHUNK);
}

static void what_came_before_a_fault_is_sound(void **state)
{
	struct given_body *body = given_body(S("5\r\nhello\r\n3\r\nabcX"));

	(void)state;
	assert_int_equal(body->result.status, CHUNKED_BAD);
	assert_int_equal(body->result.consumed, 16);
	assert_int_equal(body->result.produced, 8);
	assert_memory_equal(body->data, "helloabc", 8);
}

static void an_extension_is_read_by_its_grammar_and_dropped(void **state)
{
	static const struct span good[] = {
		/* H46 */
		S("5;a\r\n"),
		S("5;a=b\r\n"),
		S("5;a=b;c=\"d;e\"\r\n"),
		S("5; a=b\r\n"),
		S("5;\ta ;b\t; c\r\n"),
		S("5;a=\"\"\r\n"),
		S("5;a=\"\\\"\"\r\n"),
		S("5;a=\"\\\\\" ;b\r\n"),
		S("5;a=\"\t\xe9\"\r\n"),
		S("5;!#$%&'*+-.^_`|~=1\r\n"),
	};
	static const struct span bad[] = {
		S("5;\r\n"),           S("5;;a\r\n"),         S("5;a=\r\n"),
		S("5;=b\r\n"),         S("5;a b\r\n"),        S("5;a \r\n"),
		S("5;a=b \r\n"),       S("5;a =b\r\n"),       S("5;a= b\r\n"),
		S("5;a=\"b\r\n"),      S("5;a=\"b\"c\r\n"),   S("5;a=\"b\" \r\n"),
		S("5;a\0b\r\n"),       S("5;a\rb\r\n"),       S("5;a=\"\0\"\r\n"),
		S("5;a=\"\\\r\"\r\n"), S("5;a=\"\x7f\"\r\n"), S("5;a,b\r\n"),
		S("5;\xe9\r\n"),       S("5;a=b=c\r\n"),      S("5;\n"),
		S("5;a;\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		char coded[128];
		size_t length = good[i].len;

		memcpy(coded, good[i].ptr, length);
		memcpy(coded + length, "hello\r\n0\r\n\r\n", 12);
		assert_done(span_make(coded, length + 12), S("hello"));
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_bad(bad[i], FAULT_BAD_CHUNK);
}

/* "1;aaa…\r\nx\r\n", the part from ';' to CR of that length, added to text. */
static size_t add_extension(char *text, size_t at, size_t length)
{
	memcpy(text + at, "1;", 2);
	memset(text + at + 2, 'a', length - 1);
	memcpy(text + at + 1 + length, "\r\nx\r\n", 5);
	return at + 1 + length + 5;
}

static void extensions_are_limited_by_line_and_message(void **state)
{
	static char text[8192];
	size_t length;

	(void)state; /* H46: 256 bytes a line, of them the CR; 4,096 a message */
	length = add_extension(text, 0, 256);
	assert_int_equal(given_body(span_make(text, length))->result.status, CHUNKED_MORE);
	length = add_extension(text, 0, 257);
	assert_bad(span_make(text, length), FAULT_BAD_CHUNK);

	length = 0;
	for (unsigned i = 0; i < 16; i++)
		length = add_extension(text, length, 256);
	assert_int_equal(given_body(span_make(text, length))->result.status, CHUNKED_MORE);
	assert_bad(span_make(text, add_extension(text, length, 2)), FAULT_BAD_CHUNK);

	for (length = 0; length < 15 * (256 + 6);)
		length = add_extension(text, length, 256);
	length = add_extension(text, length, 254);
	assert_int_equal(given_body(span_make(text, add_extension(text, length, 2)))->result.status,
			 CHUNKED_MORE);
	assert_bad(span_make(text, add_extension(text, length, 3)), FAULT_BAD_CHUNK);
}

static void chunks_of_one_byte_pass_as_long_as_they_are_not_all_overhead(void **state)
{
	static char text[PAGE_END_ROOM];
	const char lean[] = "1\r\nx\r\n";               /* 5 bytes for one */
	const char fat[] = "0000000000000001\r\nx\r\n"; /* 20 bytes for one */
	size_t length = 0;

	(void)state; /* H46: sixteen bytes for one, over 64 KiB */
	while (length + sizeof(lean) < 200000)
		for (size_t i = 0; i < sizeof(lean) - 1; i++)
			text[length++] = lean[i];
	assert_int_equal(given_body(span_make(text, length))->result.status, CHUNKED_MORE);

	for (length = 0; length + sizeof(fat) < PAGE_END_ROOM;)
		for (size_t i = 0; i < sizeof(fat) - 1; i++)
			text[length++] = fat[i];
	assert_int_equal(given_body(span_make(text, 200000))->result.status, CHUNKED_MORE);

	/* four bytes of each twenty are not paid for: 64 KiB are used up after 16 Ki chunks */
	struct chunked_decoder decoder = {0};
	unsigned chunks = 0;

	for (; chunks < 100000; chunks++) {
		memcpy(text, fat, sizeof(fat));
		if (chunked_decode(&decoder, text, sizeof(fat) - 1).status != CHUNKED_MORE)
			break;
	}
	assert_in_range(chunks, 16 * 1024 - 16, 16 * 1024 + 16);
}

static void a_trailer_obeys_the_rules_of_a_head_and_is_dropped(void **state)
{
	static const struct span good[] = {
		/* H48 */
		S("X-Check: 1\r\n"),
		S("A:\r\nB: \xe9\t \r\n"),
		S("Content-Length: 100\r\n"),
		S("Transfer-Encoding: gzip\r\nHost: evil.test\r\n"),
		S("X_A: b\r\n"),
	};
	static const struct span bad[] = {
		S("nocolon\r\n"),
		S("X-A: b\nX-C: d\r\n"),
		S("X-A: b\r\n c\r\n"),
		S("X-A : b\r\n"),
		S(": b\r\n"),
		S("X-A: b\rc\r\n"),
		S("X-A: \0\r\n"),
		S("X-A: \x7f\r\n"),
		S("X(A: b\r\n"),
		S("GET /smug HTTP/1.1\r\n"),
		S(" X: y\r\n"),
		S("\n"),
		S("\rX"),
		S("\xe9: b\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		char coded[128] = "5\r\nhello\r\n0\r\n";
		size_t length = strlen(coded);

		memcpy(coded + length, good[i].ptr, good[i].len);
		memcpy(coded + length + good[i].len, "\r\n", 2);
		assert_done(span_make(coded, length + good[i].len + 2), S("hello"));
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		char coded[128] = "0\r\n";

		memcpy(coded + 3, bad[i].ptr, bad[i].len);
		assert_bad(span_make(coded, 3 + bad[i].len), FAULT_BAD_TRAILER);
	}
}

static void a_trailer_is_limited_in_fields_and_bytes(void **state)
{
	static char text[9000] = "0\r\n";
	size_t length = 3;

	(void)state; /* H48: 32 fields, 8 KiB */
	for (unsigned i = 0; i < 32; i++, length += 6)
		memcpy(text + length, "A: b\r\n", 6);
	memcpy(text + length, "\r\n", 2);
	assert_done(span_make(text, length + 2), S(""));
	memcpy(text + length, "A", 1);
	assert_bad(span_make(text, length + 1), FAULT_BAD_TRAILER);

	memset(text + 3, 'a', 8192);
	text[4] = ':';
	memcpy(text + 3 + 8188, "\r\n\r\n", 4);
	assert_done(span_make(text, 3 + 8192), S(""));
	memcpy(text + 3 + 8188, "a\r\n\r\n", 5);
	assert_bad(span_make(text, 3 + 8193), FAULT_BAD_TRAILER);
}

static void a_size_is_written_as_it_is_read(void **state)
{
	static const struct {
		uint64_t size;
		const char *line;
	} cases[] = {
		{1, "1\r\n"},         {15, "f\r\n"},          {16, "10\r\n"},
		{0x1a2b, "1a2b\r\n"}, {0x10000, "10000\r\n"}, {INT64_MAX, "7fffffffffffffff\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char line[CHUNKED_SIZE_LINE_MAX];
		size_t length = chunked_write_size(line, cases[i].size);
		struct chunked_decoder decoder = {0};

		assert_int_equal(length, strlen(cases[i].line));
		assert_memory_equal(line, cases[i].line, length);
		assert_int_equal(chunked_decode(&decoder, line, length).status, CHUNKED_MORE);
		assert_int_equal(decoder.left, cases[i].size);
	}
	for (unsigned bit = 0; bit < 63; bit++) {
		char line[CHUNKED_SIZE_LINE_MAX];
		size_t length = chunked_write_size(line, UINT64_C(1) << bit);

		line[length - 2] = '\0';
		assert_int_equal(strtoull(line, NULL, 16), UINT64_C(1) << bit);
		assert_int_not_equal(line[0], '0');
	}
}

static void every_byte_of_the_trailer_is_told_once(void **state)
{
	const struct span coded = S("3\r\nabc\r\n0\r\na: b\r\nc: d\r\n\r\nnext");
	const struct span trailer = S("a: b\r\nc: d\r\n\r\n");

	(void)state;
	for (size_t piece = 1; piece <= coded.len; piece++) {
		struct chunked_decoder decoder = {0};
		struct chunked_result result = {.status = CHUNKED_MORE};
		struct span left = coded;
		char told[64];
		size_t length = 0;

		while (result.status == CHUNKED_MORE) {
			char bytes[64];
			struct span next = span_take(left, piece);

			memcpy(bytes, next.ptr, next.len);
			result = chunked_decode(&decoder, bytes, next.len);
			memcpy(told + length, bytes + result.consumed - result.trailer_bytes,
			       result.trailer_bytes);
			length += result.trailer_bytes;
			left = span_skip(left, result.consumed);
		}

		assert_int_equal(result.status, CHUNKED_DONE);
		assert_true(span_equals(span_make(told, length), trailer));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_comes_out_without_its_coding),
		cmocka_unit_test(bytes_behind_the_body_are_left_alone),
		cmocka_unit_test(a_body_that_is_not_over_needs_more),
		cmocka_unit_test(a_size_is_hexadecimal_digits_and_nothing_else),
		cmocka_unit_test(a_size_has_at_most_sixteen_digits_and_63_bits),
		cmocka_unit_test(a_body_ends_at_two_to_the_63),
		cmocka_unit_test(lines_end_with_crlf),
		cmocka_unit_test(what_came_before_a_fault_is_sound),
		cmocka_unit_test(an_extension_is_read_by_its_grammar_and_dropped),
		cmocka_unit_test(extensions_are_limited_by_line_and_message),
		cmocka_unit_test(chunks_of_one_byte_pass_as_long_as_they_are_not_all_overhead),
		cmocka_unit_test(a_trailer_obeys_the_rules_of_a_head_and_is_dropped),
		cmocka_unit_test(a_trailer_is_limited_in_fields_and_bytes),
		cmocka_unit_test(every_byte_of_the_trailer_is_told_once),
		cmocka_unit_test(a_size_is_written_as_it_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
