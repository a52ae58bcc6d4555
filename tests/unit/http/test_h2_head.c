/* SPDX-License-Identifier: Apache-2.0 */
/* Field sections, by the rules D1 to D10 of the security spec. Whatever comes out of a section as a sound
 * request is written as HTTP/1.1 and must be read as the same request by that parser: a hole here would
 * be a way to smuggle.
 */
#include "http/h2_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "http/h2.h"
#include "http/token.h"
#include "http/uri.h"
#include "page_end.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct field {
	struct span name;
	struct span value;
};

struct given {
	struct h2_block block;
	struct arena arena;
	struct header headers[HEAD_REQUEST_FIELDS_MAX];
	struct request_head request;
	struct response_head response;
};

static struct given given;

static const struct h2_request_rules plain_rules = {.websocket = true};

#define assert_span(actual, expected)                                                   \
	do {                                                                            \
		struct span actual_ = (actual);                                         \
		struct span expected_ = (expected);                                     \
                                                                                        \
		assert_int_equal(actual_.len, expected_.len);                           \
		if (expected_.len > 0)                                                  \
			assert_memory_equal(actual_.ptr, expected_.ptr, expected_.len); \
	} while (0)

static int set_up(void **state)
{
	(void)state;
	memset(&given, 0, sizeof(given));
	arena_init(&given.arena, NULL, 0, 1 << 18);
	given.request.headers = given.headers;
	given.response.headers = given.headers;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&given.arena);
	return 0;
}

static void anew(void)
{
	tear_down(NULL);
	set_up(NULL);
}

static void add(const struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *copy = page_end_room(fields[i].name.len + fields[i].value.len);
		struct span name = {copy, fields[i].name.len};
		struct span value = {copy + name.len, fields[i].value.len};

		/* what was not copied by the block is overwritten by the next field */
		if (name.len > 0)
			memcpy(copy, fields[i].name.ptr, name.len);
		if (value.len > 0)
			memcpy(copy + name.len, fields[i].value.ptr, value.len);
		h2_block_field(&given.block, (struct h2_text){.text = name},
			       (struct h2_text){.text = value});
	}
}

static void begin_request(const struct h2_head_limits *limits)
{
	anew();
	h2_block_begin(&given.block, H2_SECTION_REQUEST, limits, &given.arena, given.headers,
		       given.request.present);
}

/* ---- the same request as HTTP/1.1 ---- */

static void write_framing(struct h1_writer *writer, const struct request_head *head)
{
	if (head->framing == BODY_CHUNKED)
		h1_write_field(writer, HEADER_TRANSFER_ENCODING, S("chunked"));
	else if (head->has_content_length)
		h1_write_field_number(writer, HEADER_CONTENT_LENGTH, head->content_length);
}

static void assert_sound_in_http1(const struct request_head *head)
{
	static char memory[1 << 17];
	static struct header headers[HEAD_REQUEST_FIELDS_MAX];
	const struct h1_limits limits = {1 << 16, 1 << 16, 1 << 17, HEAD_REQUEST_FIELDS_MAX, 0, 0};
	struct h1_writer writer = h1_writer_over(memory, sizeof(memory));
	struct request_head again = {.headers = headers};
	struct h1_progress progress = {0};
	struct h1_result result;
	uint32_t written = 0;
	struct uri uri;

	if (uri_parse(head->target, head->method_id, &given.arena, &uri) != FAULT_NONE)
		return;
	h1_write_request_line(&writer, head->method, uri.sent_path, uri.query);
	if (token_is(head->host, TOKEN_HOST))
		h1_write_field(&writer, HEADER_HOST, head->host);
	else
		return; /* refused by uri.h */
	write_framing(&writer, head);
	for (uint32_t i = 0; i < head->header_count; i++) {
		const struct header *header = &head->headers[i];

		if (header->dropped || header_request_way(header->id) != HEADER_WAY_PASS)
			continue;
		h1_write_header(&writer, header);
		written++;
	}
	h1_write_end(&writer);
	assert_int_equal(writer.fault, H1_WRITER_OK);
	result = h1_parse_request(h1_written(&writer), &limits, &progress, &again);
	assert_int_equal(result.status, H1_DONE);
	assert_int_equal(result.consumed, h1_written(&writer).len);
	assert_int_equal(again.framing, head->framing);
	assert_int_equal(again.content_length, head->content_length);
	assert_int_equal(again.method_id, head->method_id);
	assert_span(again.host, head->host);
	assert_int_equal(again.header_count,
			 written + 1 + (head->framing == BODY_CHUNKED || head->has_content_length));
}

