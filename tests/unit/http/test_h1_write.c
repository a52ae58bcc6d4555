/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_write.h"

#include <stdio.h>

#include "given_head.h"

static void a_request_head_is_written(void **state)
{
	char memory[256];
	struct h1_writer writer = h1_writer_over(memory, sizeof(memory));
	struct header header = {S("x-Custom"), S("a\tb \xe9"), HEADER_OTHER, false};

	(void)state;
	h1_write_request_line(&writer, S("GET"), S("/a"), S("?b"));
	h1_write_field(&writer, HEADER_HOST, S("a.test:80"));
	h1_write_field(&writer, HEADER_X_REAL_IP, S("127.0.0.1"));
	h1_write_header(&writer, &header);
	h1_write_field_number(&writer, HEADER_CONTENT_LENGTH, 0);
	h1_write_literal(&writer, S("A: b\r\n"));
	h1_write_end(&writer);

	assert_int_equal(writer.fault, H1_WRITER_OK);
	assert_span(h1_written(&writer), S("GET /a?b HTTP/1.1\r\n"
					   "Host: a.test:80\r\n"
					   "X-Real-IP: 127.0.0.1\r\n"
					   "x-Custom: a\tb \xe9\r\n"
					   "Content-Length: 0\r\n"
					   "A: b\r\n"
					   "\r\n"));
}

static void a_status_line_has_its_reason_or_the_standard_one(void **state)
{
	static const struct {
		unsigned status;
		struct span reason;
		struct span line;
	} cases[] = {
		{200, S(""), S("HTTP/1.1 200 OK\r\n")},
		{404, S(""), S("HTTP/1.1 404 Not Found\r\n")},
		{404, S("Gone Away"), S("HTTP/1.1 404 Gone Away\r\n")},
		{299, S(""), S("HTTP/1.1 299 \r\n")},
		{100, S(""), S("HTTP/1.1 100 Continue\r\n")},
		{599, S("x"), S("HTTP/1.1 599 x\r\n")},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char memory[64];
		struct h1_writer writer = h1_writer_over(memory, sizeof(memory));

		h1_write_status_line(&writer, cases[i].status, cases[i].reason);
		assert_int_equal(writer.fault, H1_WRITER_OK);
		assert_span(h1_written(&writer), cases[i].line);
	}
	assert_span(h1_reason(421), S("Misdirected Request"));
	assert_int_equal(h1_reason(299).len, 0);
}

static void numbers_are_decimal(void **state)
{
	static const struct {
		uint64_t value;
		struct span line;
	} cases[] = {
		{0, S("Content-Length: 0\r\n")},
		{10, S("Content-Length: 10\r\n")},
		{INT64_MAX, S("Content-Length: 9223372036854775807\r\n")},
		{UINT64_MAX, S("Content-Length: 18446744073709551615\r\n")},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char memory[64];
		struct h1_writer writer = h1_writer_over(memory, sizeof(memory));

		h1_write_field_number(&writer, HEADER_CONTENT_LENGTH, cases[i].value);
		assert_span(h1_written(&writer), cases[i].line);
	}
}

static void every_known_field_is_written_even_where_room_is_tight(void **state)
{
	(void)state;
	for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++) {
		struct span name = header_name((enum header_id)id);
		char *room = page_end_room(name.len + 5);
		struct h1_writer writer = h1_writer_over(room, name.len + 5);

		h1_write_field(&writer, (enum header_id)id, S("v"));
		assert_int_equal(writer.fault, H1_WRITER_OK);
		assert_span(span_take(h1_written(&writer), name.len), name);
		assert_span(span_skip(h1_written(&writer), name.len), S(": v\r\n"));
	}
}

/* A line of each kind. */
enum line_kind {
	LINE_REQUEST,
	LINE_STATUS,
	LINE_FIELD,
	LINE_HEADER,
	LINE_NUMBER,
	LINE_LITERAL,
	LINE_END,
	LINE_KINDS
};

