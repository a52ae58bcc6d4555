/* SPDX-License-Identifier: Apache-2.0 */
/* A client and a server of HTTP/2 that talk to each other. */
#include "http/h2.h"

#include "given_h2.h"

/* too large for the stack */
static struct given_side client;
static struct given_side server;

static const struct h2_request get = {
	.method = S("GET"),
	.scheme = S("http"),
	.authority = S("a.test"),
	.path = S("/a?b=c"),
};

static const struct h2_request post = {
	.method = S("POST"),
	.scheme = S("http"),
	.authority = S("a.test"),
	.path = S("/in"),
};

static void given_both(const struct h2_options *of_client, const struct h2_options *of_server)
{
	given_start(&client, of_client);
	given_start(&server, of_server);
	given_talk(&client, &server, SIZE_MAX);
}

static void given_usual(void)
{
	struct h2_options of_client = given_client_options();
	struct h2_options of_server = h2_options_usual(H2_SERVER);

	given_both(&of_client, &of_server);
}

static void stop_both(void)
{
	given_stop(&client);
	given_stop(&server);
}

static struct given_stream *when_requested(const struct h2_request *request,
					   const struct header *headers, uint32_t count,
					   uint64_t body)
{
	struct given_stream *given = given_new(&client);

	given->stream.response = &given->response;
	given->to_send = given->available = body;
	assert_int_equal(h2_request(&client.session, &given->stream, request, headers, count,
				    body > 0 ? H2_THEN_BODY : H2_THEN_END),
			 FAULT_NONE);
	return given;
}

static void when_answered(struct given_stream *given, unsigned status, uint64_t body)
{
	given->to_send = given->available = body;
	assert_int_equal(
		h2_respond(&given->stream, status, NULL, 0, body > 0 ? H2_THEN_BODY : H2_THEN_END),
		FAULT_NONE);
}

/* ---- heads ---- */

static void a_request_arrives_as_it_was_sent(void **state)
{
	static const struct header headers[] = {
		{.name = S("X-Odd-Case"), .value = S("1")},
		{.name = S("User-Agent"), .value = S("u/1"), .id = HEADER_USER_AGENT},
		{.name = S("x-dropped"), .value = S("no"), .dropped = true},
		{.name = S("x-empty"), .value = {NULL, 0}},
	};
	struct given_stream *at_server = &server.streams[0];

	(void)state;
	given_usual();

	when_requested(&get, headers, COUNT(headers), 0);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(server.count, 1);
	assert_int_equal(at_server->heads, 1);
	assert_int_equal(at_server->head_fault, FAULT_NONE);
	assert_true(at_server->ended);
	assert_span(at_server->request.method, S("GET"));
	assert_int_equal(at_server->request.method_id, METHOD_GET);
	assert_span(at_server->request.target, S("/a?b=c"));
	assert_span(at_server->request.host, S("a.test"));
	assert_int_equal(at_server->request.version_minor, 1);
	assert_true(at_server->request.keep_alive);
	assert_int_equal(at_server->request.framing, BODY_NONE);
	assert_int_equal(at_server->request.header_count, 3);
	assert_span(at_server->headers[0].name, S("x-odd-case"));
	assert_span(at_server->headers[0].value, S("1"));
	assert_int_equal(at_server->headers[1].id, HEADER_USER_AGENT);
	assert_span(at_server->headers[1].name, S("user-agent"));
	assert_span(at_server->headers[2].name, S("x-empty"));
	assert_int_equal(at_server->headers[2].value.len, 0);
	stop_both();
}

static void a_response_without_body_ends_both_streams(void **state)
{
	struct given_stream *at_client;

	(void)state;
	given_usual();
	at_client = when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);

	when_answered(&server.streams[0], 204, 0);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(at_client->heads, 1);
	assert_int_equal(at_client->response.status, 204);
	assert_int_equal(at_client->response.framing, BODY_NONE);
	assert_true(at_client->ended && at_client->closed && server.streams[0].closed);
	assert_int_equal(at_client->fault, FAULT_NONE);
	assert_int_equal(server.streams[0].fault, FAULT_NONE);
	stop_both();
}

