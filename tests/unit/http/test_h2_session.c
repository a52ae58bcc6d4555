/* SPDX-License-Identifier: Apache-2.0 */
/* A server of HTTP/2 and frames made by hand: what is told of messages, what time does, which rules of
 * frames end a connection, and how much memory all that takes. Attacks have a file of their own.
 */
#include "http/h2.h"

#include "given_h2_server.h"

/* ---- the beginning ---- */

static void the_first_frame_announces_the_settings_of_the_spec(void **state)
{
	struct h2_options options = h2_options_usual(H2_SERVER);
	struct sent_frame sent = {0};

	(void)state;
	given_start(&server, &options);
	given_pull(&server, 16384);

	assert_true(sent_nth(&server, H2_FRAME_SETTINGS, 0, 0, &sent));
	assert_span(sent.payload, S("\0\4\0\1\0\0"   /* INITIAL_WINDOW_SIZE 65,536 */
				    "\0\6\0\0\x80\0" /* MAX_HEADER_LIST_SIZE 32,768 */
				    "\0\3\0\0\0\x80" /* MAX_CONCURRENT_STREAMS 128 */
				    "\0\x09\0\0\0\1" /* NO_RFC7540_PRIORITIES */
				    "\0\x08\0\0\0\1" /* ENABLE_CONNECT_PROTOCOL */));
	assert_true(sent_nth(&server, H2_FRAME_WINDOW_UPDATE, 0, 0, &sent));
	assert_int_equal(sent_u32(sent.payload, 0), 512 * 1024 - 65535);
	given_stop(&server);
}

static void another_preface_ends_it(void **state)
{
	struct h2_options options = h2_options_usual(H2_SERVER);

	(void)state;
	given_start(&server, &options);
	given_feed(&server, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 1);

	assert_true(h2_is_over(&server.session));
	assert_int_equal(server.session.fault, FAULT_H2_BROKEN);
	assert_int_equal(h2_pull(&server.session, server.wire, GIVEN_WIRE, server.now_ns), 0);
	given_stop(&server);
}

static void settings_come_first(void **state)
{
	struct h2_options options = h2_options_usual(H2_SERVER);

	(void)state;
	given_start(&server, &options);
	raw.length = 0;
	raw_bytes(&raw, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, RAW_GET);
	feed_and_pull();

	assert_int_equal(sent_goaway(&server), H2_PROTOCOL_ERROR);
	assert_true(h2_is_over(&server.session));
	assert_int_equal(server.count, 0);
	given_stop(&server);
}

static void pieces_of_any_size_make_the_same_request(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 40; piece++) {
		struct h2_options options = h2_options_usual(H2_SERVER);

		given_start(&server, &options);
		raw.length = 0;
		raw_hello(&raw);
		RAW_HEADERS(&raw, 0, 1, RAW_POST, {S("x-a"), S("b")});
		raw_frame(&raw, H2_FRAME_DATA, 0, 1, S("\0\1\2\3\4\5\6\7\10\11"));
		/* padded: the length of the padding, data, padding */
		raw_frame(&raw, H2_FRAME_DATA, H2_FLAG_END_STREAM | 8, 1, S("\3\12\13\14\0\0\0"));
		given_feed_raw(&server, &raw, piece);

		assert_int_equal(stream(0)->heads, 1);
		assert_int_equal(stream(0)->head_fault, FAULT_NONE);
		assert_int_equal(stream(0)->request.header_count, 1);
		assert_int_equal(stream(0)->body_bytes, 13);
		assert_true(stream(0)->ended);
		given_stop(&server);
	}
}