static void write_line(struct h1_writer *writer, enum line_kind kind)
{
	struct header header = {S("X-A"), S("0123456789abcdef0"), HEADER_OTHER, false};

	switch (kind) {
	case LINE_REQUEST:
		h1_write_request_line(writer, S("GET"), S("/a"), S(""));
		break;
	case LINE_STATUS:
		h1_write_status_line(writer, 200, S(""));
		break;
	case LINE_FIELD:
		h1_write_field(writer, HEADER_LOCATION, S("/0123456789"));
		break;
	case LINE_HEADER:
		h1_write_header(writer, &header);
		break;
	case LINE_NUMBER:
		h1_write_field_number(writer, HEADER_CONTENT_LENGTH, 17);
		break;
	case LINE_LITERAL:
		h1_write_literal(writer, S("A: b\r\n"));
		break;
	case LINE_END:
		h1_write_end(writer);
		break;
	case LINE_KINDS:
		break;
	}
}

static void a_line_is_written_whole_or_not_at_all(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < LINE_KINDS; kind++) {
		char memory[128];
		struct h1_writer enough = h1_writer_over(memory, sizeof(memory));
		size_t needed;

		write_line(&enough, (enum line_kind)kind);
		needed = h1_written(&enough).len;
		for (size_t room = 0; room <= needed; room++) {
			struct h1_writer writer = h1_writer_over(page_end_room(room), room);

			write_line(&writer, (enum line_kind)kind);
			assert_int_equal(writer.fault,
					 room < needed ? H1_WRITER_FULL : H1_WRITER_OK);
			assert_int_equal(h1_written(&writer).len, room < needed ? 0 : needed);
		}
	}
}

static void nothing_follows_a_failure(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < LINE_KINDS; kind++) {
		char memory[128];
		struct h1_writer writer = h1_writer_over(memory, sizeof(memory));

		h1_write_literal(&writer, S("A: b\r\n"));
		h1_write_field(&writer, HEADER_ACCEPT, S("a\nb"));
		write_line(&writer, (enum line_kind)kind);
		assert_int_equal(writer.fault, H1_WRITER_CHECK);
		assert_span(h1_written(&writer), S("A: b\r\n"));
	}
}

static void no_control_byte_leaves_in_a_value(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		bool sound = (byte >= 0x20 && byte != 0x7f) || byte == '\t';
		char value[] = "0123456789abcdefX";
		struct header header = {S("X-A"), span_make(value, 17), HEADER_OTHER, false};

		for (size_t at = 0; at < 17; at++) {
			char memory[128];
			struct h1_writer field = h1_writer_over(memory, sizeof(memory));
			struct h1_writer other = h1_writer_over(memory, sizeof(memory));
			struct h1_writer status = h1_writer_over(memory, sizeof(memory));
			char right = value[at];
			enum h1_writer_fault expected = sound ? H1_WRITER_OK : H1_WRITER_CHECK;

			value[at] = (char)byte;
			h1_write_field(&field, HEADER_LOCATION, header.value);
			h1_write_header(&other, &header);
			h1_write_status_line(&status, 200, header.value);
			value[at] = right;
			assert_int_equal(field.fault, expected);
			assert_int_equal(other.fault, expected);
			assert_int_equal(status.fault, expected);
		}
	}
}

static void a_name_leaves_only_as_a_token(void **state)
{
	static const struct span names[] = {S(""),       S("X A"), S("X:"),
					    S("X\r\nY"), S("X\0"), S("\xe9")};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		char memory[64];
		struct h1_writer writer = h1_writer_over(memory, sizeof(memory));
		struct header header = {names[i], S("v"), HEADER_OTHER, false};

		h1_write_header(&writer, &header);
		assert_int_equal(writer.fault, H1_WRITER_CHECK);
		assert_int_equal(h1_written(&writer).len, 0);
	}
}

