/* SPDX-License-Identifier: Apache-2.0 */
/* A server of HTTP/2 whose client plays by no rules: frames by hand, one test an attack or a rule of the
 * security spec, 5.1.
 */
#include "http/h2.h"

#include <stdio.h>

#include "given_h2.h"

/* too large for the stack */
static struct given_side server;
static struct raw raw;

static void given_server_with(const struct h2_options *options)
{
	given_start(&server, options);
	raw.length = 0;
	raw_hello(&raw);
	given_feed_raw(&server, &raw, SIZE_MAX);
	given_pull(&server, 16384);
}

static void given_server(void)
{
	struct h2_options options = h2_options_usual();

	given_server_with(&options);
}

static void feed(void)
{
	given_feed_raw(&server, &raw, SIZE_MAX);
}

static void feed_and_pull(void)
{
	feed();
	given_pull(&server, 16384);
}

static struct given_stream *stream(unsigned n)
{
	assert_true(n < server.count);
	return &server.streams[n];
}

/* ---- the beginning ---- */

static void the_first_frame_announces_the_settings_of_the_spec(void **state)
{
	struct h2_options options = h2_options_usual();
	struct sent_frame sent = {0};

	(void)state;
	given_start(&server, &options);
	given_pull(&server, 16384);

	assert_true(sent_nth(&server, H2_FRAME_SETTINGS, 0, 0, &sent));
	assert_span(sent.payload, S("\0\4\0\0\x10\0" /* INITIAL_WINDOW_SIZE 4,096 */
				    "\0\6\0\0\x80\0" /* MAX_HEADER_LIST_SIZE 32,768 */
				    "\0\3\0\0\0\x80" /* MAX_CONCURRENT_STREAMS 128 */
				    "\0\x09\0\0\0\1" /* NO_RFC7540_PRIORITIES */
				    "\0\x08\0\0\0\1" /* ENABLE_CONNECT_PROTOCOL */));
	assert_true(sent_nth(&server, H2_FRAME_WINDOW_UPDATE, 0, 0, &sent));
	assert_int_equal(sent_u32(sent.payload, 0), 2 * 1024 * 1024 - 65535);
	given_stop(&server);
}

static void another_preface_ends_it(void **state)
{
	struct h2_options options = h2_options_usual();

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
	struct h2_options options = h2_options_usual();

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
		struct h2_options options = h2_options_usual();

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

/* ---- streams that count ---- */

static void rapid_reset_ends_the_connection(void **state)
{
	uint32_t id = 1;

	(void)state;
	given_server();
	while (!h2_is_over(&server.session) && id < 2000) {
		RAW_HEADERS(&raw, H2_FLAG_END_STREAM, id, RAW_GET);
		raw_number(&raw, H2_FRAME_RST_STREAM, id, H2_CANCEL);
		feed_and_pull();
		id += 2;
	}

	assert_int_equal(server.count, 100);
	assert_int_equal(sent_goaway(&server), H2_ENHANCE_YOUR_CALM);
	assert_int_equal(server.session.fault, FAULT_H2_ABUSE);
	given_stop(&server);
}

static void a_stream_counts_until_its_owner_lets_it_go(void **state)
{
	struct h2_options options = h2_options_usual();

	(void)state;
	options.streams_max = 2;
	given_server_with(&options);
	for (uint32_t id = 1; id < 5; id += 2) {
		RAW_HEADERS(&raw, H2_FLAG_END_STREAM, id, RAW_GET);
		raw_number(&raw, H2_FRAME_RST_STREAM, id, H2_CANCEL);
	}
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 5, RAW_GET);
	feed_and_pull();
	assert_int_equal(server.count, 2);
	assert_true(stream(0)->closed && stream(1)->closed);
	assert_int_equal(server.session.streams, 2);
	assert_int_equal(sent_reset(&server, 5), H2_REFUSED_STREAM);

	h2_release(&stream(0)->stream);
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 7, RAW_GET);
	feed_and_pull();

	assert_int_equal(server.count, 3);
	assert_int_equal(stream(2)->heads, 1);
	given_stop(&server);
}