static void informational_heads_come_before_the_final_one(void **state)
{
	static const struct header link[] = {{.name = S("link"), .value = S("</a>")}};
	struct given_stream *at_client;

	(void)state;
	given_usual();
	at_client = when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(h2_inform(&server.streams[0].stream, 103, link, 1), FAULT_NONE);
	given_talk(&client, &server, SIZE_MAX);
	assert_int_equal(at_client->heads, 1);
	assert_int_equal(at_client->response.status, 103);
	assert_int_equal(at_client->response.header_count, 1);
	when_answered(&server.streams[0], 200, 10);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(at_client->heads, 2);
	assert_int_equal(at_client->response.status, 200);
	assert_int_equal(at_client->response.header_count, 0);
	assert_int_equal(at_client->response.framing, BODY_CHUNKED);
	assert_int_equal(at_client->body_bytes, 10);
	assert_true(at_client->ended && at_client->closed);
	stop_both();
}

static void trailers_travel_both_ways(void **state)
{
	static const struct header trailers[] = {
		{.name = S("Grpc-Status"), .value = S("0")},
		{.name = S("Set-Cookie"), .value = S("a=b"), .id = HEADER_SET_COOKIE},
	};
	struct given_stream *at_client;
	struct given_stream *at_server = &server.streams[0];

	(void)state;
	given_usual();

	at_client = when_requested(&post, NULL, 0, 5);
	at_client->trailers = trailers;
	at_client->trailer_count = 1;
	given_talk(&client, &server, SIZE_MAX);
	at_server->trailers = trailers;
	at_server->trailer_count = COUNT(trailers);
	when_answered(at_server, 200, 100000);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(at_server->stream.trailer_count, 1);
	assert_span(at_server->stream.trailers[0].name, S("grpc-status"));
	assert_span(at_server->stream.trailers[0].value, S("0"));
	assert_true(at_server->ended);
	assert_int_equal(at_client->body_bytes, 100000);
	assert_int_equal(at_client->stream.trailer_count, 2);
	assert_false(at_client->stream.trailers[0].dropped);
	assert_true(at_client->stream.trailers[1].dropped); /* U13 */
	assert_true(at_client->closed);
	assert_int_equal(at_client->fault, FAULT_NONE);
	stop_both();
}

/* Ours is the fault, and the stream is gone: who waits for it must hear that. */
static void trailers_that_may_not_be_sent_fail_their_stream(void **state)
{
	static const struct header trailers[] = {{.name = S("x"), .value = S("a\nb")}};

	(void)state;
	for (unsigned from_client = 0; from_client < 2; from_client++) {
		struct given_side *sender = from_client ? &client : &server;
		struct given_stream *given;

		given_usual();
		given = when_requested(from_client ? &post : &get, NULL, 0, from_client ? 3 : 0);
		if (!from_client) {
			given_talk(&client, &server, SIZE_MAX);
			given = &server.streams[0];
			when_answered(given, 200, 3);
		}
		given->trailers = trailers;
		given->trailer_count = COUNT(trailers);
		given_talk(&client, &server, SIZE_MAX);

		assert_true(given->closed);
		assert_int_equal(given->fault, FAULT_WRITER_CHECK);
		assert_int_equal(h2_abuse_left(&sender->session.abuse), 200);
		stop_both();
	}
}

static void trailers_may_follow_an_empty_body(void **state)
{
	static const struct header trailers[] = {{.name = S("grpc-status"), .value = S("12")}};
	struct given_stream *at_client;
	struct given_stream *at_server = &server.streams[0];

	(void)state;
	given_usual();
	at_client = when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);

	at_server->trailers = trailers;
	at_server->trailer_count = 1;
	assert_int_equal(h2_respond(&at_server->stream, 200, NULL, 0, H2_THEN_BODY), FAULT_NONE);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(at_client->body_bytes, 0);
	assert_int_equal(at_client->stream.trailer_count, 1);
	assert_true(at_client->ended && at_client->closed);
	stop_both();
}