static void a_section_may_be_cut_into_continuations(void **state)
{
	static const struct raw_field fields[] = {RAW_GET};
	static struct raw block;

	(void)state;
	given_server();
	block.length = 0;
	raw_block(&block, fields, COUNT(fields));
	raw_frame(&raw, H2_FRAME_HEADERS, H2_FLAG_END_STREAM, 1, span_make(block.bytes, 10));
	raw_frame(&raw, H2_FRAME_CONTINUATION, 0, 1, span_make(block.bytes + 10, 10));
	raw_frame(&raw, H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, 1,
		  span_make(block.bytes + 20, block.length - 20));
	given_feed_raw(&server, &raw, 1);

	assert_int_equal(stream(0)->heads, 1);
	assert_true(stream(0)->ended);
	given_stop(&server);
}

/* ---- what the owner is told beside ---- */

/* Whether it was since the last time. */
static bool told_of_output(void)
{
	bool told = server.outputs > 0;

	server.outputs = 0;
	return told;
}

static void the_owner_hears_of_what_its_calls_make(void **state)
{
	const struct header headers[] = {{.name = S("a"), .value = S("b")}};

	(void)state;
	given_server();
	RAW_HEADERS(&raw, 0, 1, RAW_POST);
	feed_and_pull();
	told_of_output();

	assert_int_equal(h2_inform(&stream(0)->stream, 103, headers, 1), FAULT_NONE);
	assert_true(told_of_output());
	assert_int_equal(h2_respond(&stream(0)->stream, 200, headers, 1, H2_THEN_BODY), FAULT_NONE);
	assert_true(told_of_output());
	stream(0)->to_send = 1;
	given_pull(&server, 16384);
	assert_false(told_of_output());
	stream(0)->available = 1;
	h2_body_ready(&stream(0)->stream);
	assert_true(told_of_output());
	h2_reset(&stream(0)->stream, H2_CANCEL);
	assert_true(told_of_output());
	h2_drain(&server.session, server.now_ns);
	assert_true(told_of_output());
	given_stop(&server);
}

static void nothing_to_send_is_no_output(void **state)
{
	struct h2_options options = h2_options_usual(H2_SERVER);

	(void)state;
	options.stream_window_bytes = options.stream_window_first_bytes = 4;
	given_server_with(&options);
	server.holds = true;
	RAW_HEADERS(&raw, 0, 1, RAW_POST);
	raw_frame(&raw, H2_FRAME_DATA, 0, 1, S("\0\1\2"));
	feed();
	h2_consume(&stream(0)->stream, 2); /* half of its window */
	given_pull(&server, 16384);
	assert_true(told_of_output());

	h2_consume(&stream(0)->stream, 1);

	assert_false(told_of_output());
	given_stop(&server);
}

static void a_session_is_calm_when_nothing_is_awaited(void **state)
{
	struct h2_options options = h2_options_usual(H2_SERVER);

	(void)state;
	given_start(&server, &options);
	assert_false(h2_is_calm(&server.session)); /* settings */
	raw.length = 0;
	raw_hello(&raw);
	feed_and_pull();
	assert_true(h2_is_calm(&server.session));

	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, RAW_GET);
	feed();
	assert_false(h2_is_calm(&server.session)); /* a stream */
	h2_release(&stream(0)->stream);
	assert_true(h2_is_calm(&server.session));

	h2_drain(&server.session, server.now_ns);
	assert_false(h2_is_calm(&server.session)); /* the second GOAWAY */
	given_stop(&server);
}

static void heads_and_frames_are_counted_as_they_pass(void **state)
{
	const struct header headers[] = {{.name = S("a"), .value = S("b")}};
	size_t request_bytes;

	(void)state;
	given_server();
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, RAW_GET);
	request_bytes = raw.length;
	feed_and_pull();
	assert_int_equal(stream(0)->stream.head_bytes, request_bytes);

	stream(0)->to_send = stream(0)->available = 100;
	h2_respond(&stream(0)->stream, 200, headers, 1, H2_THEN_BODY);
	given_pull(&server, 16384);

	assert_int_equal(stream(0)->stream.wire_sent_bytes, server.wire_length);
	given_stop(&server);
}

/* ---- messages ---- */