/* MadeYouReset: the client makes us send the RST_STREAM. */
static void streams_that_we_are_made_to_reset_end_the_connection(void **state)
{
	uint32_t id = 1;

	(void)state;
	given_server();
	while (!h2_is_over(&server.session) && id < 2000) {
		RAW_HEADERS(&raw, H2_FLAG_END_STREAM, id, RAW_GET);
		raw_number(&raw, H2_FRAME_WINDOW_UPDATE, id, 0x7fffffff);
		feed_and_pull();
		assert_true(stream(id / 2)->closed || h2_is_over(&server.session));
		id += 2;
	}

	assert_in_range(server.count, 99, 101);
	assert_int_equal(sent_goaway(&server), H2_ENHANCE_YOUR_CALM);
	given_stop(&server);
}

static void what_we_are_made_to_reset_counts_until_it_is_let_go(void **state)
{
	struct h2_options options = h2_options_usual();

	(void)state;
	options.streams_max = 1;
	given_server_with(&options);
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, RAW_GET);
	raw_number(&raw, H2_FRAME_WINDOW_UPDATE, 1, 0x7fffffff);
	feed_and_pull();
	assert_int_equal(sent_reset(&server, 1), H2_FLOW_CONTROL_ERROR);
	assert_true(stream(0)->closed);
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 3, RAW_GET);
	feed_and_pull();

	assert_int_equal(server.count, 1);
	assert_int_equal(sent_reset(&server, 3), H2_REFUSED_STREAM);
	given_stop(&server);
}

static void malformed_requests_end_the_connection(void **state)
{
	uint32_t id = 1;

	(void)state;
	given_server();
	while (!h2_is_over(&server.session) && id < 2000) {
		RAW_HEADERS(&raw, H2_FLAG_END_STREAM, id, RAW_GET, {S("te"), S("gzip")});
		feed_and_pull();
		id += 2;
	}

	assert_in_range(server.count, 28, 30); /* 5 for what it is, 2 for the reset */
	assert_int_equal(sent_goaway(&server), H2_ENHANCE_YOUR_CALM);
	given_stop(&server);
}

static void complete_requests_cost_nothing(void **state)
{
	(void)state;
	given_server();
	for (uint32_t i = 0; i < 390; i++) {
		uint32_t id = 2 * i + 1;

		RAW_HEADERS(&raw, H2_FLAG_END_STREAM, id, RAW_GET);
		feed();
		assert_int_equal(h2_respond(&stream(i)->stream, 204, NULL, 0, H2_THEN_END),
				 FAULT_NONE);
		given_pull(&server, 16384);
		assert_true(stream(i)->closed);
		h2_release(&stream(i)->stream);
		/* under way when the stream ended */
		raw_number(&raw, H2_FRAME_WINDOW_UPDATE, id, 10);
		raw_number(&raw, H2_FRAME_RST_STREAM, id, H2_CANCEL);
		raw_frame(&raw, H2_FRAME_PING, 0, 0, S("12345678"));
		feed_and_pull();
	}

	assert_int_equal(h2_abuse_left(&server.session.abuse), 200);
	assert_int_equal(sent_goaway(&server), NOT_SENT);
	given_stop(&server);
}

/* ---- sections that do not end, or grow when they are decoded ---- */

static void a_flood_of_continuations_ends_the_connection(void **state)
{
	(void)state;
	given_server();
	raw_frame(&raw, H2_FRAME_HEADERS, H2_FLAG_END_STREAM, 1, S("\x82"));
	for (unsigned i = 0; i < 8; i++)
		raw_frame(&raw, H2_FRAME_CONTINUATION, 0, 1, S("\x84"));
	feed_and_pull();
	assert_int_equal(sent_goaway(&server), NOT_SENT);
	raw_frame(&raw, H2_FRAME_CONTINUATION, 0, 1, S(""));
	feed_and_pull();

	assert_int_equal(sent_goaway(&server), H2_ENHANCE_YOUR_CALM);
	assert_true(h2_is_over(&server.session));
	given_stop(&server);
}