static void a_head_that_may_not_be_sent_is_refused(void **state)
{
	static const struct header bad[] = {
		{.name = S("connection"), .value = S("close"), .id = HEADER_CONNECTION},
		{.name = S("Host"), .value = S("b"), .id = HEADER_HOST},
		{.name = S("te"), .value = S("gzip"), .id = HEADER_TE},
		{.name = S("x-a"), .value = S("a\r\nb: c")},
		{.name = S("x a"), .value = S("a")},
		{.name = S(""), .value = S("a")},
		{.name = S(":path"), .value = S("/")},
	};
	struct given_stream *at_server = &server.streams[0];

	(void)state;
	given_usual();
	when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(h2_respond(&at_server->stream, 200, &bad[i], 1, H2_THEN_END),
				 FAULT_WRITER_CHECK);
	assert_int_equal(h2_respond(&at_server->stream, 101, NULL, 0, H2_THEN_END),
			 FAULT_WRITER_CHECK);
	assert_int_equal(h2_inform(&at_server->stream, 200, NULL, 0), FAULT_WRITER_CHECK);
	stop_both();
}

static void a_large_response_head_arrives_cut_into_frames(void **state)
{
	static char large[60000];
	const struct header header = {.name = S("x-a"), .value = {large, sizeof(large)}};
	struct h2_options of_client = given_client_options();
	struct h2_options of_server = h2_options_usual(H2_SERVER);
	struct given_stream *at_client;

	(void)state;
	memset(large, '!', sizeof(large));
	of_client.head.field_bytes = of_client.head.head_bytes = 100000;
	given_both(&of_client, &of_server);
	at_client = when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);
	assert_int_equal(h2_respond(&server.streams[0].stream, 200, &header, 1, H2_THEN_END),
			 FAULT_NONE);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(at_client->response.header_count, 1);
	assert_int_equal(at_client->response.headers[0].value.len, sizeof(large));
	assert_true(at_client->ended);
	stop_both();
}

static void a_head_that_is_too_large_to_be_sent_resets_its_stream(void **state)
{
	static char large[300000];
	const struct header header = {.name = S("x-a"), .value = {large, sizeof(large)}};
	struct given_stream *at_client;

	(void)state;
	memset(large, 'a', sizeof(large));
	given_usual();
	at_client = when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);
	assert_int_equal(h2_respond(&server.streams[0].stream, 200, &header, 1, H2_THEN_END),
			 FAULT_NONE);
	given_talk(&client, &server, SIZE_MAX);
	assert_true(server.streams[0].closed);
	assert_int_equal(server.streams[0].fault, FAULT_RESPONSE_HEAD_TOO_LARGE);
	assert_int_equal(at_client->fault, FAULT_UPSTREAM_RESET);
	/* and of a request */
	at_client = when_requested(&get, &header, 1, 0);
	given_talk(&client, &server, SIZE_MAX);
	assert_true(at_client->closed);
	assert_int_equal(at_client->fault, FAULT_HEAD_TOO_LARGE);
	assert_int_equal(client.session.unsent, 0);
	/* of which the server has heard nothing */
	when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);
	assert_int_equal(server.session.fault, FAULT_NONE);
	assert_true(server.streams[1].ended);
	stop_both();
}

static void a_request_that_may_not_be_sent_is_refused(void **state)
{
	static const struct h2_request bad[] = {
		{.method = S("G T"), .scheme = S("http"), .path = S("/")},
		{.method = S("GET"), .scheme = S("ht:tp"), .path = S("/")},
		{.method = S("GET"), .scheme = S("http"), .path = S("")},
		{.method = S("GET"), .scheme = S("http"), .path = S("/ HTTP/1.1")},
		{.method = S("GET"), .scheme = S("http"), .path = S("/"), .authority = S("a b")},
	};
	struct given_stream *given;

	(void)state;
	given_usual();
	given = given_new(&client);
	given->stream.response = &given->response;

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(
			h2_request(&client.session, &given->stream, &bad[i], NULL, 0, H2_THEN_END),
			FAULT_WRITER_CHECK);
	assert_int_equal(client.session.streams, 0);
	stop_both();
}

/* ---- bodies ---- */

static void check_bodies(const struct h2_options *of_client, const struct h2_options *of_server,
			 uint64_t bytes, size_t piece)
{
	enum { EXCHANGES = 3 };
	struct given_stream *sent[EXCHANGES];

	given_both(of_client, of_server);
	for (unsigned i = 0; i < EXCHANGES; i++)
		sent[i] = when_requested(&post, NULL, 0, bytes + i);
	given_talk(&client, &server, piece);
	assert_int_equal(server.count, EXCHANGES);
	for (unsigned i = 0; i < EXCHANGES; i++) {
		assert_true(server.streams[i].ended);
		assert_int_equal(server.streams[i].body_bytes, bytes + i);
		when_answered(&server.streams[i], 200, bytes + 10 + i);
	}
	given_talk(&client, &server, piece);
	for (unsigned i = 0; i < EXCHANGES; i++) {
		assert_int_equal(sent[i]->body_bytes, bytes + 10 + i);
		assert_true(sent[i]->ended && sent[i]->closed && server.streams[i].closed);
		assert_int_equal(sent[i]->fault, FAULT_NONE);
		assert_int_equal(server.streams[i].fault, FAULT_NONE);
	}
	assert_int_equal(client.session.fault, FAULT_NONE);
	assert_int_equal(server.session.fault, FAULT_NONE);
	stop_both();
}