static const struct h2_head_limits *usual_limits(void)
{
	static struct h2_head_limits limits;

	limits = h2_options_usual(H2_SERVER).head;
	return &limits;
}

enum outcome { PASSES, ANSWERED, RESET };

static enum outcome when_request(const struct field *fields, size_t count, bool is_last)
{
	begin_request(usual_limits());
	add(fields, count);
	h2_block_request(&given.block, plain_rules, is_last, &given.request);
	if (given.block.malformed)
		return RESET;
	if (given.block.fault != FAULT_NONE)
		return ANSWERED;
	if (!given.request.wants_websocket)
		assert_sound_in_http1(&given.request);
	return PASSES;
}

#define ASSERT_REQUEST_WITH(last, outcome, fault_, ...)                                 \
	do {                                                                            \
		const struct field fields_[] = {__VA_ARGS__};                           \
                                                                                        \
		(void)state;                                                            \
		assert_int_equal(when_request(fields_, COUNT(fields_), last), outcome); \
		assert_int_equal(given.block.fault, fault_);                            \
	} while (0)

#define ASSERT_REQUEST(outcome, fault, ...) ASSERT_REQUEST_WITH(true, outcome, fault, __VA_ARGS__)

#define METHOD(text)                  \
	{                             \
		S(":method"), S(text) \
	}
#define SCHEME(text)                  \
	{                             \
		S(":scheme"), S(text) \
	}
#define PATH(text)                  \
	{                           \
		S(":path"), S(text) \
	}
#define AUTHORITY(text)                  \
	{                                \
		S(":authority"), S(text) \
	}
#define PROTOCOL(text)                  \
	{                               \
		S(":protocol"), S(text) \
	}
#define FIELD(name, value)        \
	{                         \
		S(name), S(value) \
	}

#define GET METHOD("GET"), SCHEME("http"), PATH("/"), AUTHORITY("a.test")

/* ---- D1: names and values ---- */

static void a_plain_request_passes(void **state)
{
	ASSERT_REQUEST(PASSES, FAULT_NONE, GET, FIELD("accept", "*/*"), FIELD("x-a", ""));
	assert_int_equal(given.request.header_count, 2);
	assert_int_equal(given.request.headers[0].id, HEADER_ACCEPT);
	assert_span(given.request.headers[0].value, S("*/*"));
	assert_true(request_head_has(&given.request, HEADER_ACCEPT));
	assert_false(given.request.accepts_trailers);
}