static void a_flood_of_continuations_on_a_refused_stream_does_too(void **state)
{
	(void)state;
	given_server();
	server.refuses = true;
	raw_frame(&raw, H2_FRAME_HEADERS, H2_FLAG_END_STREAM, 1, S("\x82"));
	for (unsigned i = 0; i < 9; i++)
		raw_frame(&raw, H2_FRAME_CONTINUATION, 0, 1, S(""));
	feed_and_pull();

	assert_int_equal(sent_goaway(&server), H2_ENHANCE_YOUR_CALM);
	given_stop(&server);
}

static void an_encoded_section_is_bounded(void **state)
{
	static char large[12000];

	(void)state;
	given_server();
	memset(large, 'a', sizeof(large));
	raw_frame(&raw, H2_FRAME_HEADERS, 0, 1, S("\0\1x\x7f\xe1\xd3\3"));
	raw_frame(&raw, H2_FRAME_CONTINUATION, 0, 1, span_make(large, 12000));
	raw_frame(&raw, H2_FRAME_CONTINUATION, 0, 1, span_make(large, 12000));
	feed_and_pull();
	assert_int_equal(sent_goaway(&server), NOT_SENT);
	raw_frame(&raw, H2_FRAME_CONTINUATION, 0, 1, span_make(large, 12000));
	feed_and_pull();

	assert_int_equal(sent_goaway(&server), H2_ENHANCE_YOUR_CALM);
	given_stop(&server);
}

/* An entry of the table that is named again and again: a byte for 4,000. */
static void a_bomb_of_hpack_is_not_stored(void **state)
{
	static char value[3900];
	static struct raw block;

	(void)state;
	given_server();
	memset(value, 'a', sizeof(value));
	block.length = 0;
	raw_bytes(&block, S("\x82\x86\x84\x41\1a")); /* GET, http, /, :authority a */
	raw_bytes(&block, S("\x40\1b"));             /* b: value, indexed */
	raw_string(&block, span_make(value, sizeof(value)));
	for (unsigned i = 0; i < 12000; i++)
		raw_bytes(&block, S("\xbe")); /* that entry once more */
	raw_frame(&raw, H2_FRAME_HEADERS, H2_FLAG_END_STREAM | H2_FLAG_END_HEADERS, 1,
		  span_make(block.bytes, block.length));
	feed_and_pull();

	assert_int_equal(stream(0)->heads, 1);
	assert_int_equal(stream(0)->head_fault, FAULT_HEAD_TOO_LARGE);
	assert_true(stream(0)->arena.taken < 65536);
	/* the state of the decoder is sound: the entry can still be used */
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 3, RAW_GET);
	feed_and_pull();
	assert_int_equal(stream(1)->head_fault, FAULT_NONE);
	given_stop(&server);
}

/* Many tiny fields, whose records are larger than they are. */
static void a_bomb_of_crumbs_is_not_stored(void **state)
{
	static struct raw block;

	(void)state;
	given_server();
	block.length = 0;
	raw_bytes(&block, S("\x82\x86\x84\x41\1a"));
	for (unsigned i = 0; i < 15000; i++)
		raw_bytes(&block, S("\xa0")); /* cookie: empty, of the static table */
	raw_frame(&raw, H2_FRAME_HEADERS, H2_FLAG_END_STREAM | H2_FLAG_END_HEADERS, 1,
		  span_make(block.bytes, block.length));
	feed_and_pull();

	assert_int_equal(stream(0)->head_fault, FAULT_TOO_MANY_FIELDS);
	assert_in_range(stream(0)->request.header_count, 90, HEAD_REQUEST_FIELDS_MAX);
	given_stop(&server);
}