static void bodies_of_megabytes_go_through(void **state)
{
	struct h2_options of_client = given_client_options();
	struct h2_options of_server = h2_options_usual(H2_SERVER);

	(void)state;
	check_bodies(&of_client, &of_server, 5000000, SIZE_MAX);
}

static void bodies_of_megabytes_go_through_tiny_windows(void **state)
{
	struct h2_options of_client = given_client_options();
	struct h2_options of_server = h2_options_usual(H2_SERVER);

	(void)state;
	of_client.streams_max = of_server.streams_max = 3;
	of_client.window_bytes = of_server.window_bytes = 16384;
	of_client.stream_window_bytes = of_server.stream_window_bytes = 3000;
	of_client.stream_window_first_bytes = of_server.stream_window_first_bytes = 2500;
	check_bodies(&of_client, &of_server, 2000000, 1000);
}

static void bodies_go_through_byte_by_byte(void **state)
{
	struct h2_options of_client = given_client_options();
	struct h2_options of_server = h2_options_usual(H2_SERVER);

	(void)state;
	check_bodies(&of_client, &of_server, 70000, 1);
}

static void a_body_waits_until_it_is_ready(void **state)
{
	struct given_stream *at_client;
	struct given_stream *at_server = &server.streams[0];

	(void)state;
	given_usual();
	at_client = when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);
	at_server->to_send = 300;
	assert_int_equal(h2_respond(&at_server->stream, 200, NULL, 0, H2_THEN_BODY), FAULT_NONE);

	given_talk(&client, &server, SIZE_MAX);
	assert_int_equal(at_client->body_bytes, 0);
	assert_false(h2_wants_write(&server.session));
	at_server->available = 100;
	h2_body_ready(&at_server->stream);
	given_talk(&client, &server, SIZE_MAX);
	assert_int_equal(at_client->body_bytes, 100);
	assert_false(at_client->ended);
	at_server->available = 300;
	h2_body_ready(&at_server->stream);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(at_client->body_bytes, 300);
	assert_true(at_client->ended && at_client->closed);
	stop_both();
}

static void small_buffers_make_the_same_bytes_in_all(void **state)
{
	struct given_stream *at_client;

	(void)state;
	given_usual();
	at_client = when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);
	when_answered(&server.streams[0], 200, 40000);

	do {
		server.wire_length = h2_pull(&server.session, server.wire, H2_PULL_MIN,
					     server.now_ns);
		given_feed(&client, span_make(server.wire, server.wire_length), SIZE_MAX);
		client.wire_length = h2_pull(&client.session, client.wire, H2_PULL_MIN,
					     client.now_ns);
		given_feed(&server, span_make(client.wire, client.wire_length), SIZE_MAX);
	} while (server.wire_length > 0 || client.wire_length > 0);

	assert_int_equal(at_client->body_bytes, 40000);
	assert_true(at_client->ended);
	stop_both();
}

static void streams_take_turns(void **state)
{
	struct h2_options of_client = given_client_options();
	struct h2_options of_server = h2_options_usual(H2_SERVER);

	(void)state;
	of_client.stream_window_first_bytes = of_client.stream_window_bytes;
	of_client.window_bytes = 2 * of_client.streams_max * of_client.stream_window_bytes;
	given_both(&of_client, &of_server);
	when_requested(&get, NULL, 0, 0);
	when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);

	when_answered(&server.streams[0], 200, 60000);
	when_answered(&server.streams[1], 200, 60000);
	server.wire_length = h2_pull(&server.session, server.wire, 4 * 16500, server.now_ns);

	assert_int_equal(sent_count(&server, H2_FRAME_DATA, 1), 2);
	assert_int_equal(sent_count(&server, H2_FRAME_DATA, 3), 2);
	stop_both();
}