static void a_malformed_request_is_reset_and_not_told(void **state)
{
	(void)state;
	given_server();
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, RAW_GET, {S("Upper"), S("a")});
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 3, RAW_GET);
	feed_and_pull();

	assert_int_equal(sent_reset(&server, 1), H2_PROTOCOL_ERROR);
	assert_int_equal(stream(0)->heads, 0);
	assert_true(stream(0)->closed && !stream(0)->ended);
	assert_int_equal(stream(0)->fault, FAULT_BAD_FIELD);
	assert_int_equal(stream(1)->heads, 1);
	given_stop(&server);
}

static void a_fault_outlives_the_connection(void **state)
{
	(void)state;
	given_server();
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, RAW_GET, {S("te"), S("gzip")});
	feed();
	assert_false(stream(0)->closed);
	given_stop(&server);

	assert_true(stream(0)->closed);
	assert_int_equal(stream(0)->fault, FAULT_CONNECTION_FIELD);
}

static void a_fault_with_a_status_is_for_the_owner_to_answer(void **state)
{
	(void)state;
	given_server();
	RAW_HEADERS(&raw, 0, 1, {S(":method"), S("get")}, {S(":scheme"), S("http")},
		    {S(":path"), S("/")}, {S(":authority"), S("a")});
	feed();
	assert_int_equal(stream(0)->heads, 1);
	assert_int_equal(stream(0)->head_fault, FAULT_UNKNOWN_METHOD);
	assert_int_equal(h2_respond(&stream(0)->stream, 501, NULL, 0, H2_THEN_END), FAULT_NONE);
	given_pull(&server, 16384);

	assert_int_equal(sent_count(&server, H2_FRAME_HEADERS, 1), 1);
	assert_int_equal(sent_reset(&server, 1), H2_NO_ERROR);
	assert_true(stream(0)->closed);
	given_stop(&server);
}

/* D7 in all its forms. */
static void a_body_is_as_long_as_its_length_says(void **state)
{
	static const struct raw_field head[] = {RAW_POST, {S("content-length"), S("3")}};

	(void)state;
	for (unsigned way = 0; way < 6; way++) {
		given_server();
		raw_headers(&raw, H2_FLAG_END_HEADERS, 1, head, COUNT(head));
		switch (way) {
		case 0: /* too long */
			raw_frame(&raw, H2_FRAME_DATA, 0, 1, S("\0\1\2\3"));
			break;
		case 1: /* too long, in two frames */
			raw_frame(&raw, H2_FRAME_DATA, 0, 1, S("\0\1\2"));
			raw_frame(&raw, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, S("\3"));
			break;
		case 2: /* too short */
			raw_frame(&raw, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, S("\0\1"));
			break;
		case 3: /* too short, the end in an empty frame */
			raw_frame(&raw, H2_FRAME_DATA, 0, 1, S("\0\1"));
			raw_frame(&raw, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, S(""));
			break;
		case 4: /* too short, the end with trailers */
			raw_frame(&raw, H2_FRAME_DATA, 0, 1, S("\0\1"));
			RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, {S("x-a"), S("a")});
			break;
		default: /* nothing but padding counts as nothing */
			raw_frame(&raw, H2_FRAME_DATA, H2_FLAG_END_STREAM | 8, 1, S("\2\0\0"));
			break;
		}
		feed_and_pull();

		assert_int_equal(sent_reset(&server, 1), H2_PROTOCOL_ERROR);
		assert_int_equal(stream(0)->heads, 1);
		assert_false(stream(0)->ended);
		assert_int_equal(stream(0)->fault, FAULT_BODY_LENGTH);
		given_stop(&server);
	}
}

static void a_length_that_is_kept_passes(void **state)
{
	(void)state;
	given_server();
	RAW_HEADERS(&raw, 0, 1, RAW_POST, {S("content-length"), S("3")});
	raw_frame(&raw, H2_FRAME_DATA, 0, 1, S("\0\1\2"));
	raw_frame(&raw, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, S(""));
	feed_and_pull();

	assert_true(stream(0)->ended);
	assert_int_equal(sent_reset(&server, 1), NOT_SENT);
	given_stop(&server);
}

