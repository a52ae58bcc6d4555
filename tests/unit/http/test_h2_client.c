/* SPDX-License-Identifier: Apache-2.0 */
/* A client of HTTP/2 whose endpoint plays by no rules: a backend is an attacker too. */
#include "http/h2.h"

#include "given_h2.h"

/* too large for the stack */
static struct given_side client;
static struct raw raw;

static void feed_and_pull(void)
{
	given_feed_raw(&client, &raw, SIZE_MAX);
	given_pull(&client, 16384);
}

/* streams_max of the endpoint, or none. */
static void given_client(struct span settings)
{
	struct h2_options options = given_client_options();

	given_start(&client, &options);
	given_pull(&client, 16384);
	raw.length = 0;
	raw_frame(&raw, H2_FRAME_SETTINGS, 0, 0, settings);
	raw_frame(&raw, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, S(""));
	feed_and_pull();
}

static struct given_stream *when_asked(const char *method)
{
	const struct h2_request request = {
		.method = span_from(method),
		.scheme = S("http"),
		.authority = S("a.test"),
		.path = S("/"),
	};
	struct given_stream *given = given_new(&client);

	given->stream.response = &given->response;
	assert_int_equal(
		h2_request(&client.session, &given->stream, &request, NULL, 0, H2_THEN_END),
		FAULT_NONE);
	given_pull(&client, 16384);
	return given;
}

static void the_first_bytes_are_the_preface_and_settings_without_push(void **state)
{
	struct h2_options options = given_client_options();
	struct span sent;

	(void)state;
	given_start(&client, &options);
	given_pull(&client, 16384);
	sent = span_make(client.wire, client.wire_length);

	assert_true(span_starts_with(sent, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
	assert_span(span_take(span_skip(sent, H2_PREFACE_BYTES + H2_FRAME_HEAD_BYTES), 18),
		    S("\0\4\0\1\0\0"
		      "\0\6\0\0\x80\0"
		      "\0\2\0\0\0\0"));
	given_stop(&client);
}

static void a_response_is_read(void **state)
{
	struct given_stream *given;

	(void)state;
	given_client(S(""));
	given = when_asked("GET");
	RAW_HEADERS(&raw, 0, 1, {S(":status"), S("200")}, {S("content-length"), S("3")});
	raw_frame(&raw, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, S("\0\1\2"));
	feed_and_pull();

	assert_int_equal(given->response.status, 200);
	assert_int_equal(given->response.framing, BODY_LENGTH);
	assert_int_equal(given->response.content_length, 3);
	assert_true(given->ended && given->closed);
	assert_int_equal(given->fault, FAULT_NONE);
	given_stop(&client);
}

static void a_body_that_is_not_what_the_head_says_is_no_body(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 5; way++) {
		struct given_stream *given;

		given_client(S(""));
		given = when_asked(way == 0 ? "HEAD" : "GET");
		switch (way) {
		case 0: /* the request was HEAD */
			RAW_HEADERS(&raw, 0, 1, {S(":status"), S("200")});
			raw_frame(&raw, H2_FRAME_DATA, 0, 1, S("\0"));
			break;
		case 1: /* 304 has none */
			RAW_HEADERS(&raw, 0, 1, {S(":status"), S("304")});
			raw_frame(&raw, H2_FRAME_DATA, 0, 1, S("\0"));
			break;
		case 2: /* too short */
			RAW_HEADERS(&raw, 0, 1, {S(":status"), S("200")},
				    {S("content-length"), S("2")});
			raw_frame(&raw, H2_FRAME_DATA, H2_FLAG_END_STREAM, 1, S("\0"));
			break;
		case 3: /* too long */
			RAW_HEADERS(&raw, 0, 1, {S(":status"), S("200")},
				    {S("content-length"), S("2")});
			raw_frame(&raw, H2_FRAME_DATA, 0, 1, S("\0\1\2"));
			break;
		default: /* nothing, where something was promised */
			RAW_HEADERS(&raw, 0, 1, {S(":status"), S("200")},
				    {S("content-length"), S("2")});
			RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, {S("x-a"), S("a")});
			break;
		}
		feed_and_pull();

		assert_int_equal(given->fault, FAULT_BAD_RESPONSE_BODY);
		assert_false(given->ended);
		assert_int_equal(sent_reset(&client, 1), H2_PROTOCOL_ERROR);
		given_stop(&client);
	}
}

static void a_response_without_a_final_head_is_none(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 3; way++) {
		struct given_stream *given;

		given_client(S(""));
		given = when_asked("GET");
		if (way == 0) {
			RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, {S(":status"), S("103")});
		} else {
			RAW_HEADERS(&raw, 0, 1, {S(":status"), S("103")});
			raw_frame(&raw, H2_FRAME_DATA, way == 1 ? H2_FLAG_END_STREAM : 0, 1,
				  way == 1 ? S("") : S("abc"));
		}
		feed_and_pull();

		assert_int_equal(given->fault, FAULT_BAD_RESPONSE);
		assert_false(given->ended);
		assert_int_equal(given->body_bytes, 0);
		given_stop(&client);
	}
}