/* ---- back-pressure ---- */

static void a_stream_that_is_not_consumed_gets_its_window_and_no_more(void **state)
{
	struct h2_options options = h2_options_usual(H2_SERVER);
	struct given_stream *at_server = &server.streams[0];

	(void)state;
	given_usual();
	server.holds = true;
	when_requested(&post, NULL, 0, 1000000);

	/* all of it in one flight */
	given_pull(&client, 16384 + 9);
	given_feed(&server, span_make(client.wire, client.wire_length), SIZE_MAX);
	assert_int_equal(at_server->stream.held_bytes, options.stream_window_bytes);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(at_server->stream.held_bytes, options.stream_window_bytes);
	stop_both();
}

static size_t held_by_server(void)
{
	size_t held = 0;

	for (uint32_t i = 0; i < server.count; i++)
		held += server.streams[i].stream.held_bytes;
	return held;
}

/* A burst of streams that nobody consumes, from a client that cannot know yet that windows are narrow. */
static void when_many_stall(unsigned count)
{
	server.holds = true;
	for (unsigned i = 0; i < count; i++)
		when_requested(&post, NULL, 0, 1000000);
	given_talk(&client, &server, SIZE_MAX);
}

static void owners_never_hold_more_than_the_window(void **state)
{
	struct h2_options of_client = given_client_options();
	struct h2_options of_server = h2_options_usual(H2_SERVER);

	(void)state;
	for (unsigned early = 0; early < 2; early++) {
		given_start(&client, &of_client);
		given_start(&server, &of_server);
		if (!early)
			given_talk(&client, &server, SIZE_MAX);

		when_many_stall(100);

		assert_int_equal(server.count, 100);
		assert_in_range(held_by_server(), 1, of_server.window_bytes);
		for (uint32_t i = 0; i < 100; i++)
			assert_true(server.streams[i].body_bytes >=
				    of_server.stream_window_first_bytes);
		stop_both();
	}
}

static void without_an_ack_there_is_half_of_the_window(void **state)
{
	struct h2_options options = h2_options_usual(H2_SERVER);

	(void)state;
	given_usual();
	server.holds = true;
	for (unsigned i = 0; i < 100; i++)
		when_requested(&post, NULL, 0, 1000000);
	for (unsigned i = 0; i < 20; i++) { /* the client hears nothing */
		given_pull(&client, 16384 + 9);
		given_feed(&server, span_make(client.wire, client.wire_length), SIZE_MAX);
	}

	assert_int_equal(held_by_server(), options.window_bytes / 2);
	assert_int_equal(server.session.fault, FAULT_NONE);
	stop_both();
}

static void a_stream_is_lent_a_quarter_of_the_rest(void **state)
{
	struct h2_options of_client = given_client_options();
	struct h2_options of_server = h2_options_usual(H2_SERVER);
	struct given_stream *a = &server.streams[1];
	struct given_stream *b = &server.streams[2];

	(void)state;
	of_server.streams_max = 2;
	of_server.window_bytes = 2 * 4096 + 40000;
	given_both(&of_client, &of_server);
	when_many_stall(1);
	assert_int_equal(server.session.windows, H2_NARROW);
	h2_release(&server.streams[0].stream);
	h2_release(&client.streams[0].stream);
	given_talk(&client, &server, SIZE_MAX);
	when_many_stall(2);
	h2_consume(&a->stream, 4096);
	h2_consume(&b->stream, 4096);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(a->stream.held_bytes, 4096 + 10000);
	assert_int_equal(b->stream.held_bytes, 4096 + 7500);
	/* what the one gives back the other gets */
	h2_release(&a->stream);
	h2_consume(&b->stream, 4096 + 7500);
	given_talk(&client, &server, SIZE_MAX);
	assert_int_equal(b->stream.held_bytes, 4096 + 10000);
	stop_both();
}