static void a_section_that_cannot_be_decoded_ends_the_connection(void **state)
{
	(void)state;
	given_server();
	raw_frame(&raw, H2_FRAME_HEADERS, H2_FLAG_END_STREAM | H2_FLAG_END_HEADERS, 1,
		  S("\xff\xff\xff"));
	feed_and_pull();

	assert_int_equal(sent_goaway(&server), H2_COMPRESSION_ERROR);
	assert_int_equal(server.session.fault, FAULT_H2_BROKEN);
	given_stop(&server);
}

/* ---- floods ---- */

typedef void flood(struct raw *raw);

/* How many of them are taken before the connection ends; 5,000 for those that are not counted. */
static unsigned count_of_flood(flood *add)
{
	unsigned count = 0;

	given_server();
	RAW_HEADERS(&raw, 0, 1, RAW_POST);
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 3, RAW_GET);
	raw_number(&raw, H2_FRAME_RST_STREAM, 3, H2_CANCEL);
	feed_and_pull();
	while (!h2_is_over(&server.session) && count < 5000) {
		add(&raw);
		feed_and_pull();
		count++;
	}
	if (h2_is_over(&server.session)) {
		assert_int_equal(sent_goaway(&server), H2_ENHANCE_YOUR_CALM);
		assert_int_equal(server.session.fault, FAULT_H2_ABUSE);
	}
	given_stop(&server);
	return count;
}

static void add_ping(struct raw *to)
{
	raw_frame(to, H2_FRAME_PING, 0, 0, S("12345678"));
}

static void add_ping_ack(struct raw *to)
{
	raw_frame(to, H2_FRAME_PING, H2_FLAG_ACK, 0, S("12345678"));
}

static void add_settings(struct raw *to)
{
	raw_frame(to, H2_FRAME_SETTINGS, 0, 0, S("\0\4\0\0\xff\xff"));
}

static void add_priority(struct raw *to)
{
	raw_frame(to, H2_FRAME_PRIORITY, 0, 99, S("\0\0\0\1\x10"));
}

static void add_priority_update(struct raw *to)
{
	raw_frame(to, H2_FRAME_PRIORITY_UPDATE, 0, 0, S("\0\0\0\1u=1"));
}

static void add_empty_data(struct raw *to)
{
	raw_frame(to, H2_FRAME_DATA, 0, 1, S(""));
}

static void add_padding(struct raw *to)
{
	raw_frame(to, H2_FRAME_DATA, 8, 1, S("\4\0\0\0\0"));
}

static void add_unknown(struct raw *to)
{
	raw_frame(to, 0x77, 0, 0, S("abc"));
}

static void add_small_window_update(struct raw *to)
{
	raw_number(to, H2_FRAME_WINDOW_UPDATE, 1, 1023);
}

static void add_window_update(struct raw *to)
{
	raw_number(to, H2_FRAME_WINDOW_UPDATE, 1, 1024);
}

static void add_data_for_closed(struct raw *to)
{
	raw_frame(to, H2_FRAME_DATA, 0, 3, S("12345678"));
}

static void add_window_update_for_closed(struct raw *to)
{
	raw_number(to, H2_FRAME_WINDOW_UPDATE, 3, 100000);
}

static void add_reset_for_closed(struct raw *to)
{
	raw_number(to, H2_FRAME_RST_STREAM, 3, H2_CANCEL);
}

static void add_goaway(struct raw *to)
{
	raw_frame(to, H2_FRAME_GOAWAY, 0, 0, S("\0\0\0\0\0\0\0\0"));
}

static void floods_end_the_connection(void **state)
{
	/* 198: the reset before cost two */
	static const struct {
		flood *add;
		unsigned taken;
	} floods[] = {
		{add_ping, 199},
		{add_ping_ack, 199},
		{add_settings, 40},
		{add_priority, 202},
		{add_priority_update, 202},
		{add_empty_data, 198},
		{add_padding, 198},
		{add_unknown, 198},
		{add_small_window_update, 198},
		{add_data_for_closed, 198},
		{add_window_update_for_closed, 198},
		{add_reset_for_closed, 198},
		{add_goaway, 198},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(floods); i++) {
		unsigned taken = count_of_flood(floods[i].add);

		if (taken != floods[i].taken)
			fail_msg("flood %zu: %u were taken", i, taken);
	}
	assert_int_equal(count_of_flood(add_window_update), 5000);
}