/* RFC 9113, 8.1: the rest of the request is not wanted. */
static void a_reset_after_a_whole_response_is_no_fault(void **state)
{
	const struct h2_request request = {
		.method = S("POST"), .scheme = S("http"), .authority = S("a"), .path = S("/")};
	struct given_stream *given;

	(void)state;
	given_client(S(""));
	given = given_new(&client);
	given->stream.response = &given->response;
	given->to_send = 100;
	assert_int_equal(
		h2_request(&client.session, &given->stream, &request, NULL, 0, H2_THEN_BODY),
		FAULT_NONE);
	given_pull(&client, 16384);
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, {S(":status"), S("413")});
	raw_number(&raw, H2_FRAME_RST_STREAM, 1, H2_NO_ERROR);
	feed_and_pull();

	assert_true(given->ended && given->closed);
	assert_int_equal(given->fault, FAULT_NONE);
	assert_int_equal(h2_abuse_left(&client.session.abuse), 200);
	given_stop(&client);
}

static void a_malformed_response_is_not_told(void **state)
{
	struct given_stream *given;

	(void)state;
	given_client(S(""));
	given = when_asked("GET");
	RAW_HEADERS(&raw, 0, 1, {S(":status"), S("200")}, {S("connection"), S("close")});
	feed_and_pull();

	assert_int_equal(given->heads, 0);
	assert_int_equal(given->fault, FAULT_BAD_RESPONSE);
	assert_int_equal(sent_reset(&client, 1), H2_PROTOCOL_ERROR);
	given_stop(&client);
}

static void a_push_ends_the_connection(void **state)
{
	(void)state;
	given_client(S(""));
	when_asked("GET");
	raw_frame(&raw, H2_FRAME_PUSH_PROMISE, H2_FLAG_END_HEADERS, 1, S("\0\0\0\2\x82\x86\x84"));
	feed_and_pull();

	assert_int_equal(sent_goaway(&client), H2_PROTOCOL_ERROR);
	assert_int_equal(client.session.fault, FAULT_UPSTREAM_H2_BROKEN);
	given_stop(&client);
}

static void a_stream_that_nobody_opened_ends_the_connection(void **state)
{
	(void)state;
	given_client(S(""));
	RAW_HEADERS(&raw, 0, 1, {S(":status"), S("200")});
	feed_and_pull();

	assert_int_equal(sent_goaway(&client), H2_PROTOCOL_ERROR);
	given_stop(&client);
}

static void a_flood_ends_the_connection(void **state)
{
	unsigned count = 0;

	(void)state;
	given_client(S(""));
	while (!h2_is_over(&client.session) && count < 5000) {
		raw_frame(&raw, H2_FRAME_SETTINGS, 0, 0, S(""));
		feed_and_pull();
		count++;
	}

	assert_int_equal(count, 40);
	assert_int_equal(sent_goaway(&client), H2_ENHANCE_YOUR_CALM);
	assert_int_equal(client.session.fault, FAULT_UPSTREAM_H2_BROKEN);
	given_stop(&client);
}

static void an_endpoint_that_resets_stream_after_stream_gets_no_more(void **state)
{
	(void)state;
	given_client(S(""));
	for (uint32_t id = 1; h2_streams_allowed(&client.session) > 0; id += 2) {
		struct given_stream *given = when_asked("GET");

		raw_number(&raw, H2_FRAME_RST_STREAM, id, H2_INTERNAL_ERROR);
		feed_and_pull();
		assert_true(given->closed);
		h2_release(&given->stream);
	}

	assert_int_equal(client.count, 75); /* three quarters of the budget */
	assert_int_equal(sent_goaway(&client), NOT_SENT);
	assert_false(h2_is_over(&client.session));
	given_stop(&client);
}

static void an_answer_to_a_ping_of_ours_costs_nothing(void **state)
{
	(void)state;
	given_client(S(""));
	when_asked("GET"); /* the PING behind it would be free */
	raw_frame(&raw, H2_FRAME_PING, 0, 0, S("12345678"));
	feed_and_pull();
	h2_ping(&client.session);
	given_pull(&client, 16384);
	assert_int_equal(sent_count(&client, H2_FRAME_PING, 0), 1);
	raw_frame(&raw, H2_FRAME_PING, H2_FLAG_ACK, 0, S("\0\0\0\0\0\0\0\0"));
	feed_and_pull();
	assert_int_equal(h2_abuse_left(&client.session.abuse), 200);

	raw_frame(&raw, H2_FRAME_PING, H2_FLAG_ACK, 0, S("\0\0\0\0\0\0\0\0"));
	feed_and_pull();

	assert_int_equal(h2_abuse_left(&client.session.abuse), 199); /* of no PING */
	given_stop(&client);
}