static void trailers_end_the_stream(void **state)
{
	(void)state;
	given_server();
	RAW_HEADERS(&raw, 0, 1, RAW_POST);
	RAW_HEADERS(&raw, 0, 1, {S("x-a"), S("a")});
	RAW_HEADERS(&raw, 0, 3, RAW_POST);
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 3, {S(":path"), S("/")});
	RAW_HEADERS(&raw, 0, 5, RAW_POST);
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 5, {S("x-a"), S("a")});
	feed_and_pull();

	assert_int_equal(stream(0)->fault, FAULT_BAD_TRAILER);
	assert_int_equal(stream(1)->fault, FAULT_BAD_TRAILER);
	assert_int_equal(sent_reset(&server, 1), H2_PROTOCOL_ERROR);
	assert_true(stream(2)->ended);
	assert_int_equal(stream(2)->stream.trailer_count, 1);
	given_stop(&server);
}

static void a_tunnel_has_no_trailers(void **state)
{
	(void)state;
	given_server();
	RAW_HEADERS(&raw, 0, 1, {S(":method"), S("CONNECT")}, {S(":protocol"), S("websocket")},
		    {S(":scheme"), S("http")}, {S(":path"), S("/")}, {S(":authority"), S("a")},
		    {S("sec-websocket-version"), S("13")});
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, {S("x-a"), S("a")});
	feed_and_pull();

	assert_true(stream(0)->stream.is_tunnel);
	assert_int_equal(sent_reset(&server, 1), H2_PROTOCOL_ERROR);
	given_stop(&server);
}

/* ---- time ---- */

static void when_seconds_pass(unsigned seconds)
{
	server.now_ns += seconds * SECOND_NS;
	h2_tick(&server.session, server.now_ns);
	given_pull(&server, 16384);
}

/* A request whose response has a body that the client does not let through. */
static void given_window_of_zero(void)
{
	given_server();
	raw_frame(&raw, H2_FRAME_SETTINGS, 0, 0, S("\0\4\0\0\0\0"));
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, RAW_GET);
	feed();
	stream(0)->to_send = stream(0)->available = 100000;
	assert_int_equal(h2_respond(&stream(0)->stream, 200, NULL, 0, H2_THEN_BODY), FAULT_NONE);
	given_pull(&server, 16384);
	assert_int_equal(stream(0)->sent, 0);
}

static void a_stream_that_stalls_is_reset(void **state)
{
	(void)state;
	given_window_of_zero();
	when_seconds_pass(30);
	when_seconds_pass(29);
	assert_false(stream(0)->closed);
	when_seconds_pass(1);

	assert_int_equal(sent_reset(&server, 1), H2_CANCEL);
	assert_true(stream(0)->closed);
	assert_int_equal(stream(0)->fault, FAULT_CLIENT_STALLED);
	given_stop(&server);
}

static void a_byte_now_and_then_is_no_progress(void **state)
{
	(void)state;
	given_window_of_zero();
	for (unsigned i = 0; i < 6 && !stream(0)->closed; i++) {
		raw_number(&raw, H2_FRAME_WINDOW_UPDATE, 1, 600);
		feed_and_pull();
		when_seconds_pass(10);
	}

	assert_true(stream(0)->closed);
	assert_int_equal(stream(0)->fault, FAULT_CLIENT_STALLED);
	given_stop(&server);
}

static void four_kilobytes_a_minute_are_progress(void **state)
{
	(void)state;
	given_window_of_zero();
	for (unsigned i = 0; i < 10; i++) {
		raw_number(&raw, H2_FRAME_WINDOW_UPDATE, 1, 4096);
		feed_and_pull();
		when_seconds_pass(50);
	}

	assert_false(stream(0)->closed);
	given_stop(&server);
}