static void a_request_line_leaves_only_with_sound_parts(void **state)
{
	static const struct {
		struct span method, path, query;
		enum h1_writer_fault fault;
	} cases[] = {
		{S("GET"), S("/"), S(""), H1_WRITER_OK},
		{S("OPTIONS"), S("*"), S(""), H1_WRITER_OK},
		{S("GET"), S("/a"), S("?"), H1_WRITER_OK},
		{S("GET"), S("/a"), S("?b?c"), H1_WRITER_OK},
		{S(""), S("/"), S(""), H1_WRITER_CHECK},
		{S("G T"), S("/"), S(""), H1_WRITER_CHECK},
		{S("GET\r"), S("/"), S(""), H1_WRITER_CHECK},
		{S("GET"), S(""), S(""), H1_WRITER_CHECK},
		{S("GET"), S("a"), S(""), H1_WRITER_CHECK},
		{S("GET"), S("*a"), S(""), H1_WRITER_CHECK},
		{S("GET"), S("/a b"), S(""), H1_WRITER_CHECK},
		{S("GET"), S("/a?b"), S(""), H1_WRITER_CHECK},
		{S("GET"), S("/a\r\nX: y"), S(""), H1_WRITER_CHECK},
		{S("GET"), S("/a\tb"), S(""), H1_WRITER_CHECK},
		{S("GET"), S("/a#b"), S(""), H1_WRITER_CHECK},
		{S("GET"), S("/\xe9"), S(""), H1_WRITER_CHECK},
		{S("GET"), S("/\0"), S(""), H1_WRITER_CHECK},
		{S("GET"), S("/a"), S("b"), H1_WRITER_CHECK},
		{S("GET"), S("/a"), S("?b c"), H1_WRITER_CHECK},
		{S("GET"), S("/a"), S("?b\n"), H1_WRITER_CHECK},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char memory[64];
		struct h1_writer writer = h1_writer_over(memory, sizeof(memory));

		h1_write_request_line(&writer, cases[i].method, cases[i].path, cases[i].query);
		assert_int_equal(writer.fault, cases[i].fault);
	}
}

static void a_host_leaves_only_with_the_characters_of_one(void **state)
{
	static const struct span bad[] = {S(""),    S("a b"), S("a/b"),
					  S("u@a"), S("a,b"), S("a\xe9")};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char memory[64];
		struct h1_writer writer = h1_writer_over(memory, sizeof(memory));

		h1_write_field(&writer, HEADER_HOST, bad[i]);
		assert_int_equal(writer.fault, H1_WRITER_CHECK);
	}
}

static void a_status_outside_100_to_599_is_refused(void **state)
{
	static const unsigned bad[] = {0, 99, 600, 1000};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char memory[64];
		struct h1_writer writer = h1_writer_over(memory, sizeof(memory));

		h1_write_status_line(&writer, bad[i], S(""));
		assert_int_equal(writer.fault, H1_WRITER_CHECK);
	}
}

static void what_was_read_and_written_is_read_as_the_same(void **state)
{
	struct given_request first = given_request(
		S("POST /a%20b?c=d HTTP/1.1\r\nHost: a.test\r\ncontent-length:\t0017 \r\n"
		  "Accept: */*\r\nX-Empty:\r\nx-odd:  \xe9 , \t,\r\nExpect: 100-continue\r\n\r\n"),
		&usual_limits);
	char memory[512];
	struct h1_writer writer = h1_writer_over(memory, sizeof(memory));
	struct given_request again;

	(void)state;
	h1_write_request_line(&writer, first.head.method, S("/a%20b"), S("?c=d"));
	for (uint32_t i = 0; i < first.head.header_count; i++)
		h1_write_header(&writer, &first.headers[i]);
	h1_write_end(&writer);
	again = given_request(h1_written(&writer), &usual_limits);

	assert_int_equal(again.result.status, H1_DONE);
	assert_int_equal(again.result.consumed, h1_written(&writer).len);
	assert_span(again.head.target, first.head.target);
	assert_int_equal(again.head.content_length, 17);
	assert_int_equal(again.head.header_count, first.head.header_count);
	for (uint32_t i = 0; i < first.head.header_count; i++) {
		assert_span(again.headers[i].name, first.headers[i].name);
		assert_span(again.headers[i].value, first.headers[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_head_is_written),
		cmocka_unit_test(a_status_line_has_its_reason_or_the_standard_one),
		cmocka_unit_test(numbers_are_decimal),
		cmocka_unit_test(every_known_field_is_written_even_where_room_is_tight),
		cmocka_unit_test(a_line_is_written_whole_or_not_at_all),
		cmocka_unit_test(nothing_follows_a_failure),
		cmocka_unit_test(no_control_byte_leaves_in_a_value),
		cmocka_unit_test(a_name_leaves_only_as_a_token),
		cmocka_unit_test(a_request_line_leaves_only_with_sound_parts),
		cmocka_unit_test(a_host_leaves_only_with_the_characters_of_one),
		cmocka_unit_test(a_status_outside_100_to_599_is_refused),
		cmocka_unit_test(what_was_read_and_written_is_read_as_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