static void three_quarters_of_the_budget_drain_the_connection(void **state)
{
	struct sent_frame sent = {0};

	(void)state;
	given_server();
	RAW_HEADERS(&raw, 0, 1, RAW_POST);
	for (unsigned i = 0; i < 150; i++)
		add_unknown(&raw);
	feed_and_pull();
	assert_true(sent_nth(&server, H2_FRAME_GOAWAY, 0, 0, &sent));
	assert_int_equal(sent_u32(sent.payload, 0), 0x7fffffff);
	assert_int_equal(sent_u32(sent.payload, 4), H2_NO_ERROR);
	server.now_ns += SECOND_NS;
	h2_tick(&server.session, server.now_ns);
	given_pull(&server, 16384);

	assert_true(sent_nth(&server, H2_FRAME_GOAWAY, 0, 0, &sent));
	assert_int_equal(sent_u32(sent.payload, 0), 1);
	assert_false(h2_is_over(&server.session));
	given_stop(&server);
}

static void what_is_to_be_sent_holds_back_what_is_read(void **state)
{
	enum { PINGS = 150 };
	size_t taken;

	(void)state;
	given_server();
	for (unsigned i = 0; i < PINGS; i++)
		add_ping(&raw);
	taken = h2_receive(&server.session, span_make(raw.bytes, raw.length), server.now_ns);
	assert_int_equal(taken, 64 * 17);
	assert_false(h2_wants_read(&server.session));
	given_pull(&server, 16384);
	assert_int_equal(sent_count(&server, H2_FRAME_PING, 0), 64);
	assert_true(h2_wants_read(&server.session));
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
	struct h2_options options = h2_options_usual();

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
	struct h2_options options = h2_options_usual();

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

	(void)state;
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)(i % PATTERN);
	given_server();
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
	struct h2_options options = h2_options_usual();

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
	raw_frame(&raw, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, S(""));
	feed_and_pull();

	assert_int_equal(sent_reset(&server, 1), NOT_SENT);
	assert_int_equal(stream(0)->body_bytes, 3 * sizeof(large));
	given_stop(&server);
}

/* ---- memory ---- */

static void memory_that_is_out_breaks_the_session_and_nothing_else(void **state)
{
	struct h2_options options = h2_options_usual();

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
		cmocka_unit_test(a_malformed_request_is_reset_and_not_told),
		cmocka_unit_test(a_fault_with_a_status_is_for_the_owner_to_answer),
		cmocka_unit_test(a_body_is_as_long_as_its_length_says),
		cmocka_unit_test(a_length_that_is_kept_passes),
		cmocka_unit_test(trailers_end_the_stream),
		cmocka_unit_test(a_tunnel_has_no_trailers),
		cmocka_unit_test(rapid_reset_ends_the_connection),
		cmocka_unit_test(a_stream_counts_until_its_owner_lets_it_go),
		cmocka_unit_test(streams_that_we_are_made_to_reset_end_the_connection),
		cmocka_unit_test(what_we_are_made_to_reset_counts_until_it_is_let_go),
		cmocka_unit_test(malformed_requests_end_the_connection),
		cmocka_unit_test(complete_requests_cost_nothing),
		cmocka_unit_test(a_flood_of_continuations_ends_the_connection),
		cmocka_unit_test(a_flood_of_continuations_on_a_refused_stream_does_too),
		cmocka_unit_test(an_encoded_section_is_bounded),
		cmocka_unit_test(a_bomb_of_hpack_is_not_stored),
		cmocka_unit_test(a_bomb_of_crumbs_is_not_stored),
		cmocka_unit_test(a_section_that_cannot_be_decoded_ends_the_connection),
		cmocka_unit_test(floods_end_the_connection),
		cmocka_unit_test(three_quarters_of_the_budget_drain_the_connection),
		cmocka_unit_test(what_is_to_be_sent_holds_back_what_is_read),
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