static void a_body_that_is_not_there_yet_does_not_stall(void **state)
{
	(void)state;
	given_server();
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, RAW_GET);
	feed();
	stream(0)->to_send = 100000;
	assert_int_equal(h2_respond(&stream(0)->stream, 200, NULL, 0, H2_THEN_BODY), FAULT_NONE);
	given_pull(&server, 16384);
	for (unsigned i = 0; i < 10; i++)
		when_seconds_pass(50);

	assert_false(stream(0)->closed);
	given_stop(&server);
}

static void a_section_has_five_seconds_to_end(void **state)
{
	(void)state;
	given_server();
	raw_frame(&raw, H2_FRAME_HEADERS, 0, 1, S("\x82"));
	feed();
	when_seconds_pass(4);
	assert_int_equal(sent_goaway(&server), NOT_SENT);
	when_seconds_pass(1);

	assert_int_equal(sent_goaway(&server), H2_ENHANCE_YOUR_CALM);
	given_stop(&server);
}

static void the_last_frame_of_a_section_has_to_end_too(void **state)
{
	(void)state;
	given_server();
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, RAW_GET);
	given_feed(&server, span_make(raw.bytes, raw.length - 1), SIZE_MAX);
	when_seconds_pass(5);

	assert_int_equal(sent_goaway(&server), H2_ENHANCE_YOUR_CALM);
	given_stop(&server);
}

static void a_section_that_has_ended_has_all_the_time(void **state)
{
	(void)state;
	given_server();
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, RAW_GET);
	feed();
	when_seconds_pass(50);

	assert_int_equal(sent_goaway(&server), NOT_SENT);
	given_stop(&server);
}

static void settings_have_five_seconds_to_come(void **state)
{
	struct h2_options options = h2_options_usual(H2_SERVER);

	(void)state;
	given_start(&server, &options);
	given_feed(&server, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), SIZE_MAX);
	when_seconds_pass(4);
	assert_int_equal(sent_goaway(&server), NOT_SENT);
	when_seconds_pass(1);

	assert_int_equal(sent_goaway(&server), H2_PROTOCOL_ERROR);
	given_stop(&server);
}

