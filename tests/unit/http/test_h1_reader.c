/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, fields, limits, framing and Connection, by the rules of the security spec, section 3: each has
 * cases that pass and cases that do not. They are read as whole requests.
 */
#include "http/h1_parse.h"

#include <stdio.h>

#include "given_head.h"

/* ---- lines and bytes ---- */

static void a_line_ends_with_crlf_and_nothing_else(void **state)
{
	ASSERT_REQUESTS(/* H1 */
			{FIELDS("X-A: b\r\n"), FAULT_NONE},
			{S("GET / HTTP/1.1\nHost: a\n\n"), FAULT_BAD_LINE_END},
			{S("GET / HTTP/1.1\nHost: a\r\n\r\n"), FAULT_BAD_LINE_END},
			{S("GET / HTTP/1.1\r\nHost: a\n\r\n"), FAULT_BAD_LINE_END},
			{S("GET / HTTP/1.1\r\nHost: a\r\n\n"), FAULT_BAD_LINE_END},
			{S("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n"), FAULT_BAD_LINE_END},
			{S("GET / HTTP/1.1\r\nHost: a\n\rX: y\r\n\r\n"), FAULT_BAD_LINE_END},
			{S("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), FAULT_BAD_LINE_END});
}

static void a_bare_cr_ends_nothing(void **state)
{
	ASSERT_REQUESTS(/* H2 */
			{FIELDS("X-A: a\rb\r\n"), FAULT_BAD_LINE_END},
			{FIELDS("X-A\r: b\r\n"), FAULT_BAD_LINE_END},
			{FIELDS("\rX-A: b\r\n"), FAULT_BAD_LINE_END},
			{FIELDS("X-A: b\r\r\n"), FAULT_BAD_LINE_END},
			{S("GET / HTTP/1.1\rHost: a\r\r"), FAULT_BAD_LINE_END},
			{S("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"), FAULT_BAD_LINE_END},
			{LINE("GET /a\rb HTTP/1.1"), FAULT_BAD_LINE_END});
}

static void no_control_byte_but_a_tab_stands_in_a_value(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) { /* H3, H4 */
		char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX-A: a?b\r\n\r\n";
		bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
		enum fault expected = byte == '\r' || byte == '\n' ? FAULT_BAD_LINE_END
				      : is_control                 ? FAULT_BAD_FIELD_VALUE
								   : FAULT_NONE;
		struct given_request request;

		*strchr(text, '?') = (char)byte;
		request = given_request(span_make(text, sizeof(text) - 1), &usual_limits);
		assert_int_equal(request.result.fault, expected);
		if (expected == FAULT_NONE)
			assert_int_equal((unsigned char)request.headers[1].value.ptr[1], byte);
	}
}

static void one_empty_line_before_the_request_is_skipped(void **state)
{
	struct given_request request;

	request = given_request(S("\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\nGET"), &usual_limits);
	assert_int_equal(request.result.status, H1_DONE);
	assert_int_equal(request.result.consumed, 30);
	assert_span(request.head.target, S("/a"));
	ASSERT_REQUESTS(/* H5 */
			{S("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), FAULT_BAD_REQUEST_LINE},
			{S("\r\n \r\n"), FAULT_BAD_METHOD});
}

static void nothing_stands_between_name_and_colon(void **state)
{
	ASSERT_REQUESTS(/* H6 */
			{FIELDS("X-A:b\r\n"), FAULT_NONE}, {FIELDS("X-A : b\r\n"), FAULT_BAD_FIELD},
			{FIELDS("X-A\t: b\r\n"), FAULT_BAD_FIELD},
			{FIELDS("X-A\v: b\r\n"), FAULT_BAD_FIELD},
			{FIELDS("Content-Length : 5\r\n"), FAULT_BAD_FIELD},
			{FIELDS("Transfer-Encoding : chunked\r\n"), FAULT_BAD_FIELD});
}

static void a_folded_line_is_refused(void **state)
{
	ASSERT_REQUESTS(/* H7 */
			{FIELDS("X-A: a\r\n b\r\n"), FAULT_BAD_FIELD},
			{FIELDS("X-A: a\r\n\tb\r\n"), FAULT_BAD_FIELD},
			{FIELDS("X-A: a\r\n \r\n"), FAULT_BAD_FIELD},
			{FIELDS("X-A: a\r\n X-B: c\r\n"), FAULT_BAD_FIELD},
			{S("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), FAULT_BAD_FIELD});
}

static void a_field_line_is_a_token_a_colon_and_a_value(void **state)
{
	ASSERT_REQUESTS(/* H8 */
			{FIELDS("X-A:\r\n"), FAULT_NONE}, {FIELDS("a: b\r\n"), FAULT_NONE},
			{FIELDS("0: b\r\n"), FAULT_NONE}, {FIELDS("a: b: c\r\n"), FAULT_NONE},
			{FIELDS("X-A b\r\n"), FAULT_BAD_FIELD},
			{FIELDS("X-A\r\n"), FAULT_BAD_FIELD}, {FIELDS(": b\r\n"), FAULT_BAD_FIELD},
			{FIELDS(":\r\n"), FAULT_BAD_FIELD},
			{FIELDS("X(A): b\r\n"), FAULT_BAD_FIELD},
			{FIELDS("X\0A: b\r\n"), FAULT_BAD_FIELD},
			{FIELDS("X-\xe9: b\r\n"), FAULT_BAD_FIELD},
			{FIELDS("X A: b\r\n"), FAULT_BAD_FIELD},
			{FIELDS("\"X\": b\r\n"), FAULT_BAD_FIELD},
			{FIELDS("X-A-name-that-is-longer-than-sixteen-bytes(: b\r\n"),
			 FAULT_BAD_FIELD},
			{FIELDS("Content-Length\0: 5\r\n"), FAULT_BAD_FIELD});
}

static void blanks_around_a_value_are_not_part_of_it(void **state)
{
	struct given_request request = given_request(
		FIELDS("A: \t v w \t\r\nB:\r\nC: \t \r\nD:v\r\n"), &usual_limits);

	(void)state;
	assert_int_equal(request.head.header_count, 5);
	assert_span(request.headers[1].name, S("A"));
	assert_span(request.headers[1].value, S("v w"));
	assert_span(request.headers[2].value, S(""));
	assert_span(request.headers[3].value, S(""));
	assert_span(request.headers[4].value, S("v"));
}

static void odd_names_are_dropped_unless_settings_keep_them(void **state)
{
	static const char *const names[] = {"X_A", "X.A", "X!A", "_", "X_A.B"};
	/* without settings, with underscores, with all odd names */
	static const bool kept[][3] = {
		{false, true, true}, {false, false, true}, {false, false, true},
		{false, true, true}, {false, false, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) { /* H9 */
		for (unsigned setting = 0; setting < 3; setting++) {
			struct h1_limits limits = usual_limits;
			struct given_request request;
			char text[128];

			limits.underscores = setting == 1;
			limits.keep_odd_names = setting == 2;
			snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s: b\r\n\r\n",
				 names[i]);
			request = given_request(span_from(text), &limits);
			assert_int_equal(request.result.status, H1_DONE);
			assert_int_equal(request.headers[1].dropped, !kept[i][setting]);
			assert_int_equal(request.headers[1].id, HEADER_OTHER);
		}
	}
}

static void an_odd_name_that_would_pass_may_not_look_like_one_of_ours(void **state)
{
	static const char *const ours[] = {
		"Transfer_Encoding", "content_length",   "X_Forwarded_For", "X-Forwarded_For",
		"X_REAL_IP",         "Proxy_Connection", "X_Original_URL",  "ssl_client_verify",
	};
	struct h1_limits underscores = usual_limits;
	struct h1_limits all = usual_limits;

	(void)state;
	underscores.underscores = true;
	all.keep_odd_names = true;
	for (size_t i = 0; i < COUNT(ours); i++) {
		struct given_request request;
		char text[128];

		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s: b\r\n\r\n", ours[i]);
		request = given_request(span_from(text), &usual_limits);
		assert_int_equal(request.result.status, H1_DONE);
		assert_true(request.headers[1].dropped);
		request = given_request(span_from(text), &underscores);
		assert_int_equal(request.result.fault, FAULT_BAD_FIELD);
		request = given_request(span_from(text), &all);
		assert_int_equal(request.result.fault, FAULT_BAD_FIELD);
	}
	assert_int_equal(given_request(FIELDS("X.Real.IP: b\r\n"), &all).result.fault,
			 FAULT_BAD_FIELD);
	assert_int_equal(
		given_request(FIELDS("Accept_Language: b\r\n"), &underscores).result.status,
		H1_DONE);
}

/* ---- limits ---- */

/* "GET /aaa… HTTP/1.1" of that length, behind it `rest`. */
static struct span long_line(char *memory, size_t length, const char *rest)
{
	memset(memory, 'a', length);
	memcpy(memory, "GET /", 5);
	memcpy(memory + length - 9, " HTTP/1.1", 9);
	memcpy(memory + length, rest, strlen(rest));
	return span_make(memory, length + strlen(rest));
}

static void a_request_line_is_refused_as_soon_as_it_is_too_long(void **state)
{
	static char memory[9000];
	const char *rest = "\r\nHost: a\r\n\r\n";
	struct h1_limits limits = usual_limits;

	(void)state;
	limits.line_bytes = 100; /* H20 */
	assert_int_equal(given_request(long_line(memory, 100, rest), &limits).result.status,
			 H1_DONE);
	assert_int_equal(given_request(long_line(memory, 101, rest), &limits).result.fault,
			 FAULT_LINE_TOO_LONG);
	assert_int_equal(given_request(long_line(memory, 100, ""), &limits).result.status, H1_MORE);
	assert_int_equal(given_request(long_line(memory, 100, "\r"), &limits).result.status,
			 H1_MORE);
	assert_int_equal(given_request(long_line(memory, 100, "\rx"), &limits).result.fault,
			 FAULT_BAD_LINE_END);
	assert_int_equal(given_request(long_line(memory, 101, ""), &limits).result.fault,
			 FAULT_LINE_TOO_LONG);
	assert_int_equal(given_request(long_line(memory, 8192, rest), &usual_limits).result.status,
			 H1_DONE);
	assert_int_equal(given_request(long_line(memory, 8193, ""), &usual_limits).result.fault,
			 FAULT_LINE_TOO_LONG);
}

static void a_field_is_refused_as_soon_as_it_is_too_long(void **state)
{
	struct h1_limits limits = usual_limits;

	(void)state;
	limits.field_bytes = 12;
	assert_int_equal(given_request(FIELDS("X-A: 1234567\r\n"), &limits).result.status, H1_DONE);
	assert_int_equal(given_request(FIELDS("X-A: 12345678\r\n"), &limits).result.fault,
			 FAULT_HEAD_TOO_LARGE);
	assert_int_equal(given_request(S("GET / HTTP/1.1\r\nHost: a\r\nX-A: 1234567"), &limits)
				 .result.status,
			 H1_MORE);
	assert_int_equal(given_request(S("GET / HTTP/1.1\r\nHost: a\r\nX-A: 12345678"), &limits)
				 .result.fault,
			 FAULT_HEAD_TOO_LARGE);
	assert_int_equal(given_request(FIELDS("a-name-that-is-long: b\r\n"), &limits).result.fault,
			 FAULT_HEAD_TOO_LARGE);
}

static void a_head_is_refused_when_its_bytes_are_too_many(void **state)
{
	struct span bytes = S("GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\nbody");
	struct h1_limits limits = usual_limits;

	(void)state;
	limits.head_bytes = 2 * 32 + 5 + 4; /* two fields: weight decides, not bytes */
	assert_int_equal(given_request(bytes, &limits).result.status, H1_DONE);
	limits.head_bytes--;
	assert_int_equal(given_request(bytes, &limits).result.fault, FAULT_HEAD_TOO_LARGE);
}

static void bytes_count_where_they_are_more_than_the_weight(void **state)
{
	struct h1_limits limits = usual_limits;

	(void)state;
	limits.head_bytes = 80; /* one field of weight 37; blanks at a value's ends are bytes too */
	assert_int_equal(given_request(S("GET / HTTP/1.1\r\nHost: a                                "
					 "                          \r\n\r\n"),
				       &limits)
				 .result.fault,
			 FAULT_HEAD_TOO_LARGE);
	assert_int_equal(
		given_request(S("GET / HTTP/1.1\r\nHost: a                       \r\n\r\n"),
			      &limits)
			.result.status,
		H1_DONE);
}

static void fields_are_counted(void **state)
{
	struct h1_limits limits = usual_limits;

	(void)state;
	limits.fields = 3;
	assert_int_equal(given_request(FIELDS("A: b\r\nC: d\r\n"), &limits).result.status, H1_DONE);
	assert_int_equal(given_request(FIELDS("A: b\r\nC: d\r\nE: f\r\n"), &limits).result.fault,
			 FAULT_TOO_MANY_FIELDS);
	/* those that are dropped as well */
	assert_int_equal(given_request(FIELDS("A_: b\r\nC_: d\r\nE_: f\r\n"), &limits).result.fault,
			 FAULT_TOO_MANY_FIELDS);
}

/* ---- framing ---- */

static void length_and_coding_never_come_together(void **state)
{
	ASSERT_REQUESTS(/* H38 */
			{FIELDS("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
			 FAULT_AMBIGUOUS_FRAMING},
			{FIELDS("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
			 FAULT_AMBIGUOUS_FRAMING},
			{FIELDS("Transfer-Encoding:\r\nContent-Length: 5\r\n"),
			 FAULT_AMBIGUOUS_FRAMING},
			{FIELDS("Content-Length: abc\r\nTransfer-Encoding: chunked\r\n"),
			 FAULT_AMBIGUOUS_FRAMING});
}

static void a_content_length_is_one_decimal_number(void **state)
{
	ASSERT_REQUESTS(/* H39 to H42 */
			{FIELDS("Content-Length: 0\r\n"), FAULT_NONE},
			{FIELDS("Content-Length: 0010\r\n"), FAULT_NONE},
			{FIELDS("Content-Length: 9223372036854775807\r\n"), FAULT_NONE},
			{FIELDS("Content-Length: 9223372036854775808\r\n"),
			 FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 18446744073709551621\r\n"),
			 FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 00000000000000000005\r\n"),
			 FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 5\r\nContent-Length: 5\r\n"),
			 FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 5\r\nContent-Length: 6\r\n"),
			 FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 5, 5\r\n"), FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 5,\r\n"), FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: ,5\r\n"), FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: +5\r\n"), FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: -5\r\n"), FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 0x5\r\n"), FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 5e0\r\n"), FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 5.0\r\n"), FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 1 0\r\n"), FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 1_0\r\n"), FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: 5;x=1\r\n"), FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length: \xa0"
				"5\r\n"),
			 FAULT_BAD_CONTENT_LENGTH},
			{FIELDS("Content-Length:\r\n"), FAULT_BAD_CONTENT_LENGTH});
}

static void a_transfer_encoding_is_chunked_alone(void **state)
{
	ASSERT_REQUESTS(/* H43, H44 */
			{FIELDS("Transfer-Encoding: chunked\r\n"), FAULT_NONE},
			{FIELDS("transfer-ENCODING:\t ChUnKeD \t\r\n"), FAULT_NONE},
			{FIELDS("Transfer-Encoding: gzip\r\n"), FAULT_UNKNOWN_TRANSFER_CODING},
			{FIELDS("Transfer-Encoding: identity\r\n"), FAULT_UNKNOWN_TRANSFER_CODING},
			{FIELDS("Transfer-Encoding: xchunked\r\n"), FAULT_UNKNOWN_TRANSFER_CODING},
			{FIELDS("Transfer-Encoding: gzip, chunked\r\n"),
			 FAULT_UNKNOWN_TRANSFER_CODING},
			{FIELDS("Transfer-Encoding: gzip,br,chunked\r\n"),
			 FAULT_UNKNOWN_TRANSFER_CODING},
			{FIELDS("Transfer-Encoding: gzip, br\r\n"), FAULT_BAD_TRANSFER_ENCODING},
			{FIELDS("Transfer-Encoding: chunked, gzip\r\n"),
			 FAULT_BAD_TRANSFER_ENCODING},
			{FIELDS("Transfer-Encoding: chunked, chunked\r\n"),
			 FAULT_BAD_TRANSFER_ENCODING},
			{FIELDS("Transfer-Encoding: , chunked\r\n"), FAULT_BAD_TRANSFER_ENCODING},
			{FIELDS("Transfer-Encoding: chunked,\r\n"), FAULT_BAD_TRANSFER_ENCODING},
			{FIELDS("Transfer-Encoding:\r\n"), FAULT_BAD_TRANSFER_ENCODING},
			{FIELDS("Transfer-Encoding: chunked;q=1\r\n"), FAULT_BAD_TRANSFER_ENCODING},
			{FIELDS("Transfer-Encoding: \"chunked\"\r\n"), FAULT_BAD_TRANSFER_ENCODING},
			{FIELDS("Transfer-Encoding: identity;chunked\r\n"),
			 FAULT_BAD_TRANSFER_ENCODING},
			{FIELDS("Transfer-Encoding: chunked x\r\n"), FAULT_BAD_TRANSFER_ENCODING},
			{FIELDS("Transfer-Encoding: chunked\xa0\r\n"), FAULT_BAD_TRANSFER_ENCODING},
			{FIELDS("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
			 FAULT_BAD_TRANSFER_ENCODING},
			{S("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
			 FAULT_BAD_TRANSFER_ENCODING});
}

static void the_framing_of_a_body_follows_from_the_fields(void **state)
{
	struct given_request none = given_request(FIELDS(""), &usual_limits);
	struct given_request zero = given_request(FIELDS("Content-Length: 0\r\n"), &usual_limits);
	struct given_request ten = given_request(FIELDS("Content-Length: 0010\r\n"), &usual_limits);
	struct given_request chunked = given_request(FIELDS("Transfer-Encoding: chunked\r\n"),
						     &usual_limits);

	(void)state;
	assert_int_equal(none.head.framing, BODY_NONE);
	assert_false(none.head.has_content_length);
	assert_int_equal(zero.head.framing, BODY_NONE);
	assert_true(zero.head.has_content_length);
	assert_int_equal(ten.head.framing, BODY_LENGTH);
	assert_int_equal(ten.head.content_length, 10);
	assert_int_equal(chunked.head.framing, BODY_CHUNKED);
	assert_int_equal(chunked.head.content_length, 0);
}

/* ---- the connection ---- */

static void a_connection_is_kept_in_http_1_1_unless_close_is_said(void **state)
{
	static const struct {
		struct span bytes;
		bool keep_alive;
	} cases[] = {
		{FIELDS(""), true}, /* H51, H53 */
		{FIELDS("Connection: keep-alive\r\n"), true},
		{FIELDS("Connection: close\r\n"), false},
		{FIELDS("Connection: CLOSE\r\n"), false},
		{FIELDS("Connection: keep-alive, close\r\n"), false},
		{FIELDS("Connection: x, ,\tclose\t,y\r\n"), false},
		{FIELDS("Connection: keep-alive\r\nConnection: close\r\n"), false},
		{FIELDS("Connection: closed\r\n"), true},
		{FIELDS("Connection:\r\n"), true},
		{S("GET / HTTP/1.0\r\nHost: a\r\n\r\n"), false},
		{S("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"), false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct given_request request = given_request(cases[i].bytes, &usual_limits);

		assert_int_equal(request.result.status, H1_DONE);
		assert_int_equal(request.head.keep_alive, cases[i].keep_alive);
	}
}

static void fields_named_in_connection_are_dropped(void **state)
{
	struct given_request request = given_request(
		FIELDS("X-A: 1\r\nConnection: close, x-a, ACCEPT\r\nx-A: 2\r\nAccept: 3\r\n"
		       "X-AB: 4\r\nX: 5\r\n"),
		&usual_limits);

	(void)state; /* H54 */
	assert_true(request.headers[1].dropped);
	assert_true(request.headers[3].dropped);
	assert_true(request.headers[4].dropped);
	assert_false(request.headers[0].dropped);
	assert_false(request.headers[5].dropped);
	assert_false(request.headers[6].dropped);
	assert_true(request_head_has(&request.head, HEADER_ACCEPT));
}

static void protected_fields_may_not_be_named_in_connection(void **state)
{
	static const char *const protected[] = {
		"Host",
		"Content-Length",
		"Transfer-Encoding",
		"Authorization",
		"Cookie",
		"Forwarded",
		"X-Forwarded-For",
		"X-Forwarded-Host",
		"X-Forwarded-Port",
		"X-Forwarded-Proto",
		"X-Forwarded-Scheme",
		"X-Forwarded-Prefix",
		"X-Scheme",
		"X-Real-IP",
		"X-Request-ID",
		"Content-Type",
		"X-Original-URL",
		"Proxy",
		"X-Original-Forwarded-For",
		"ssl-client-verify",
		"x-rewrite-url",
	};

	(void)state; /* H54 */
	for (size_t i = 0; i < COUNT(protected); i++) {
		char text[160];

		snprintf(text, sizeof(text),
			 "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, %s\r\n\r\n",
			 protected[i]);
		assert_int_equal(given_request(span_from(text), &usual_limits).result.fault,
				 FAULT_BAD_CONNECTION_OPTION);
	}
}

static void hop_by_hop_fields_may_be_named_in_connection(void **state)
{
	ASSERT_REQUESTS(
		{FIELDS("Connection: TE, Keep-Alive, Upgrade, HTTP2-Settings\r\n"), FAULT_NONE},
		{FIELDS("Connection: Proxy-Authorization, Trailer\r\n"), FAULT_NONE});
}

static void a_connection_option_is_a_token(void **state)
{
	ASSERT_REQUESTS({FIELDS("Connection: a b\r\n"), FAULT_BAD_CONNECTION_OPTION},
			{FIELDS("Connection: close;x\r\n"), FAULT_BAD_CONNECTION_OPTION},
			{FIELDS("Connection: \"close\"\r\n"), FAULT_BAD_CONNECTION_OPTION},
			{FIELDS("Connection: close\xa0\r\n"), FAULT_BAD_CONNECTION_OPTION});
}

static void connection_options_are_counted(void **state)
{
	char text[512] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: ";
	size_t length = strlen(text);

	(void)state;
	memset(text + length, ',', 63); /* 64 empty elements */
	memcpy(text + length + 63, "\r\n\r\n", 5);
	assert_int_equal(given_request(span_from(text), &usual_limits).result.status, H1_DONE);
	memcpy(text + length + 63, ",\r\n\r\n", 6);
	assert_int_equal(given_request(span_from(text), &usual_limits).result.fault,
			 FAULT_BAD_CONNECTION_OPTION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_ends_with_crlf_and_nothing_else),
		cmocka_unit_test(a_bare_cr_ends_nothing),
		cmocka_unit_test(no_control_byte_but_a_tab_stands_in_a_value),
		cmocka_unit_test(one_empty_line_before_the_request_is_skipped),
		cmocka_unit_test(nothing_stands_between_name_and_colon),
		cmocka_unit_test(a_folded_line_is_refused),
		cmocka_unit_test(a_field_line_is_a_token_a_colon_and_a_value),
		cmocka_unit_test(blanks_around_a_value_are_not_part_of_it),
		cmocka_unit_test(odd_names_are_dropped_unless_settings_keep_them),
		cmocka_unit_test(an_odd_name_that_would_pass_may_not_look_like_one_of_ours),
		cmocka_unit_test(a_request_line_is_refused_as_soon_as_it_is_too_long),
		cmocka_unit_test(a_field_is_refused_as_soon_as_it_is_too_long),
		cmocka_unit_test(a_head_is_refused_when_its_bytes_are_too_many),
		cmocka_unit_test(bytes_count_where_they_are_more_than_the_weight),
		cmocka_unit_test(fields_are_counted),
		cmocka_unit_test(length_and_coding_never_come_together),
		cmocka_unit_test(a_content_length_is_one_decimal_number),
		cmocka_unit_test(a_transfer_encoding_is_chunked_alone),
		cmocka_unit_test(the_framing_of_a_body_follows_from_the_fields),
		cmocka_unit_test(a_connection_is_kept_in_http_1_1_unless_close_is_said),
		cmocka_unit_test(fields_named_in_connection_are_dropped),
		cmocka_unit_test(protected_fields_may_not_be_named_in_connection),
		cmocka_unit_test(hop_by_hop_fields_may_be_named_in_connection),
		cmocka_unit_test(a_connection_option_is_a_token),
		cmocka_unit_test(connection_options_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
