/* SPDX-License-Identifier: Apache-2.0 */
/* First lines, and what a head means as a whole, by the rules of the security spec, section 3: each has
 * cases that pass and cases that do not. The rules of lines and fields are in test_h1_reader.c.
 */
#include "http/h1_parse.h"

#include <stdio.h>

#include "given_head.h"

/* ---- the request line ---- */

static void tls_and_http2_on_a_plain_port_are_told_apart(void **state)
{
	ASSERT_REQUESTS(/* H10 */
			{S("\x16\x03\x01\x02\x00\x01"), FAULT_TLS_ON_PLAIN_PORT},
			{S("\x16"), FAULT_TLS_ON_PLAIN_PORT},
			{S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), FAULT_VERSION_NOT_SUPPORTED});
}

static void a_request_line_is_method_blank_target_blank_version(void **state)
{
	ASSERT_REQUESTS(/* H11, H12 */
			{LINE("GET / HTTP/1.1"), FAULT_NONE},
			{LINE("GET  / HTTP/1.1"), FAULT_BAD_REQUEST_LINE},
			{LINE("GET /  HTTP/1.1"), FAULT_BAD_VERSION},
			{LINE("GET\t/\tHTTP/1.1"), FAULT_BAD_METHOD},
			{LINE("GET /\tHTTP/1.1"), FAULT_BAD_TARGET},
			{LINE("GET / HTTP/1.1 "), FAULT_BAD_VERSION},
			{LINE("GET / HTTP/1.1\t"), FAULT_BAD_VERSION},
			{LINE(" GET / HTTP/1.1"), FAULT_BAD_METHOD},
			{LINE(" / HTTP/1.1"), FAULT_BAD_METHOD},
			{LINE("GET / x HTTP/1.1"), FAULT_BAD_VERSION},
			{LINE("GET /"), FAULT_BAD_REQUEST_LINE},
			{LINE("GET / "), FAULT_BAD_VERSION}, {LINE("GET "), FAULT_BAD_REQUEST_LINE},
			{LINE("GET"), FAULT_BAD_REQUEST_LINE},
			{LINE("GET HTTP/1.1"), FAULT_BAD_REQUEST_LINE});
}

static void versions_one_zero_and_one_one_are_served(void **state)
{
	struct given_request old = given_request(S("GET / HTTP/1.0\r\n\r\n"), &usual_limits);
	struct given_request new = given_request(LINE("GET / HTTP/1.1"), &usual_limits);

	assert_int_equal(old.result.status, H1_DONE); /* H13 */
	assert_int_equal(old.head.version_minor, 0);
	assert_int_equal(new.head.version_minor, 1);
	ASSERT_REQUESTS(/* H14, H15 */
			{LINE("GET / HTTP/1.2"), FAULT_VERSION_NOT_SUPPORTED},
			{LINE("GET / HTTP/2.0"), FAULT_VERSION_NOT_SUPPORTED},
			{LINE("GET / HTTP/3.0"), FAULT_VERSION_NOT_SUPPORTED},
			{LINE("GET / HTTP/0.9"), FAULT_VERSION_NOT_SUPPORTED},
			{LINE("GET / HTTP/2.1"), FAULT_VERSION_NOT_SUPPORTED},
			{LINE("GET / http/1.1"), FAULT_BAD_VERSION},
			{LINE("GET / HTTP/1.10"), FAULT_BAD_VERSION},
			{LINE("GET / HTTP/01.1"), FAULT_BAD_VERSION},
			{LINE("GET / HTTP/1"), FAULT_BAD_VERSION},
			{LINE("GET / HTTP/1,1"), FAULT_BAD_VERSION},
			{LINE("GET / HTTP/a.1"), FAULT_BAD_VERSION},
			{LINE("GET / HTTP/1.a"), FAULT_BAD_VERSION},
			{LINE("GET / HTTP/1./"), FAULT_BAD_VERSION},
			{LINE("GET / ICAP/1.0"), FAULT_BAD_VERSION});
}