static void settings_have_ten_seconds_to_be_acknowledged(void **state)
{
	struct h2_options options = h2_options_usual(H2_SERVER);

	(void)state;
	given_start(&server, &options);
	raw.length = 0;
	raw_bytes(&raw, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	raw_frame(&raw, H2_FRAME_SETTINGS, 0, 0, S(""));
	feed();
	when_seconds_pass(9);
	assert_int_equal(sent_goaway(&server), NOT_SENT);
	when_seconds_pass(1);

	assert_int_equal(sent_goaway(&server), H2_SETTINGS_TIMEOUT);
	given_stop(&server);
}

/* ---- rules of frames, kept by nghttp2 ---- */

typedef void breach(struct raw *raw);

static void breach_data_on_idle(struct raw *to)
{
	raw_frame(to, H2_FRAME_DATA, 0, 1, S("a"));
}

static void breach_even_stream(struct raw *to)
{
	RAW_HEADERS(to, H2_FLAG_END_STREAM, 2, RAW_GET);
}

static void breach_push(struct raw *to)
{
	raw_frame(to, H2_FRAME_PUSH_PROMISE, H2_FLAG_END_HEADERS, 1, S("\0\0\0\2\x82"));
}

static void breach_long_frame(struct raw *to)
{
	static char large[16385];

	raw_frame(to, H2_FRAME_DATA, 0, 1, span_make(large, sizeof(large)));
}

static void breach_interleaved(struct raw *to)
{
	raw_frame(to, H2_FRAME_HEADERS, 0, 1, S("\x82"));
	raw_frame(to, H2_FRAME_PING, 0, 0, S("12345678"));
}

static void breach_stray_continuation(struct raw *to)
{
	raw_frame(to, H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, 1, S("\x82"));
}

static void breach_zero_window_update(struct raw *to)
{
	raw_number(to, H2_FRAME_WINDOW_UPDATE, 0, 0);
}

static void breach_ping_size(struct raw *to)
{
	raw_frame(to, H2_FRAME_PING, 0, 0, S("1234567"));
}

static void breach_padding(struct raw *to)
{
	RAW_HEADERS(to, 0, 1, RAW_POST);
	raw_frame(to, H2_FRAME_DATA, 8, 1, S("\5abc"));
}

static void breach_setting_value(struct raw *to)
{
	raw_frame(to, H2_FRAME_SETTINGS, 0, 0, S("\0\4\x80\0\0\0"));
}

static void breach_data_after_end(struct raw *to)
{
	RAW_HEADERS(to, H2_FLAG_END_STREAM, 1, RAW_GET);
	raw_frame(to, H2_FRAME_DATA, 0, 1, S("a"));
}

static void a_breach_of_the_rules_of_frames_ends_the_connection(void **state)
{
	static const struct {
		breach *add;
		uint32_t code;
	} breaches[] = {
		{breach_data_on_idle, H2_PROTOCOL_ERROR},
		{breach_even_stream, H2_PROTOCOL_ERROR},
		{breach_push, H2_PROTOCOL_ERROR},
		{breach_long_frame, H2_FRAME_SIZE_ERROR},
		{breach_interleaved, H2_PROTOCOL_ERROR},
		{breach_stray_continuation, H2_PROTOCOL_ERROR},
		{breach_zero_window_update, H2_PROTOCOL_ERROR},
		{breach_ping_size, H2_FRAME_SIZE_ERROR},
		{breach_padding, H2_PROTOCOL_ERROR},
		{breach_setting_value, H2_FLOW_CONTROL_ERROR},
		{breach_data_after_end, H2_STREAM_CLOSED},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(breaches); i++) {
		given_server();
		breaches[i].add(&raw);
		feed_and_pull();
		if (sent_goaway(&server) != breaches[i].code)
			fail_msg("breach %zu: code %u", i, sent_goaway(&server));
		assert_true(h2_is_over(&server.session));
		assert_int_equal(server.session.fault, FAULT_H2_BROKEN);
		given_stop(&server);
	}
}

static void more_than_the_window_resets_the_stream(void **state)
{
	static char large[16384];
	struct h2_options options = h2_options_usual(H2_SERVER);

	(void)state;
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)(i % PATTERN);
	options.stream_window_bytes = options.stream_window_first_bytes;
	given_server_with(&options);
	server.holds = true;
	RAW_HEADERS(&raw, 0, 1, RAW_POST);
	raw_frame(&raw, H2_FRAME_DATA, 0, 1, span_make(large, 4096));
	feed_and_pull();
	assert_int_equal(sent_reset(&server, 1), NOT_SENT);
	raw_frame(&raw, H2_FRAME_DATA, 0, 1, span_make(large, 1));
	raw_frame(&raw, H2_FRAME_DATA, 0, 1, span_make(large, 1));
	feed_and_pull();

	assert_int_equal(sent_reset(&server, 1), H2_FLOW_CONTROL_ERROR);
	assert_true(stream(0)->closed);
	assert_int_equal(stream(0)->fault, FAULT_H2_BROKEN);
	assert_in_range(stream(0)->body_bytes, 4096, 4097);
	given_stop(&server);
}

/* Before it knows of our settings a client has the window of RFC 9113. */
static void a_client_that_has_not_heard_of_the_settings_has_64_kilobytes(void **state)
{
	static char large[16384];
	struct h2_options options = h2_options_usual(H2_SERVER);

	(void)state;
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)(i % PATTERN);
	given_start(&server, &options);
	raw.length = 0;
	raw_bytes(&raw, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	raw_frame(&raw, H2_FRAME_SETTINGS, 0, 0, S(""));
	RAW_HEADERS(&raw, 0, 1, RAW_POST);
	for (unsigned i = 0; i < 3; i++)
		raw_frame(&raw, H2_FRAME_DATA, 0, 1, span_make(large, sizeof(large)));
	feed_and_pull();
	assert_int_equal(server.session.lent_bytes, 0); /* it would be lost with the ACK */
	raw_frame(&raw, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, S(""));
	feed_and_pull();

	assert_int_equal(sent_reset(&server, 1), NOT_SENT);
	assert_int_equal(stream(0)->body_bytes, 3 * sizeof(large));
	given_stop(&server);
}