/* The guarantee of h2.h: the window of the connection cannot be taken from the others. */
static void any_number_of_stalled_streams_leaves_the_others_their_window(void **state)
{
	struct h2_options of_client = given_client_options();
	struct h2_options of_server = h2_options_usual(H2_SERVER);
	struct given_stream *last;
	struct given_stream *at_server;

	(void)state;
	of_server.streams_max = 100;
	given_both(&of_client, &of_server);
	when_many_stall(99);
	/* each consumes once, takes what it is lent, and stalls for good */
	for (unsigned i = 0; i < 99; i++) {
		h2_consume(&server.streams[i].stream, server.streams[i].stream.held_bytes);
		given_talk(&client, &server, SIZE_MAX);
	}

	assert_true(server.session.lent_bytes > 500000);
	last = when_requested(&post, NULL, 0, 1000000);
	server.holds = false;
	given_talk(&client, &server, SIZE_MAX);

	at_server = &server.streams[99];
	assert_int_equal(at_server->body_bytes, 1000000);
	assert_true(at_server->ended);
	assert_true(last->sent == 1000000);
	stop_both();
}

static void release_all(void)
{
	for (uint32_t i = 0; i < server.count; i++)
		h2_release(&server.streams[i].stream);
	given_talk(&client, &server, SIZE_MAX);
	for (uint32_t i = 0; i < client.count; i++)
		h2_release(&client.streams[i].stream);
}

/* The request that comes next holds that much, is released, and its client hears of it. */
static void check_release(size_t held)
{
	struct given_stream *at_client = when_requested(&post, NULL, 0, 100000);
	struct given_stream *at_server = &server.streams[server.count];

	server.now_ns += SECOND_NS;
	client.now_ns += SECOND_NS;
	given_talk(&client, &server, SIZE_MAX);
	assert_int_equal(at_server->stream.held_bytes, held);
	h2_consume(&at_server->stream, held);
	given_talk(&client, &server, SIZE_MAX);
	assert_in_range(at_server->stream.held_bytes, 100000 - 65536, 65536);
	h2_release(&at_server->stream);
	given_talk(&client, &server, SIZE_MAX);
	assert_true(at_client->closed);
	assert_int_equal(at_client->code, H2_CANCEL);
	h2_release(&at_client->stream);
}

static void what_a_released_stream_held_is_given_back(void **state)
{
	(void)state;
	for (unsigned is_narrow = 0; is_narrow < 2; is_narrow++) {
		given_usual();
		if (is_narrow) {
			when_many_stall(5);
			release_all();
		}
		server.holds = true;

		/* more in all than the window of the connection */
		for (unsigned i = 0; i < 300; i++)
			check_release(is_narrow ? 4096 : 65536);

		assert_int_equal(server.session.windows, is_narrow ? H2_NARROW : H2_WIDE);
		assert_int_equal(server.session.streams, 0);
		assert_int_equal(server.session.lent_bytes, 0);
		assert_int_equal(server.session.wide_held_bytes, 0);
		assert_int_equal(server.session.fault, FAULT_NONE);
		stop_both();
	}
}

/* ---- resets ---- */

static void a_reset_of_the_client_closes_the_stream_of_the_server(void **state)
{
	struct given_stream *at_client;

	(void)state;
	given_usual();
	at_client = when_requested(&post, NULL, 0, 100000);
	given_talk(&client, &server, SIZE_MAX);

	h2_reset(&at_client->stream, H2_CANCEL);
	given_talk(&client, &server, SIZE_MAX);

	assert_true(at_client->closed && server.streams[0].closed);
	assert_int_equal(server.streams[0].fault, FAULT_CLIENT_CLOSED);
	assert_int_equal(server.streams[0].code, H2_CANCEL);
	assert_int_equal(h2_respond(&server.streams[0].stream, 200, NULL, 0, H2_THEN_END),
			 FAULT_CLIENT_CLOSED);
	stop_both();
}

static void a_reset_of_the_server_tells_what_may_be_tried_again(void **state)
{
	struct given_stream *refused;
	struct given_stream *cut;

	(void)state;
	given_usual();
	refused = when_requested(&get, NULL, 0, 0);
	cut = when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);

	h2_reset(&server.streams[0].stream, H2_REFUSED_STREAM);
	h2_reset(&server.streams[1].stream, H2_INTERNAL_ERROR);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(refused->fault, FAULT_STREAM_REFUSED);
	assert_int_equal(fault_facts(refused->fault)->retry, FAULT_RETRY_SAFE);
	assert_int_equal(cut->fault, FAULT_UPSTREAM_RESET);
	assert_int_equal(cut->code, H2_INTERNAL_ERROR);
	stop_both();
}