static void a_method_is_a_token_of_capitals(void **state)
{
	ASSERT_REQUESTS(/* H16, H17, H19 */
			{LINE("PURGE / HTTP/1.1"), FAULT_NONE},
			{LINE("M-SEARCH / HTTP/1.1"), FAULT_NONE},
			{LINE("A1 / HTTP/1.1"), FAULT_NONE},
			{LINE("ABCDEFGHIJKLMNOPQRSTUVWX / HTTP/1.1"), FAULT_NONE},
			{LINE("ABCDEFGHIJKLMNOPQRSTUVWXY / HTTP/1.1"), FAULT_UNKNOWN_METHOD},
			{LINE("get / HTTP/1.1"), FAULT_UNKNOWN_METHOD},
			{LINE("GeT / HTTP/1.1"), FAULT_UNKNOWN_METHOD},
			{LINE("1A / HTTP/1.1"), FAULT_UNKNOWN_METHOD},
			{LINE("-A / HTTP/1.1"), FAULT_UNKNOWN_METHOD},
			{LINE("A_B / HTTP/1.1"), FAULT_UNKNOWN_METHOD},
			{LINE("A! / HTTP/1.1"), FAULT_UNKNOWN_METHOD},
			{LINE("GE(T / HTTP/1.1"), FAULT_BAD_METHOD},
			{LINE("(GET / HTTP/1.1"), FAULT_BAD_METHOD},
			{LINE("G\xc9T / HTTP/1.1"), FAULT_BAD_METHOD},
			{S("\0GET / HTTP/1.1\r\n"), FAULT_BAD_METHOD},
			{S("{\"json\":"), FAULT_BAD_METHOD});
}

static void connect_trace_and_track_are_not_served(void **state)
{
	ASSERT_REQUESTS(/* H18 */
			{LINE("CONNECT a.test:443 HTTP/1.1"), FAULT_METHOD_NOT_ALLOWED},
			{LINE("TRACE / HTTP/1.1"), FAULT_METHOD_NOT_ALLOWED},
			{LINE("TRACK / HTTP/1.1"), FAULT_METHOD_NOT_ALLOWED},
			{LINE("TRACES / HTTP/1.1"), FAULT_NONE});
}

static void known_methods_have_an_id(void **state)
{
	static const struct {
		struct span bytes;
		enum method id;
	} cases[] = {
		{LINE("GET / HTTP/1.1"), METHOD_GET},
		{LINE("HEAD / HTTP/1.1"), METHOD_HEAD},
		{LINE("POST / HTTP/1.1"), METHOD_POST},
		{LINE("PUT / HTTP/1.1"), METHOD_PUT},
		{LINE("DELETE / HTTP/1.1"), METHOD_DELETE},
		{LINE("OPTIONS * HTTP/1.1"), METHOD_OPTIONS},
		{LINE("PATCH / HTTP/1.1"), METHOD_PATCH},
		{LINE("GETS / HTTP/1.1"), METHOD_OTHER},
		{LINE("PURGE / HTTP/1.1"), METHOD_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct given_request request = given_request(cases[i].bytes, &usual_limits);

		assert_int_equal(request.head.method_id, cases[i].id);
		assert_ptr_equal(request.head.method.ptr, cases[i].bytes.ptr);
	}
}

static void a_target_holds_no_byte_that_ends_one(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) { /* H27, H28, and what no form allows */
		char text[] = "GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n";
		struct given_request request;
		bool passes = byte > 0x20 && byte < 0x7f && strchr("\"#<>", (int)byte) == NULL;

		text[6] = (char)byte;
		request = given_request(span_make(text, sizeof(text) - 1), &usual_limits);
		assert_int_equal(request.result.status, passes ? H1_DONE : H1_BAD);
		if (passes)
			assert_span(request.head.target, span_make(text + 4, 4));
	}
}

/* ---- Host ---- */