static void names_are_tokens_without_capitals(void **state)
{
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD, GET, FIELD("Accept", "a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD, GET, FIELD("x-A", "a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD, GET, FIELD("", "a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD, GET, FIELD("x a", "a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD, GET, FIELD("x:a", "a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD, GET, FIELD("x-a:", "a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD, GET, FIELD("x\r\nb", "a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD, GET, FIELD("x\0", "a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD, GET, FIELD("x\xc3\xa4", "a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD, GET, FIELD("transfer-encoding: chunked\r\nx", "a"));
	ASSERT_REQUEST(PASSES, FAULT_NONE, GET, FIELD("x1-", "a"));
}

static void odd_names_are_dropped_as_in_http1(void **state)
{
	ASSERT_REQUEST(PASSES, FAULT_NONE, GET, FIELD("x_a", "a"), FIELD("x.b", "a"),
		       FIELD("content_length", "5"));
	assert_int_equal(given.request.header_count, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(given.request.headers[i].dropped);
}

static void an_underscore_does_not_hide_a_field_that_we_obey(void **state)
{
	struct h2_head_limits limits = *usual_limits();
	const struct field fields[] = {GET, FIELD("content_length", "5")};
	const struct field harmless[] = {GET, FIELD("x_a", "5")};

	(void)state;
	limits.underscores = true;
	begin_request(&limits);
	add(fields, COUNT(fields));
	h2_block_request(&given.block, plain_rules, true, &given.request);
	assert_int_equal(given.block.fault, FAULT_BAD_FIELD);
	assert_false(given.block.malformed);

	begin_request(&limits);
	add(harmless, COUNT(harmless));
	h2_block_request(&given.block, plain_rules, true, &given.request);
	assert_int_equal(given.block.fault, FAULT_NONE);
	assert_false(given.request.headers[0].dropped);
}

static void values_hold_no_control_byte_and_no_blank_at_their_ends(void **state)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		char text[] = "a?b";
		const struct field fields[] = {GET, {S("x-a"), {text, 3}}};
		bool sound = byte == '\t' || (byte >= 0x20 && byte != 0x7f);

		text[1] = (char)byte;
		assert_int_equal(when_request(fields, COUNT(fields), true), sound ? PASSES : RESET);
	}
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD_VALUE, GET, FIELD("x-a", " a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD_VALUE, GET, FIELD("x-a", "a "));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD_VALUE, GET, FIELD("x-a", "\ta"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD_VALUE, GET, FIELD("x-a", "a\t"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD_VALUE, METHOD("GET\r\n"), SCHEME("http"), PATH("/"));
	ASSERT_REQUEST(RESET, FAULT_BAD_FIELD_VALUE, METHOD("GET"), SCHEME("http"), PATH("/\r\n"));
}

/* ---- D2: what belongs to connections ---- */

static void fields_of_connections_are_refused(void **state)
{
	ASSERT_REQUEST(RESET, FAULT_CONNECTION_FIELD, GET, FIELD("connection", "close"));
	ASSERT_REQUEST(RESET, FAULT_CONNECTION_FIELD, GET, FIELD("keep-alive", "timeout=5"));
	ASSERT_REQUEST(RESET, FAULT_CONNECTION_FIELD, GET, FIELD("proxy-connection", "x"));
	ASSERT_REQUEST(RESET, FAULT_CONNECTION_FIELD, GET, FIELD("transfer-encoding", "chunked"));
	ASSERT_REQUEST(RESET, FAULT_CONNECTION_FIELD, GET, FIELD("transfer-encoding", "identity"));
	ASSERT_REQUEST(RESET, FAULT_CONNECTION_FIELD, GET, FIELD("upgrade", "h2c"));
	ASSERT_REQUEST(RESET, FAULT_CONNECTION_FIELD, GET, FIELD("te", "gzip"));
	ASSERT_REQUEST(RESET, FAULT_CONNECTION_FIELD, GET, FIELD("te", "trailers, gzip"));
	ASSERT_REQUEST(RESET, FAULT_CONNECTION_FIELD, GET, FIELD("te", ""));
}

static void te_may_say_trailers(void **state)
{
	ASSERT_REQUEST(PASSES, FAULT_NONE, GET, FIELD("te", "trailers"));
	assert_true(given.request.accepts_trailers);
}

/* ---- D3: pseudo fields ---- */

static void pseudo_fields_come_once_and_first(void **state)
{
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, SCHEME("http"), PATH("/"));
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, METHOD("GET"), PATH("/"), AUTHORITY("a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, METHOD("GET"), SCHEME("http"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, GET, METHOD("GET"));
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, GET, PATH("/"));
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, GET, SCHEME("http"));
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, GET, AUTHORITY("a.test"));
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, GET, FIELD(":status", "200"));
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, GET, FIELD(":foo", "a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, GET, FIELD(":", "a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, METHOD("GET"), SCHEME("http"), PATH("/"),
		       FIELD("x-a", "a"), AUTHORITY("a.test"));
	ASSERT_REQUEST(RESET, FAULT_BAD_PSEUDO_FIELD, METHOD(""), METHOD("GET"), SCHEME("http"),
		       PATH("/"));
}

/* ---- D4, D5: target, method, scheme ---- */

static void a_path_begins_with_a_slash(void **state)
{
	ASSERT_REQUEST(RESET, FAULT_BAD_TARGET, METHOD("GET"), SCHEME("http"), PATH(""),
		       AUTHORITY("a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_TARGET, METHOD("GET"), SCHEME("http"), PATH("a"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_TARGET, METHOD("GET"), SCHEME("http"), PATH("*"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(RESET, FAULT_BAD_TARGET, METHOD("GET"), SCHEME("http"), PATH("http://b/"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(PASSES, FAULT_NONE, METHOD("OPTIONS"), SCHEME("http"), PATH("*"),
		       AUTHORITY("a"));
	assert_span(given.request.target, S("*"));
}

static void a_target_holds_no_byte_that_ends_one(void **state)
{
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_TARGET, METHOD("GET"), SCHEME("http"),
		       PATH("/a HTTP/1.1"), AUTHORITY("a"));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_TARGET, METHOD("GET"), SCHEME("http"), PATH("/a#b"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_TARGET, METHOD("GET"), SCHEME("http"), PATH("/a\tb"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_TARGET, METHOD("GET"), SCHEME("http"), PATH("/\xc3\xa4"),
		       AUTHORITY("a"));
}

static void methods_are_those_of_http1(void **state)
{
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_METHOD, METHOD("GE T"), SCHEME("http"), PATH("/"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_METHOD, METHOD(""), SCHEME("http"), PATH("/"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(ANSWERED, FAULT_UNKNOWN_METHOD, METHOD("get"), SCHEME("http"), PATH("/"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(ANSWERED, FAULT_METHOD_NOT_ALLOWED, METHOD("TRACE"), SCHEME("http"),
		       PATH("/"), AUTHORITY("a"));
	ASSERT_REQUEST(PASSES, FAULT_NONE, METHOD("PURGE"), SCHEME("http"), PATH("/"),
		       AUTHORITY("a"));
	assert_int_equal(given.request.method_id, METHOD_OTHER);
}

static void connect_is_not_served(void **state)
{
	ASSERT_REQUEST(ANSWERED, FAULT_METHOD_NOT_ALLOWED, METHOD("CONNECT"), AUTHORITY("a:443"));
}

static void the_scheme_is_that_of_the_connection(void **state)
{
	ASSERT_REQUEST(ANSWERED, FAULT_WRONG_SCHEME, METHOD("GET"), SCHEME("https"), PATH("/"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_TARGET, METHOD("GET"), SCHEME("ftp"), PATH("/"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_TARGET, METHOD("GET"), SCHEME(""), PATH("/"),
		       AUTHORITY("a"));
	ASSERT_REQUEST(PASSES, FAULT_NONE, METHOD("GET"), SCHEME("HTTP"), PATH("/"),
		       AUTHORITY("a"));
}

static void a_secure_connection_takes_https(void **state)
{
	const struct field fields[] = {METHOD("GET"), SCHEME("https"), PATH("/"), AUTHORITY("a")};

	(void)state;
	begin_request(usual_limits());
	add(fields, COUNT(fields));
	h2_block_request(&given.block, (struct h2_request_rules){.https = true}, true,
			 &given.request);
	assert_int_equal(given.block.fault, FAULT_NONE);
}

/* ---- D6: who is meant ---- */

static void authority_and_host_agree(void **state)
{
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_HOST, METHOD("GET"), SCHEME("http"), PATH("/"));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_HOST, METHOD("GET"), SCHEME("http"), PATH("/"),
		       AUTHORITY(""));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_HOST, METHOD("GET"), SCHEME("http"), PATH("/"),
		       AUTHORITY(""), FIELD("host", "a"));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_HOST, GET, FIELD("host", "b.test"));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_HOST, GET, FIELD("host", "a.test:81"));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_HOST, GET, FIELD("host", ""));
	ASSERT_REQUEST(ANSWERED, FAULT_BAD_HOST, GET, FIELD("host", "a.test"),
		       FIELD("host", "a.test"));
	ASSERT_REQUEST(PASSES, FAULT_NONE, GET, FIELD("host", "A.test.:80"));
	assert_span(given.request.host, S("a.test"));
	ASSERT_REQUEST(PASSES, FAULT_NONE, METHOD("GET"), SCHEME("http"), PATH("/"),
		       FIELD("host", "b.test"));
	assert_span(given.request.host, S("b.test"));
}

/* ---- D7: lengths ---- */

static void a_length_says_what_the_body_is(void **state)
{
	ASSERT_REQUEST_WITH(false, PASSES, FAULT_NONE, GET, FIELD("content-length", "007"));
	assert_int_equal(given.request.framing, BODY_LENGTH);
	assert_int_equal(given.request.content_length, 7);
	assert_true(given.request.has_content_length);
	ASSERT_REQUEST_WITH(false, PASSES, FAULT_NONE, GET);
	assert_int_equal(given.request.framing, BODY_CHUNKED);
	ASSERT_REQUEST(PASSES, FAULT_NONE, GET);
	assert_int_equal(given.request.framing, BODY_NONE);
	ASSERT_REQUEST(PASSES, FAULT_NONE, GET, FIELD("content-length", "0"));
	assert_int_equal(given.request.framing, BODY_NONE);
	ASSERT_REQUEST_WITH(false, PASSES, FAULT_NONE, GET, FIELD("content-length", "0"));
	assert_int_equal(given.request.framing, BODY_NONE);
}

static void a_length_is_one_number(void **state)
{
	ASSERT_REQUEST_WITH(false, RESET, FAULT_BAD_CONTENT_LENGTH, GET,
			    FIELD("content-length", "5"), FIELD("content-length", "5"));
	ASSERT_REQUEST_WITH(false, RESET, FAULT_BAD_CONTENT_LENGTH, GET,
			    FIELD("content-length", "5, 5"));
	ASSERT_REQUEST_WITH(false, RESET, FAULT_BAD_CONTENT_LENGTH, GET,
			    FIELD("content-length", "+5"));
	ASSERT_REQUEST_WITH(false, RESET, FAULT_BAD_CONTENT_LENGTH, GET,
			    FIELD("content-length", ""));
	ASSERT_REQUEST_WITH(false, RESET, FAULT_BAD_CONTENT_LENGTH, GET,
			    FIELD("content-length", "0x5"));
	ASSERT_REQUEST_WITH(false, RESET, FAULT_BAD_CONTENT_LENGTH, GET,
			    FIELD("content-length", "9223372036854775808"));
	ASSERT_REQUEST(RESET, FAULT_BODY_LENGTH, GET, FIELD("content-length", "1"));
}

static void an_expectation_is_100_continue(void **state)
{
	ASSERT_REQUEST_WITH(false, PASSES, FAULT_NONE, GET, FIELD("expect", "100-Continue"));
	assert_true(given.request.expect_continue);
	ASSERT_REQUEST(PASSES, FAULT_NONE, GET, FIELD("expect", "100-continue"));
	assert_false(given.request.expect_continue);
	ASSERT_REQUEST(ANSWERED, FAULT_EXPECTATION_FAILED, GET, FIELD("expect", "x"));
}

/* ---- D8: cookies ---- */

static void cookie_crumbs_are_joined(void **state)
{
	ASSERT_REQUEST(PASSES, FAULT_NONE, GET, FIELD("x-a", "1"), FIELD("cookie", "a=b"),
		       FIELD("x-b", "2"), FIELD("cookie", "c=d"), FIELD("cookie", "e=f"),
		       FIELD("x-c", "3"));
	assert_int_equal(given.request.header_count, 4);
	assert_span(given.request.headers[0].name, S("x-a"));
	assert_span(given.request.headers[1].name, S("cookie"));
	assert_span(given.request.headers[1].value, S("a=b; c=d; e=f"));
	assert_int_equal(given.request.headers[1].id, HEADER_COOKIE);
	assert_span(given.request.headers[2].name, S("x-b"));
	assert_span(given.request.headers[3].name, S("x-c"));
}

static void a_single_cookie_stays_as_it_is(void **state)
{
	ASSERT_REQUEST(PASSES, FAULT_NONE, GET, FIELD("cookie", "a=b; c=d"));
	assert_span(given.request.headers[0].value, S("a=b; c=d"));
}

/* ---- D9: extended CONNECT ---- */

#define TUNNEL METHOD("CONNECT"), SCHEME("http"), PATH("/chat"), AUTHORITY("a.test")

static void an_extended_connect_becomes_a_websocket_request(void **state)
{
	ASSERT_REQUEST_WITH(false, PASSES, FAULT_NONE, TUNNEL, PROTOCOL("websocket"),
			    FIELD("sec-websocket-version", "13"));
	assert_true(given.request.wants_websocket);
	assert_int_equal(given.request.method_id, METHOD_GET);
	assert_int_equal(given.request.framing, BODY_NONE);
	assert_int_equal(given.request.websocket_key.len, 0);
}

static void an_extended_connect_is_complete_and_for_websocket(void **state)
{
	ASSERT_REQUEST_WITH(false, RESET, FAULT_BAD_PSEUDO_FIELD, METHOD("CONNECT"), SCHEME("http"),
			    PATH("/"), PROTOCOL("websocket"));
	ASSERT_REQUEST_WITH(false, RESET, FAULT_BAD_PSEUDO_FIELD, METHOD("CONNECT"), AUTHORITY("a"),
			    PROTOCOL("websocket"));
	ASSERT_REQUEST_WITH(false, RESET, FAULT_BAD_PSEUDO_FIELD, GET, PROTOCOL("websocket"));
	ASSERT_REQUEST_WITH(false, ANSWERED, FAULT_UNKNOWN_PROTOCOL, TUNNEL,
			    PROTOCOL("connect-udp"));
	ASSERT_REQUEST_WITH(false, ANSWERED, FAULT_BAD_FIELD_VALUE, TUNNEL, PROTOCOL("websocket"));
	ASSERT_REQUEST_WITH(false, ANSWERED, FAULT_BAD_FIELD_VALUE, TUNNEL, PROTOCOL("websocket"),
			    FIELD("sec-websocket-version", "8"));
	ASSERT_REQUEST_WITH(false, RESET, FAULT_BAD_CONTENT_LENGTH, TUNNEL, PROTOCOL("websocket"),
			    FIELD("sec-websocket-version", "13"), FIELD("content-length", "5"));
}

static void an_extended_connect_that_was_not_announced_is_malformed(void **state)
{
	const struct field fields[] = {TUNNEL, PROTOCOL("websocket"),
				       FIELD("sec-websocket-version", "13")};

	(void)state;
	begin_request(usual_limits());
	add(fields, COUNT(fields));
	h2_block_request(&given.block, (struct h2_request_rules){0}, false, &given.request);
	assert_true(given.block.malformed);
}

/* ---- limits ---- */

static void more_fields_than_allowed_are_not_stored(void **state)
{
	struct h2_head_limits limits = *usual_limits();
	const struct field crumbs[] = {GET, FIELD("cookie", ""), FIELD("cookie", ""),
				       FIELD("cookie", "")};

	(void)state;
	limits.fields = 6;
	begin_request(&limits);
	add(crumbs, COUNT(crumbs));
	h2_block_request(&given.block, plain_rules, true, &given.request);

	assert_int_equal(given.block.fault, FAULT_TOO_MANY_FIELDS);
	assert_false(given.block.malformed);
	assert_int_equal(given.block.header_count, 2);
}

static void a_head_is_weighed_decoded_and_not_stored_beyond_the_limit(void **state)
{
	/* names, values, and 32 for each */
	const uint32_t weight = 7 + 3 + 7 + 4 + 5 + 1 + 10 + 6 + 4 * 32;
	const struct field fields[] = {GET, FIELD("x-a", "1234")};

	(void)state;
	for (unsigned missing = 0; missing < 2; missing++) {
		struct h2_head_limits limits = *usual_limits();

		limits.head_bytes = weight + 3 + 4 + 32 - missing;
		begin_request(&limits);
		add(fields, COUNT(fields));
		assert_int_equal(given.block.fault,
				 missing > 0 ? FAULT_HEAD_TOO_LARGE : FAULT_NONE);
		assert_int_equal(given.block.header_count, missing > 0 ? 0 : 1);
	}
}

static void a_field_and_a_path_have_limits_of_their_own(void **state)
{
	struct h2_head_limits limits = *usual_limits();
	const struct field fields[] = {GET, FIELD("x-a", "12345678")};
	const struct field path[] = {METHOD("GET"), PATH("/23456"), SCHEME("http")};

	(void)state;
	limits.field_bytes = 16;
	begin_request(&limits);
	add(fields, COUNT(fields));
	assert_int_equal(given.block.fault, FAULT_NONE);
	limits.field_bytes = 10;
	begin_request(&limits);
	add(fields + 4, 1);
	assert_int_equal(given.block.fault, FAULT_HEAD_TOO_LARGE);
	limits.field_bytes = limits.path_bytes = 10;
	begin_request(&limits);
	add(path, COUNT(path));
	assert_int_equal(given.block.fault, FAULT_LINE_TOO_LONG);
	limits = *usual_limits();
	limits.path_bytes = 6;
	begin_request(&limits);
	add(path, COUNT(path));
	assert_int_equal(given.block.fault, FAULT_NONE);
	limits.path_bytes = 5;
	begin_request(&limits);
	add(path, COUNT(path));
	h2_block_request(&given.block, plain_rules, true, &given.request);
	assert_int_equal(given.block.fault, FAULT_LINE_TOO_LONG);
	assert_false(given.block.malformed);
}

static void memory_that_is_out_is_an_answer(void **state)
{
	const struct field fields[] = {GET, FIELD("x-a", "12345678")};

	(void)state;
	begin_request(usual_limits());
	arena_fini(&given.arena);
	arena_init(&given.arena, NULL, 0, 0);
	add(fields, COUNT(fields));
	h2_block_request(&given.block, plain_rules, true, &given.request);

	assert_int_equal(given.block.fault, FAULT_OUT_OF_MEMORY);
	assert_false(given.block.malformed);
}

/* ---- responses ---- */

static enum fault when_response(const struct field *fields, size_t count, enum method method,
				bool is_last)
{
	anew();
	h2_block_begin(&given.block, H2_SECTION_RESPONSE, usual_limits(), &given.arena,
		       given.headers, given.response.present);
	add(fields, count);
	h2_block_response(&given.block, method, false, is_last, &given.response);
	assert_int_equal(given.block.malformed, given.block.fault != FAULT_NONE);
	return given.block.fault;
}

#define ASSERT_RESPONSE(method, last, fault, ...)                                              \
	do {                                                                                   \
		const struct field fields_[] = {__VA_ARGS__};                                  \
                                                                                               \
		(void)state;                                                                   \
		assert_int_equal(when_response(fields_, COUNT(fields_), method, last), fault); \
	} while (0)

#define STATUS(text)                  \
	{                             \
		S(":status"), S(text) \
	}

static void a_response_has_a_status_and_nothing_else_of_pseudo_fields(void **state)
{
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_NONE, STATUS("200"), FIELD("x_odd", "a"));
	assert_false(given.response.headers[0].dropped);
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, FIELD("x-a", "a"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS("200"), STATUS("200"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS("200"), PATH("/"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, FIELD("x-a", "a"), STATUS("200"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS("99"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS("600"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS("2000"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS("20x"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS(""));
	ASSERT_RESPONSE(METHOD_GET, false, FAULT_BAD_RESPONSE, STATUS("101"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS("100"));
	ASSERT_RESPONSE(METHOD_GET, false, FAULT_NONE, STATUS("103"));
}

static void a_response_is_as_strict_as_a_request(void **state)
{
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS("200"), FIELD("X-A", "a"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS("200"),
			FIELD("x-a", "a\r\nb"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS("200"),
			FIELD("connection", "close"));
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE, STATUS("200"),
			FIELD("transfer-encoding", "chunked"));
	ASSERT_RESPONSE(METHOD_GET, false, FAULT_BAD_RESPONSE, STATUS("200"),
			FIELD("content-length", "1"), FIELD("content-length", "1"));
	ASSERT_RESPONSE(METHOD_GET, false, FAULT_BAD_RESPONSE, STATUS("200"),
			FIELD("content_length", "1"));
}

static void the_framing_of_a_response_depends_on_the_request(void **state)
{
	ASSERT_RESPONSE(METHOD_GET, false, FAULT_NONE, STATUS("200"), FIELD("content-length", "5"));
	assert_int_equal(given.response.framing, BODY_LENGTH);
	ASSERT_RESPONSE(METHOD_GET, false, FAULT_NONE, STATUS("200"));
	assert_int_equal(given.response.framing, BODY_CHUNKED);
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_BAD_RESPONSE_BODY, STATUS("200"),
			FIELD("content-length", "5"));
	ASSERT_RESPONSE(METHOD_HEAD, true, FAULT_NONE, STATUS("200"), FIELD("content-length", "5"));
	assert_int_equal(given.response.framing, BODY_NONE);
	assert_true(given.response.has_content_length);
	assert_int_equal(given.response.content_length, 5);
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_NONE, STATUS("304"), FIELD("content-length", "5"));
	assert_int_equal(given.response.framing, BODY_NONE);
	ASSERT_RESPONSE(METHOD_GET, true, FAULT_NONE, STATUS("204"), FIELD("content-length", "5"));
	assert_false(given.response.has_content_length); /* U7 */
}

static void a_large_response_head_is_told_apart(void **state)
{
	static char large[8193];
	const struct field fields[] = {STATUS("200"), {S("x-a"), {large, sizeof(large)}}};

	(void)state;
	memset(large, 'a', sizeof(large));
	assert_int_equal(when_response(fields, COUNT(fields), METHOD_GET, true),
			 FAULT_RESPONSE_HEAD_TOO_LARGE);
}

/* ---- trailers ---- */

static void trailers_are_bounded_and_have_no_pseudo_fields(void **state)
{
	const struct field pseudo[] = {STATUS("200")};
	const struct field one[] = {FIELD("x-a", "a")};

	(void)state;
	h2_block_begin_trailers(&given.block, usual_limits(), &given.arena, true);
	add(pseudo, 1);
	assert_int_equal(given.block.fault, FAULT_BAD_PSEUDO_FIELD);
	anew();
	h2_block_begin_trailers(&given.block, usual_limits(), &given.arena, true);
	for (unsigned i = 0; i < H2_TRAILER_FIELDS_MAX; i++)
		add(one, 1);
	assert_int_equal(given.block.fault, FAULT_NONE);
	add(one, 1);
	assert_int_equal(given.block.fault, FAULT_TOO_MANY_FIELDS);
	assert_int_equal(given.block.header_count, H2_TRAILER_FIELDS_MAX);
}

static void trailers_that_belong_into_a_head_do_not_go_on(void **state)
{
	const struct field fields[] = {
		FIELD("grpc-status", "0"),
		FIELD("content-length", "5"),
		FIELD("host", "b"),
		FIELD("authorization", "x"),
		FIELD("cookie", "a=b"),
		FIELD("set-cookie", "a=b"),
		FIELD("x-forwarded-for", "x"),
		FIELD("te", "trailers"),
	};

	(void)state;
	h2_block_begin_trailers(&given.block, usual_limits(), &given.arena, false);
	add(fields, COUNT(fields));

	assert_int_equal(given.block.fault, FAULT_NONE);
	assert_int_equal(given.block.header_count, COUNT(fields));
	for (uint32_t i = 0; i < given.block.header_count; i++)
		assert_int_equal(given.block.headers[i].dropped, i > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_plain_request_passes),
		TEST(names_are_tokens_without_capitals),
		TEST(odd_names_are_dropped_as_in_http1),
		TEST(an_underscore_does_not_hide_a_field_that_we_obey),
		TEST(values_hold_no_control_byte_and_no_blank_at_their_ends),
		TEST(fields_of_connections_are_refused),
		TEST(te_may_say_trailers),
		TEST(pseudo_fields_come_once_and_first),
		TEST(a_path_begins_with_a_slash),
		TEST(a_target_holds_no_byte_that_ends_one),
		TEST(methods_are_those_of_http1),
		TEST(connect_is_not_served),
		TEST(the_scheme_is_that_of_the_connection),
		TEST(a_secure_connection_takes_https),
		TEST(authority_and_host_agree),
		TEST(a_length_says_what_the_body_is),
		TEST(a_length_is_one_number),
		TEST(an_expectation_is_100_continue),
		TEST(cookie_crumbs_are_joined),
		TEST(a_single_cookie_stays_as_it_is),
		TEST(an_extended_connect_becomes_a_websocket_request),
		TEST(an_extended_connect_is_complete_and_for_websocket),
		TEST(an_extended_connect_that_was_not_announced_is_malformed),
		TEST(more_fields_than_allowed_are_not_stored),
		TEST(a_head_is_weighed_decoded_and_not_stored_beyond_the_limit),
		TEST(a_field_and_a_path_have_limits_of_their_own),
		TEST(memory_that_is_out_is_an_answer),
		TEST(a_response_has_a_status_and_nothing_else_of_pseudo_fields),
		TEST(a_response_is_as_strict_as_a_request),
		TEST(the_framing_of_a_response_depends_on_the_request),
		TEST(a_large_response_head_is_told_apart),
		TEST(trailers_are_bounded_and_have_no_pseudo_fields),
		TEST(trailers_that_belong_into_a_head_do_not_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