static void a_response_before_the_end_of_the_request_ends_both(void **state)
{
	struct given_stream *at_client;

	(void)state;
	given_usual();
	server.holds = true;
	at_client = when_requested(&post, NULL, 0, 1000000);
	given_talk(&client, &server, SIZE_MAX);

	when_answered(&server.streams[0], 413, 20);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(at_client->response.status, 413);
	assert_int_equal(at_client->body_bytes, 20);
	assert_true(at_client->ended && at_client->closed);
	assert_int_equal(at_client->fault, FAULT_NONE);
	assert_int_equal(at_client->code, H2_NO_ERROR);
	assert_true(server.streams[0].closed);
	assert_int_equal(server.streams[0].fault, FAULT_NONE);
	stop_both();
}

static void a_refused_stream_never_began(void **state)
{
	struct given_stream *at_client;

	(void)state;
	given_usual();
	server.refuses = true;

	at_client = when_requested(&post, NULL, 0, 3000);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(server.count, 0);
	assert_int_equal(at_client->fault, FAULT_STREAM_REFUSED);
	stop_both();
}

/* ---- tunnels ---- */

static const struct h2_request tunnel = {
	.method = S("CONNECT"),
	.scheme = S("http"),
	.authority = S("a.test"),
	.path = S("/chat"),
	.protocol = S("websocket"),
};

static const struct header websocket_version[] = {
	{.name = S("sec-websocket-version"), .value = S("13"), .id = HEADER_SEC_WEBSOCKET_VERSION},
};

static void an_extended_connect_opens_a_tunnel(void **state)
{
	struct given_stream *at_client;
	struct given_stream *at_server = &server.streams[0];

	(void)state;
	given_usual();
	assert_true(client.session.extended_connect);

	at_client = when_requested(&tunnel, websocket_version, 1, 1000);
	at_client->available = 600;
	given_talk(&client, &server, SIZE_MAX);
	assert_true(at_server->request.wants_websocket);
	assert_int_equal(at_server->request.method_id, METHOD_GET);
	assert_span(at_server->request.method, S("GET"));
	assert_span(at_server->request.target, S("/chat"));
	assert_int_equal(at_server->request.framing, BODY_NONE);
	assert_int_equal(at_server->body_bytes, 600);
	/* one direction ends before the other */
	when_answered(at_server, 200, 50);
	given_talk(&client, &server, SIZE_MAX);
	assert_true(at_client->ended);
	assert_false(at_client->closed);
	at_client->available = 1000;
	h2_body_ready(&at_client->stream);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(at_client->body_bytes, 50);
	assert_int_equal(at_server->body_bytes, 1000);
	assert_true(at_client->closed && at_server->closed);
	assert_int_equal(at_server->fault, FAULT_NONE);
	stop_both();
}

static void a_refused_tunnel_is_an_ordinary_response(void **state)
{
	struct given_stream *at_client;

	(void)state;
	given_usual();
	at_client = when_requested(&tunnel, websocket_version, 1, 1000);
	at_client->available = 0;
	given_talk(&client, &server, SIZE_MAX);

	when_answered(&server.streams[0], 404, 50);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(at_client->response.status, 404);
	assert_int_equal(at_client->body_bytes, 50);
	assert_true(at_client->closed && server.streams[0].closed);
	assert_int_equal(at_client->fault, FAULT_NONE);
	stop_both();
}

/* ---- the end of a connection ---- */

static void a_drain_lets_open_streams_finish(void **state)
{
	struct given_stream *at_client;

	(void)state;
	given_usual();
	at_client = when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);

	h2_drain(&server.session, server.now_ns);
	given_talk(&client, &server, SIZE_MAX);
	assert_int_equal(client.goaways, 1);
	assert_int_equal(client.goaway_last, 0x7fffffff);
	assert_int_equal(h2_streams_allowed(&client.session), 0);
	server.now_ns += SECOND_NS;
	h2_tick(&server.session, server.now_ns);
	given_talk(&client, &server, SIZE_MAX);
	assert_int_equal(client.goaways, 2);
	assert_int_equal(client.goaway_last, 1);
	assert_false(h2_is_over(&server.session));
	when_answered(&server.streams[0], 200, 100000);
	given_talk(&client, &server, SIZE_MAX);

	assert_int_equal(at_client->body_bytes, 100000);
	assert_int_equal(at_client->fault, FAULT_NONE);
	assert_true(h2_is_over(&server.session) && h2_is_over(&client.session));
	assert_int_equal(server.session.fault, FAULT_NONE);
	stop_both();
}