static void there_is_one_host_and_it_is_not_empty(void **state)
{
	struct given_request request = given_request(
		S("GET / HTTP/1.1\r\nX: y\r\nhOSt:  a.test \r\n\r\n"), &usual_limits);

	assert_span(request.head.host, S("a.test"));
	ASSERT_REQUESTS(/* H33, H35, H37 */
			{S("GET / HTTP/1.1\r\n\r\n"), FAULT_BAD_HOST},
			{S("GET / HTTP/1.1\r\nX: y\r\n\r\n"), FAULT_BAD_HOST},
			{S("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), FAULT_BAD_HOST},
			{S("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), FAULT_BAD_HOST},
			{S("GET / HTTP/1.1\r\nHost:\r\n\r\n"), FAULT_BAD_HOST},
			{S("GET / HTTP/1.1\r\nHost: \t \r\n\r\n"), FAULT_BAD_HOST},
			{S("GET / HTTP/1.0\r\nHost:\r\n\r\n"), FAULT_BAD_HOST});
}

static void http_1_0_may_be_without_host(void **state)
{
	struct given_request request = given_request(S("GET / HTTP/1.0\r\nX: y\r\n\r\n"),
						     &usual_limits);

	(void)state;
	assert_int_equal(request.result.status, H1_DONE);
	assert_null(request.head.host.ptr);
}

/* ---- Expect, Upgrade, TE ---- */

static void an_expectation_is_met_where_a_body_is_to_come(void **state)
{
	static const struct {
		struct span bytes;
		bool expects;
	} cases[] = {
		{FIELDS("Content-Length: 5\r\nExpect: 100-continue\r\n"), true}, /* H56 */
		{FIELDS("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n"), true},
		{FIELDS("Expect: 100-continue\r\n"), false},
		{FIELDS("Content-Length: 0\r\nExpect: 100-continue\r\n"), false},
		{FIELDS("Content-Length: 5\r\n"), false},
		{S("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"), false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct given_request request = given_request(cases[i].bytes, &usual_limits);

		assert_int_equal(request.result.status, H1_DONE);
		assert_int_equal(request.head.expect_continue, cases[i].expects);
	}
	ASSERT_REQUESTS(/* H57 */
			{FIELDS("Expect: 200-maybe\r\n"), FAULT_EXPECTATION_FAILED},
			{FIELDS("Expect:\r\n"), FAULT_EXPECTATION_FAILED},
			{FIELDS("Expect: 100-continue, x\r\n"), FAULT_EXPECTATION_FAILED},
			{FIELDS("Expect: 100-continue\r\nExpect: x\r\n"),
			 FAULT_EXPECTATION_FAILED});
}

#define UPGRADE   "Upgrade: websocket\r\n"
#define OPTION    "Connection: keep-alive, Upgrade\r\n"
#define WS_KEY    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define WS_13     "Sec-WebSocket-Version: 13\r\n"
#define HANDSHAKE UPGRADE OPTION WS_KEY WS_13

static void a_websocket_handshake_is_recognized(void **state)
{
	struct given_request request = given_request(
		S("GET /a HTTP/1.1\r\nHost: a\r\n" HANDSHAKE "\r\n"), &usual_limits);
	struct given_request upper = given_request(
		S("GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\n"
		  "Connection: upgrade\r\n" WS_KEY WS_13 "\r\n"),
		&usual_limits);

	(void)state; /* H58 */
	assert_true(request.head.wants_websocket);
	assert_span(request.head.websocket_key, S("dGhlIHNhbXBsZSBub25jZQ=="));
	assert_true(upper.head.wants_websocket);
}

static void anything_less_than_a_handshake_is_an_ordinary_request(void **state)
{
#define GET "GET /a HTTP/1.1\r\nHost: a\r\n"
	static const struct span cases[] = {
		S("POST /a HTTP/1.1\r\nHost: a\r\n" HANDSHAKE "\r\n"),
		S("GET /a HTTP/1.0\r\nHost: a\r\n" HANDSHAKE "\r\n"),
		S(GET HANDSHAKE "Content-Length: 5\r\n\r\n"),
		S(GET HANDSHAKE "Transfer-Encoding: chunked\r\n\r\n"),
		S(GET OPTION WS_KEY WS_13 "\r\n"),
		S(GET UPGRADE WS_KEY WS_13 "\r\n"),
		S(GET UPGRADE OPTION WS_13 "\r\n"),
		S(GET UPGRADE OPTION WS_KEY "\r\n"),
		S(GET HANDSHAKE WS_KEY "\r\n"),
		S(GET HANDSHAKE WS_13 "\r\n"),
		S(GET HANDSHAKE UPGRADE "\r\n"),
		S(GET "Upgrade: h2c, websocket\r\n" OPTION WS_KEY WS_13 "\r\n"),
		S(GET "Upgrade: h2c\r\n" OPTION WS_KEY WS_13 "\r\n"),
		S(GET UPGRADE OPTION WS_KEY "Sec-WebSocket-Version: 8\r\n\r\n"),
		S(GET UPGRADE OPTION WS_13 "Sec-WebSocket-Key: short==\r\n\r\n"),
		S(GET HANDSHAKE "Connection: Sec-WebSocket-Key\r\n\r\n"),
	};
#undef GET

	(void)state; /* H58 */
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct given_request request = given_request(cases[i], &usual_limits);

		assert_int_equal(request.result.status, H1_DONE);
		assert_false(request.head.wants_websocket);
	}
}

static void te_tells_whether_trailers_are_accepted(void **state)
{
	struct given_request yes = given_request(FIELDS("TE: deflate;q=0.5, Trailers\r\n"),
						 &usual_limits);
	struct given_request no = given_request(FIELDS("TE: deflate\r\n"), &usual_limits);
	struct given_request old = given_request(S("GET / HTTP/1.0\r\nTE: trailers\r\n\r\n"),
						 &usual_limits);

	(void)state;
	assert_true(yes.head.accepts_trailers);
	assert_false(no.head.accepts_trailers);
	assert_false(old.head.accepts_trailers);
}

/* ---- reading as such ---- */

static void a_browsers_request_is_read_field_by_field(void **state)
{
	struct span bytes = S(
		"GET /cart?id=1 HTTP/1.1\r\n"
		"Host: shop.example\r\n"
		"Connection: keep-alive\r\n"
		"Upgrade-Insecure-Requests: 1\r\n"
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:102.0) Gecko/20100101\r\n"
		"Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n"
		"Accept-Encoding: gzip, deflate, br\r\n"
		"Cookie: a=b; c=d\r\n"
		"\r\nGET");
	struct given_request request = given_request(bytes, &usual_limits);

	(void)state;
	assert_int_equal(request.result.consumed, bytes.len - 3);
	assert_span(request.head.method, S("GET"));
	assert_span(request.head.target, S("/cart?id=1"));
	assert_span(request.head.host, S("shop.example"));
	assert_int_equal(request.head.header_count, 7);
	assert_int_equal(request.headers[2].id, HEADER_OTHER);
	assert_int_equal(request.headers[3].id, HEADER_USER_AGENT);
	assert_int_equal(request.headers[6].id, HEADER_COOKIE);
	assert_span(request.headers[6].value, S("a=b; c=d"));
	assert_true(request_head_has(&request.head, HEADER_COOKIE));
	assert_false(request_head_has(&request.head, HEADER_REFERER));
}

static void a_head_is_read_anew_after_its_bytes_have_moved(void **state)
{
	struct span bytes = S("GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n");
	struct given_request request;
	struct h1_progress progress = {0};
	char first[64];
	char second[64];

	(void)state;
	memcpy(first, bytes.ptr, 30);
	memcpy(second, bytes.ptr, bytes.len);
	request.head.headers = request.headers;
	assert_int_equal(
		h1_parse_request(span_make(first, 30), &usual_limits, &progress, &request.head)
			.status,
		H1_MORE);
	memset(first, 0, sizeof(first));
	progress = (struct h1_progress){0};

	request.result = h1_parse_request(span_make(second, bytes.len), &usual_limits, &progress,
					  &request.head);

	assert_int_equal(request.result.status, H1_DONE);
	assert_int_equal(request.head.header_count, 2);
	assert_ptr_equal(request.head.host.ptr, second + 22);
}

/* ---- responses ---- */

#define STATUS(line)   S(line "\r\n\r\n")
#define ANSWER(fields) S("HTTP/1.1 200 OK\r\n" fields "\r\n")

static void assert_response_cases(const struct head_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct given_response response = given_response(cases[i].bytes, &usual_limits,
								METHOD_GET);
		enum h1_status expected = cases[i].fault == FAULT_NONE ? H1_DONE : H1_BAD;

		if (response.result.status != expected || response.result.fault != cases[i].fault)
			fail_msg("case %zu: %.*s: status %d, %s", i, (int)cases[i].bytes.len,
				 cases[i].bytes.ptr, (int)response.result.status,
				 fault_facts(response.result.fault)->word);
	}
}

#define ASSERT_RESPONSES(...)                                           \
	do {                                                            \
		static const struct head_case cases_[] = {__VA_ARGS__}; \
                                                                        \
		(void)state;                                            \
		assert_response_cases(cases_, COUNT(cases_));           \
	} while (0)

static void a_status_line_is_version_blank_three_digits_and_a_reason(void **state)
{
	ASSERT_RESPONSES(/* U2 */
			 {STATUS("HTTP/1.1 200 OK"), FAULT_NONE},
			 {STATUS("HTTP/1.0 404 Not Found"), FAULT_NONE},
			 {STATUS("HTTP/1.1 200 "), FAULT_NONE},
			 {STATUS("HTTP/1.1 200"), FAULT_NONE},
			 {STATUS("HTTP/1.1 100 Continue"), FAULT_NONE},
			 {STATUS("HTTP/1.1 599 \xe9\tx"), FAULT_NONE},
			 {STATUS("HTTP/1.1 099 x"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/1.1 600 x"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/1.1 2000"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/1.1 20"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/1.1 2x0 OK"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/1.1 -20 OK"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/1.1  200 OK"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/1.1\t200 OK"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/1.1 200\tOK"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/1.1"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/1.2 200 OK"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/2.0 200 OK"), FAULT_BAD_RESPONSE},
			 {STATUS("http/1.1 200 OK"), FAULT_BAD_RESPONSE},
			 {STATUS("HTTP/1.1 200 O\1K"), FAULT_BAD_RESPONSE},
			 {S("\r\nHTTP/1.1 200 OK\r\n\r\n"), FAULT_BAD_RESPONSE},
			 {S("<html>"), FAULT_BAD_RESPONSE}, {S("HTTQ"), FAULT_BAD_RESPONSE});
}

static void the_reason_of_a_response_may_be_empty(void **state)
{
	(void)state;
	assert_span(given_response(STATUS("HTTP/1.1 404 Not Here"), &usual_limits, METHOD_GET)
			    .head.reason,
		    S("Not Here"));
	assert_span(given_response(STATUS("HTTP/1.1 404 "), &usual_limits, METHOD_GET).head.reason,
		    S(""));
	assert_span(given_response(STATUS("HTTP/1.1 404"), &usual_limits, METHOD_GET).head.reason,
		    S(""));
}

static void fields_of_a_response_obey_the_rules_of_a_request(void **state)
{
	ASSERT_RESPONSES(/* U3, U4 */
			 {ANSWER("X-A: b\r\n"), FAULT_NONE},
			 {ANSWER("X-A: b\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("X-A: b\rc\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("X-A: b\0c\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("X-A: b\x7f\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("X-A: b\r\n c\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("X-A : b\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("X-A\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER(": b\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("X(: b\r\n"), FAULT_BAD_RESPONSE},
			 {S("HTTP/1.1 200 OK\nX-A: b\r\n\r\n"), FAULT_BAD_RESPONSE},
			 {S("HTTP/1.1 200 OK\n\n"), FAULT_BAD_RESPONSE});
}

static void odd_names_of_a_backend_pass(void **state)
{
	struct given_response response = given_response(ANSWER("X_A: b\r\nX.B: c\r\n"),
							&usual_limits, METHOD_GET);

	(void)state;
	assert_int_equal(response.result.status, H1_DONE);
	assert_false(response.headers[0].dropped);
	assert_false(response.headers[1].dropped);
}

static void the_framing_of_a_response_is_as_strict_as_that_of_a_request(void **state)
{
	ASSERT_RESPONSES(/* U1 */
			 {ANSWER("Content-Length: 5\r\n"), FAULT_NONE},
			 {ANSWER("Transfer-Encoding: chunked\r\n"), FAULT_NONE},
			 {ANSWER("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
			  FAULT_BAD_RESPONSE},
			 {ANSWER("Content-Length: 5\r\nContent-Length: 5\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("Content-Length: 5, 5\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("Content-Length: five\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("Transfer-Encoding: gzip, chunked\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("Transfer-Encoding: gzip\r\n"), FAULT_BAD_RESPONSE},
			 {ANSWER("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
			  FAULT_BAD_RESPONSE},
			 {S("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
			  FAULT_BAD_RESPONSE});
}

static void the_end_of_a_response_is_known_by_fields_status_and_method(void **state)
{
	static const struct {
		struct span bytes;
		enum method method;
		enum body_framing framing;
		bool has_length;
	} cases[] = {
		{ANSWER("Content-Length: 5\r\n"), METHOD_GET, BODY_LENGTH, true},
		{ANSWER("Content-Length: 0\r\n"), METHOD_GET, BODY_NONE, true},
		{ANSWER("Transfer-Encoding: chunked\r\n"), METHOD_GET, BODY_CHUNKED, false},
		{ANSWER(""), METHOD_GET, BODY_CLOSE, false},
		{ANSWER("Content-Length: 5\r\n"), METHOD_HEAD, BODY_NONE, true}, /* U7 */
		{ANSWER("Transfer-Encoding: chunked\r\n"), METHOD_HEAD, BODY_NONE, false},
		{ANSWER(""), METHOD_HEAD, BODY_NONE, false},
		{S("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n"), METHOD_GET, BODY_NONE, false},
		{S("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n"), METHOD_GET, BODY_NONE, true},
		{S("HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n"), METHOD_GET, BODY_NONE,
		 false},
		{S("HTTP/1.1 100 x\r\nContent-Length: 5\r\n\r\n"), METHOD_POST, BODY_NONE, false},
		{S("HTTP/1.1 101 x\r\n\r\n"), METHOD_GET, BODY_NONE, false},
		{S("HTTP/1.1 205 x\r\n\r\n"), METHOD_GET, BODY_CLOSE, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct given_response response = given_response(cases[i].bytes, &usual_limits,
								cases[i].method);

		assert_int_equal(response.result.status, H1_DONE);
		assert_int_equal(response.head.framing, cases[i].framing);
		assert_int_equal(response.head.has_content_length, cases[i].has_length);
		assert_int_equal(response.head.content_length,
				 cases[i].has_length && i != 1 ? 5 : 0);
	}
}

static void a_backends_connection_is_kept_as_it_says(void **state)
{
	static const struct {
		struct span bytes;
		bool keep_alive;
	} cases[] = {
		{ANSWER("Content-Length: 5\r\n"), true},
		{ANSWER("Content-Length: 5\r\nConnection: close\r\n"), false},
		{ANSWER(""), false},
		{S("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), false},
		{S("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n"), true},
		{S("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive, close\r\n\r\n"),
		 false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(
			given_response(cases[i].bytes, &usual_limits, METHOD_GET).head.keep_alive,
			cases[i].keep_alive);
}

static void fields_that_a_backend_names_in_connection_are_dropped(void **state)
{
	struct given_response response = given_response(
		ANSWER("X-A: 1\r\nConnection: X-A\r\nX-B: 2\r\n"), &usual_limits, METHOD_GET);

	assert_true(response.headers[0].dropped); /* U11 */
	assert_false(response.headers[2].dropped);
	ASSERT_RESPONSES({ANSWER("Connection: Content-Length\r\n"), FAULT_BAD_RESPONSE});
}

static void limits_of_a_response_are_told_as_one_fault(void **state)
{
	struct h1_limits limits = usual_limits;

	(void)state; /* U5 */
	limits.fields = 1;
	assert_int_equal(
		given_response(ANSWER("A: b\r\nC: d\r\n"), &limits, METHOD_GET).result.fault,
		FAULT_RESPONSE_HEAD_TOO_LARGE);
	limits = usual_limits;
	limits.head_bytes = 50;
	assert_int_equal(
		given_response(ANSWER("A: b\r\nC: d\r\n"), &limits, METHOD_GET).result.fault,
		FAULT_RESPONSE_HEAD_TOO_LARGE);
	limits = usual_limits;
	limits.line_bytes = 14;
	assert_int_equal(given_response(ANSWER(""), &limits, METHOD_GET).result.fault,
			 FAULT_RESPONSE_HEAD_TOO_LARGE);
	limits = usual_limits;
	limits.field_bytes = 5;
	assert_int_equal(given_response(ANSWER("A: bcd\r\n"), &limits, METHOD_GET).result.fault,
			 FAULT_RESPONSE_HEAD_TOO_LARGE);
}

static void an_upgrade_is_described(void **state)
{
	struct given_response response = given_response(
		S("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
		  "Upgrade\r\n"
		  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05hello"),
		&usual_limits, METHOD_GET);
	struct given_response twice = given_response(
		S("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n\r\n"),
		&usual_limits, METHOD_GET);
	struct given_response other = given_response(
		ANSWER("Upgrade: h2c\r\nContent-Length: 0\r\n"), &usual_limits, METHOD_GET);

	(void)state;
	assert_span(response.head.upgrade, S("websocket"));
	assert_true(response.head.connection_upgrade);
	assert_span(response.head.websocket_accept, S("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
	assert_span(twice.head.upgrade, S(""));
	assert_span(other.head.upgrade, S(""));
	assert_false(other.head.connection_upgrade);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_and_http2_on_a_plain_port_are_told_apart),
		cmocka_unit_test(a_request_line_is_method_blank_target_blank_version),
		cmocka_unit_test(versions_one_zero_and_one_one_are_served),
		cmocka_unit_test(a_method_is_a_token_of_capitals),
		cmocka_unit_test(connect_trace_and_track_are_not_served),
		cmocka_unit_test(known_methods_have_an_id),
		cmocka_unit_test(a_target_holds_no_byte_that_ends_one),
		cmocka_unit_test(there_is_one_host_and_it_is_not_empty),
		cmocka_unit_test(http_1_0_may_be_without_host),
		cmocka_unit_test(an_expectation_is_met_where_a_body_is_to_come),
		cmocka_unit_test(a_websocket_handshake_is_recognized),
		cmocka_unit_test(anything_less_than_a_handshake_is_an_ordinary_request),
		cmocka_unit_test(te_tells_whether_trailers_are_accepted),
		cmocka_unit_test(a_browsers_request_is_read_field_by_field),
		cmocka_unit_test(a_head_is_read_anew_after_its_bytes_have_moved),
		cmocka_unit_test(a_status_line_is_version_blank_three_digits_and_a_reason),
		cmocka_unit_test(the_reason_of_a_response_may_be_empty),
		cmocka_unit_test(fields_of_a_response_obey_the_rules_of_a_request),
		cmocka_unit_test(odd_names_of_a_backend_pass),
		cmocka_unit_test(the_framing_of_a_response_is_as_strict_as_that_of_a_request),
		cmocka_unit_test(the_end_of_a_response_is_known_by_fields_status_and_method),
		cmocka_unit_test(a_backends_connection_is_kept_as_it_says),
		cmocka_unit_test(fields_that_a_backend_names_in_connection_are_dropped),
		cmocka_unit_test(limits_of_a_response_are_told_as_one_fault),
		cmocka_unit_test(an_upgrade_is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