static void the_endpoint_says_how_many_streams_it_takes(void **state)
{
	(void)state;
	given_client(S("\0\3\0\0\0\3"));
	assert_int_equal(client.settings, 1);
	assert_int_equal(h2_streams_allowed(&client.session), 3);
	when_asked("GET");
	assert_int_equal(h2_streams_allowed(&client.session), 2);

	raw_frame(&raw, H2_FRAME_SETTINGS, 0, 0, S("\0\3\0\0\0\2"));
	feed_and_pull();

	assert_int_equal(client.settings, 2);
	assert_int_equal(h2_streams_allowed(&client.session), 1);
	given_stop(&client);
}

static void a_goaway_closes_what_was_not_looked_at(void **state)
{
	struct given_stream *first;
	struct given_stream *second;

	(void)state;
	given_client(S(""));
	first = when_asked("POST");
	second = when_asked("POST");
	raw_frame(&raw, H2_FRAME_GOAWAY, 0, 0, S("\0\0\0\1\0\0\0\0"));
	feed_and_pull();

	assert_int_equal(client.goaways, 1);
	assert_int_equal(client.goaway_last, 1);
	assert_true(client.session.draining);
	assert_int_equal(h2_streams_allowed(&client.session), 0);
	assert_false(first->closed);
	assert_int_equal(second->fault, FAULT_STREAM_REFUSED);
	RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 1, {S(":status"), S("200")});
	feed_and_pull();
	assert_true(first->ended);
	assert_true(h2_is_over(&client.session));
	given_stop(&client);
}

/* Requests that wait for their turn must not stop the reading that would make it come. */
static void requests_beyond_the_limit_of_the_endpoint_wait(void **state)
{
	const struct h2_request request = {
		.method = S("GET"), .scheme = S("http"), .authority = S("a"), .path = S("/")};
	struct h2_options options = given_client_options();

	(void)state;
	given_start(&client, &options);
	for (unsigned i = 0; i < 80; i++) {
		struct given_stream *given = given_new(&client);

		given->stream.response = &given->response;
		assert_int_equal(
			h2_request(&client.session, &given->stream, &request, NULL, 0, H2_THEN_END),
			FAULT_NONE);
	}
	raw.length = 0;
	raw_frame(&raw, H2_FRAME_SETTINGS, 0, 0, S("\0\3\0\0\0\1")); /* one at a time */
	raw_frame(&raw, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, S(""));
	feed_and_pull();
	assert_true(h2_wants_read(&client.session));
	for (uint32_t i = 0; i < 80; i++) {
		RAW_HEADERS(&raw, H2_FLAG_END_STREAM, 2 * i + 1, {S(":status"), S("200")});
		feed_and_pull();
		assert_true(client.streams[i].ended);
	}

	assert_int_equal(client.session.unsent, 0);
	given_stop(&client);
}

static void a_request_that_has_not_gone_out_can_be_taken_back(void **state)
{
	const struct h2_request request = {
		.method = S("GET"), .scheme = S("http"), .authority = S("a"), .path = S("/")};
	struct given_stream *given;

	(void)state;
	given_client(S(""));
	given = given_new(&client);
	given->stream.response = &given->response;
	assert_int_equal(
		h2_request(&client.session, &given->stream, &request, NULL, 0, H2_THEN_END),
		FAULT_NONE);
	h2_reset(&given->stream, H2_CANCEL);
	given_pull(&client, 16384);
	assert_int_equal(client.wire_length, 0);
	assert_true(given->closed);
	assert_int_equal(client.session.unsent, 0);
	assert_true(h2_wants_read(&client.session));
	h2_release(&given->stream);

	assert_int_equal(client.session.unsent, 0);
	assert_int_equal(client.session.streams, 0);
	given_stop(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_bytes_are_the_preface_and_settings_without_push),
		cmocka_unit_test(a_response_is_read),
		cmocka_unit_test(a_body_that_is_not_what_the_head_says_is_no_body),
		cmocka_unit_test(a_response_without_a_final_head_is_none),
		cmocka_unit_test(a_reset_after_a_whole_response_is_no_fault),
		cmocka_unit_test(a_malformed_response_is_not_told),
		cmocka_unit_test(a_push_ends_the_connection),
		cmocka_unit_test(a_stream_that_nobody_opened_ends_the_connection),
		cmocka_unit_test(a_flood_ends_the_connection),
		cmocka_unit_test(an_endpoint_that_resets_stream_after_stream_gets_no_more),
		cmocka_unit_test(an_answer_to_a_ping_of_ours_costs_nothing),
		cmocka_unit_test(the_endpoint_says_how_many_streams_it_takes),
		cmocka_unit_test(a_goaway_closes_what_was_not_looked_at),
		cmocka_unit_test(requests_beyond_the_limit_of_the_endpoint_wait),
		cmocka_unit_test(a_request_that_has_not_gone_out_can_be_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