/* ---- memory ---- */

static void memory_that_is_out_breaks_the_session_and_nothing_else(void **state)
{
	struct h2_options options = h2_options_usual(H2_SERVER);

	(void)state;
	for (size_t limit = 0; limit < 40000; limit += 97) {
		options.memory_bytes = limit;
		memset(&server, 0, sizeof(server));
		server.now_ns = SECOND_NS;
		if (h2_session_init(&server.session, &options, &given_calls, &server,
				    server.now_ns) == -1) {
			assert_int_equal(server.session.memory, 0);
			continue;
		}
		raw.length = 0;
		raw_hello(&raw);
		for (uint32_t id = 1; id < 40; id += 2)
			RAW_HEADERS(&raw, 0, id, RAW_POST, {S("x-a"), S("b")});
		feed_and_pull();
		for (uint32_t i = 0; i < server.count; i++)
			(void)h2_respond(&stream(i)->stream, 200, NULL, 0, H2_THEN_END);
		given_pull(&server, 16384);
		assert_true(server.session.memory <= limit + 4096);
		given_stop(&server);
	}
}

static void an_idle_session_is_small(void **state)
{
	size_t own = sizeof(struct h2_session);

	(void)state;
	given_server();
	print_message("idle: %zu bytes of nghttp2, %zu of ours\n", server.session.memory, own);

	assert_true(server.session.memory + own < 32768);
	given_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_frame_announces_the_settings_of_the_spec),
		cmocka_unit_test(another_preface_ends_it),
		cmocka_unit_test(settings_come_first),
		cmocka_unit_test(pieces_of_any_size_make_the_same_request),
		cmocka_unit_test(a_section_may_be_cut_into_continuations),
		cmocka_unit_test(the_owner_hears_of_what_its_calls_make),
		cmocka_unit_test(nothing_to_send_is_no_output),
		cmocka_unit_test(a_session_is_calm_when_nothing_is_awaited),
		cmocka_unit_test(heads_and_frames_are_counted_as_they_pass),
		cmocka_unit_test(a_malformed_request_is_reset_and_not_told),
		cmocka_unit_test(a_fault_outlives_the_connection),
		cmocka_unit_test(a_fault_with_a_status_is_for_the_owner_to_answer),
		cmocka_unit_test(a_body_is_as_long_as_its_length_says),
		cmocka_unit_test(a_length_that_is_kept_passes),
		cmocka_unit_test(trailers_end_the_stream),
		cmocka_unit_test(a_tunnel_has_no_trailers),
		cmocka_unit_test(a_stream_that_stalls_is_reset),
		cmocka_unit_test(a_byte_now_and_then_is_no_progress),
		cmocka_unit_test(four_kilobytes_a_minute_are_progress),
		cmocka_unit_test(a_body_that_is_not_there_yet_does_not_stall),
		cmocka_unit_test(a_section_has_five_seconds_to_end),
		cmocka_unit_test(the_last_frame_of_a_section_has_to_end_too),
		cmocka_unit_test(a_section_that_has_ended_has_all_the_time),
		cmocka_unit_test(settings_have_five_seconds_to_come),
		cmocka_unit_test(settings_have_ten_seconds_to_be_acknowledged),
		cmocka_unit_test(a_breach_of_the_rules_of_frames_ends_the_connection),
		cmocka_unit_test(more_than_the_window_resets_the_stream),
		cmocka_unit_test(a_client_that_has_not_heard_of_the_settings_has_64_kilobytes),
		cmocka_unit_test(memory_that_is_out_breaks_the_session_and_nothing_else),
		cmocka_unit_test(an_idle_session_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