static void requests_beyond_a_goaway_may_be_tried_again(void **state)
{
	struct given_stream *first;
	struct given_stream *second;

	(void)state;
	given_usual();
	first = when_requested(&get, NULL, 0, 0);
	given_talk(&client, &server, SIZE_MAX);
	h2_drain(&server.session, server.now_ns);
	server.now_ns += SECOND_NS;
	h2_tick(&server.session, server.now_ns);

	/* on its way while the GOAWAY is */
	second = when_requested(&get, NULL, 0, 0);
	given_pull(&client, 16384);
	given_pull(&server, 16384);
	given_feed(&server, span_make(client.wire, client.wire_length), SIZE_MAX);
	given_feed(&client, span_make(server.wire, server.wire_length), SIZE_MAX);

	assert_int_equal(second->fault, FAULT_STREAM_REFUSED);
	assert_false(first->closed);
	assert_int_equal(server.count, 1);
	stop_both();
}

static void streams_of_a_connection_that_is_gone_are_closed(void **state)
{
	struct given_stream *at_server = &server.streams[0];

	(void)state;
	given_usual();
	when_requested(&post, NULL, 0, 10);
	given_talk(&client, &server, SIZE_MAX);

	h2_session_fini(&server.session, FAULT_CLIENT_CLOSED);

	assert_true(at_server->closed);
	assert_int_equal(at_server->fault, FAULT_CLIENT_CLOSED);
	assert_int_equal(h2_respond(&at_server->stream, 200, NULL, 0, H2_THEN_END),
			 FAULT_CLIENT_CLOSED);
	h2_body_ready(&at_server->stream);
	h2_reset(&at_server->stream, H2_CANCEL);
	h2_release(&at_server->stream);
	arena_fini(&at_server->arena);
	given_stop(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_arrives_as_it_was_sent),
		cmocka_unit_test(a_response_without_body_ends_both_streams),
		cmocka_unit_test(informational_heads_come_before_the_final_one),
		cmocka_unit_test(trailers_travel_both_ways),
		cmocka_unit_test(trailers_that_may_not_be_sent_fail_their_stream),
		cmocka_unit_test(trailers_may_follow_an_empty_body),
		cmocka_unit_test(a_head_that_may_not_be_sent_is_refused),
		cmocka_unit_test(a_large_response_head_arrives_cut_into_frames),
		cmocka_unit_test(a_head_that_is_too_large_to_be_sent_resets_its_stream),
		cmocka_unit_test(a_request_that_may_not_be_sent_is_refused),
		cmocka_unit_test(bodies_of_megabytes_go_through),
		cmocka_unit_test(bodies_of_megabytes_go_through_tiny_windows),
		cmocka_unit_test(bodies_go_through_byte_by_byte),
		cmocka_unit_test(a_body_waits_until_it_is_ready),
		cmocka_unit_test(small_buffers_make_the_same_bytes_in_all),
		cmocka_unit_test(streams_take_turns),
		cmocka_unit_test(a_stream_that_is_not_consumed_gets_its_window_and_no_more),
		cmocka_unit_test(owners_never_hold_more_than_the_window),
		cmocka_unit_test(without_an_ack_there_is_half_of_the_window),
		cmocka_unit_test(a_stream_is_lent_a_quarter_of_the_rest),
		cmocka_unit_test(any_number_of_stalled_streams_leaves_the_others_their_window),
		cmocka_unit_test(what_a_released_stream_held_is_given_back),
		cmocka_unit_test(a_reset_of_the_client_closes_the_stream_of_the_server),
		cmocka_unit_test(a_reset_of_the_server_tells_what_may_be_tried_again),
		cmocka_unit_test(a_response_before_the_end_of_the_request_ends_both),
		cmocka_unit_test(a_refused_stream_never_began),
		cmocka_unit_test(an_extended_connect_opens_a_tunnel),
		cmocka_unit_test(a_refused_tunnel_is_an_ordinary_response),
		cmocka_unit_test(a_drain_lets_open_streams_finish),
		cmocka_unit_test(requests_beyond_a_goaway_may_be_tried_again),
		cmocka_unit_test(streams_of_a_connection_that_is_gone_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
