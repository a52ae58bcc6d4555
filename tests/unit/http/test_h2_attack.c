/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on a server of HTTP/2, one test each (security spec, 5.1 and 11). */
#include "http/h2.h"

#include "given_h2_server.h"

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
	struct h2_options options = h2_options_usual(H2_SERVER);

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
	struct h2_options options = h2_options_usual(H2_SERVER);

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

static void continuations_are_counted_for_each_section(void **state)
{
	(void)state;
	given_server();
	for (uint32_t id = 1; id < 8; id += 2) {
		raw_frame(&raw, H2_FRAME_HEADERS, H2_FLAG_END_STREAM, id, S("\x82\x86"));
		for (unsigned i = 0; i < 5; i++)
			raw_frame(&raw, H2_FRAME_CONTINUATION, 0, id, S(""));
		raw_frame(&raw, H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, id, S("\x84\x41\1a"));
	}
	feed_and_pull();

	assert_int_equal(server.count, 4);
	assert_int_equal(stream(3)->heads, 1);
	assert_int_equal(stream(3)->head_fault, FAULT_NONE);
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
		{add_small_window_update, 202},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rapid_reset_ends_the_connection),
		cmocka_unit_test(a_stream_counts_until_its_owner_lets_it_go),
		cmocka_unit_test(streams_that_we_are_made_to_reset_end_the_connection),
		cmocka_unit_test(what_we_are_made_to_reset_counts_until_it_is_let_go),
		cmocka_unit_test(malformed_requests_end_the_connection),
		cmocka_unit_test(complete_requests_cost_nothing),
		cmocka_unit_test(a_flood_of_continuations_ends_the_connection),
		cmocka_unit_test(continuations_are_counted_for_each_section),
		cmocka_unit_test(a_flood_of_continuations_on_a_refused_stream_does_too),
		cmocka_unit_test(an_encoded_section_is_bounded),
		cmocka_unit_test(a_bomb_of_hpack_is_not_stored),
		cmocka_unit_test(a_bomb_of_crumbs_is_not_stored),
		cmocka_unit_test(a_section_that_cannot_be_decoded_ends_the_connection),
		cmocka_unit_test(floods_end_the_connection),
		cmocka_unit_test(three_quarters_of_the_budget_drain_the_connection),
		cmocka_unit_test(what_is_to_be_sent_holds_back_what_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
