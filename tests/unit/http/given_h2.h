/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of HTTP/2 for tests: an owner that records what it is told, a wire between two sessions, and
 * frames made by hand for what no session sends.
 *
 * Bodies are a pattern that is known for every offset, so that a receiver checks each byte.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/h2.h"
#include "page_end.h"

#define SECOND_NS UINT64_C(1000000000)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define assert_span(actual, expected)                                                   \
	do {                                                                            \
		struct span actual_ = (actual);                                         \
		struct span expected_ = (expected);                                     \
                                                                                        \
		assert_int_equal(actual_.len, expected_.len);                           \
		if (expected_.len > 0)                                                  \
			assert_memory_equal(actual_.ptr, expected_.ptr, expected_.len); \
	} while (0)

enum {
	GIVEN_STREAMS = 400,
	GIVEN_WIRE = 1 << 17,
	GIVEN_ARENA_MAX = 1 << 18,
	PATTERN = 256,
	PATTERN_BYTES = 1 << 16,
};

/* ---- owners ---- */

struct given_stream {
	struct h2_stream stream;
	struct arena arena;
	struct request_head request;
	struct response_head response;
	struct header headers[HEAD_RESPONSE_FIELDS_MAX];

	/* what came */
	unsigned heads;
	enum fault head_fault;
	uint64_t body_bytes;
	bool ended;
	bool closed;
	enum fault fault;
	uint32_t code;

	/* what is sent */
	uint64_t to_send;   /* bytes of the pattern in all */
	uint64_t sent;      /* of these */
	uint64_t available; /* of to_send; beyond it read_body waits */
	const struct header *trailers;
	uint32_t trailer_count;
};

struct given_side {
	struct h2_session session;
	struct given_stream streams[GIVEN_STREAMS];
	uint32_t count;
	bool refuses; /* new streams */
	bool holds;   /* bodies are not consumed */
	unsigned settings;
	unsigned outputs; /* on_output was called */
	unsigned goaways;
	uint32_t goaway_last;
	uint32_t goaway_code;
	uint64_t now_ns;

	/* what was pulled last */
	char wire[GIVEN_WIRE];
	size_t wire_length;
};

static inline struct given_stream *given_of(struct h2_stream *stream)
{
	return container_of(stream, struct given_stream, stream);
}

static inline const char *pattern(void)
{
	static char bytes[PATTERN_BYTES + PATTERN];

	if (bytes[1] == 0)
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)(i % PATTERN);
	return bytes;
}

static inline struct given_stream *given_new(struct given_side *side)
{
	struct given_stream *given;

	assert_true(side->count < GIVEN_STREAMS);
	given = &side->streams[side->count++];
	memset(given, 0, sizeof(*given));
	arena_init(&given->arena, NULL, 0, GIVEN_ARENA_MAX);
	given->request.headers = given->headers;
	given->response.headers = given->headers;
	given->stream.arena = &given->arena;
	return given;
}

static inline struct h2_stream *given_on_begin(void *owner)
{
	struct given_side *side = owner;
	struct given_stream *given;

	if (side->refuses)
		return NULL;
	given = given_new(side);
	given->stream.request = &given->request;
	return &given->stream;
}

static inline void given_on_head(void *owner, struct h2_stream *stream, enum fault fault)
{
	(void)owner;
	given_of(stream)->heads++;
	given_of(stream)->head_fault = fault;
}

static inline void given_on_body(void *owner, struct h2_stream *stream, struct span bytes)
{
	struct given_side *side = owner;
	struct given_stream *given = given_of(stream);

	assert_false(given->ended);
	for (size_t i = 0; i < bytes.len; i++)
		assert_int_equal((unsigned char)bytes.ptr[i], (given->body_bytes + i) % PATTERN);
	given->body_bytes += bytes.len;
	if (!side->holds)
		h2_consume(stream, bytes.len);
}

static inline void given_on_end(void *owner, struct h2_stream *stream)
{
	(void)owner;
	assert_false(given_of(stream)->ended);
	given_of(stream)->ended = true;
}

static inline void given_on_closed(void *owner, struct h2_stream *stream, enum fault fault,
				   uint32_t code)
{
	(void)owner;
	assert_false(given_of(stream)->closed);
	given_of(stream)->closed = true;
	given_of(stream)->fault = fault;
	given_of(stream)->code = code;
}

static inline struct h2_body given_read_body(void *owner, struct h2_stream *stream, size_t max)
{
	struct given_stream *given = given_of(stream);
	uint64_t ready = given->available - given->sent;
	size_t size = ready < max ? (size_t)ready : max;
	struct h2_body body = {.status = H2_BODY_MORE};

	(void)owner;
	if (size > PATTERN_BYTES)
		size = PATTERN_BYTES;
	body.bytes = span_make(pattern() + given->sent % PATTERN, size);
	if (given->sent + size == given->to_send) {
		body.status = H2_BODY_END;
		body.trailers = given->trailers;
		body.trailer_count = given->trailer_count;
	} else if (size == 0) {
		body.status = H2_BODY_WAIT;
	}
	return body;
}

static inline void given_body_sent(void *owner, struct h2_stream *stream, size_t bytes)
{
	(void)owner;
	given_of(stream)->sent += bytes;
}

static inline void given_on_settings(void *owner)
{
	((struct given_side *)owner)->settings++;
}

static inline void given_on_goaway(void *owner, uint32_t last_id, uint32_t code)
{
	struct given_side *side = owner;

	side->goaways++;
	side->goaway_last = last_id;
	side->goaway_code = code;
}

static inline void given_on_output(void *owner)
{
	((struct given_side *)owner)->outputs++;
}

static const struct h2_calls given_calls = {
	.on_begin = given_on_begin,
	.on_head = given_on_head,
	.on_body = given_on_body,
	.on_end = given_on_end,
	.on_closed = given_on_closed,
	.read_body = given_read_body,
	.body_sent = given_body_sent,
	.on_settings = given_on_settings,
	.on_goaway = given_on_goaway,
	.on_output = given_on_output,
};

static inline void given_start(struct given_side *side, const struct h2_options *options)
{
	memset(side, 0, sizeof(*side));
	side->now_ns = SECOND_NS;
	assert_int_equal(h2_session_init(&side->session, options, &given_calls, side, side->now_ns),
			 0);
}

static inline void given_stop(struct given_side *side)
{
	h2_session_fini(&side->session, FAULT_CLIENT_CLOSED);
	assert_int_equal(side->session.memory, 0);
	for (uint32_t i = 0; i < side->count; i++) {
		h2_release(&side->streams[i].stream);
		arena_fini(&side->streams[i].arena);
	}
}

static inline struct h2_options given_client_options(void)
{
	return h2_options_usual(H2_CLIENT);
}

/* ---- the wire between two sessions ---- */

/* Everything that side has to send, in buffers of that size, into its wire. */
static inline void given_pull(struct given_side *side, size_t buffer)
{
	side->wire_length = 0;
	while (side->wire_length + buffer <= GIVEN_WIRE) {
		size_t length = h2_pull(&side->session, side->wire + side->wire_length, buffer,
					side->now_ns);

		side->wire_length += length;
		if (length == 0)
			break;
	}
}

/* In pieces of that size, each at the end of readable memory. */
static inline void given_feed(struct given_side *side, struct span bytes, size_t piece)
{
	while (bytes.len > 0) {
		struct span next = page_end_copy(span_take(bytes, piece));
		size_t taken = h2_receive(&side->session, next, side->now_ns);

		if (taken == 0)
			break;
		bytes = span_skip(bytes, taken);
	}
}

/* Until neither has anything to say. */
static inline void given_talk(struct given_side *a, struct given_side *b, size_t piece)
{
	do {
		given_pull(a, 16384 + 9);
		given_feed(b, span_make(a->wire, a->wire_length), piece);
		given_pull(b, 16384 + 9);
		given_feed(a, span_make(b->wire, b->wire_length), piece);
	} while (a->wire_length > 0 || b->wire_length > 0);
}

/* ---- frames by hand ---- */

struct raw {
	char bytes[GIVEN_WIRE];
	size_t length;
};

static inline void raw_bytes(struct raw *raw, struct span bytes)
{
	assert_true(raw->length + bytes.len <= sizeof(raw->bytes));
	if (bytes.len > 0)
		memcpy(raw->bytes + raw->length, bytes.ptr, bytes.len);
	raw->length += bytes.len;
}

static inline void raw_frame(struct raw *raw, unsigned type, unsigned flags, uint32_t id,
			     struct span payload)
{
	char head[9] = {
		(char)(payload.len >> 16),
		(char)(payload.len >> 8),
		(char)payload.len,
		(char)type,
		(char)flags,
		(char)(id >> 24),
		(char)(id >> 16),
		(char)(id >> 8),
		(char)id,
	};

	raw_bytes(raw, span_make(head, sizeof(head)));
	raw_bytes(raw, payload);
}

static inline struct span raw_u32(char text[static 4], uint32_t number)
{
	for (unsigned i = 0; i < 4; i++)
		text[i] = (char)(number >> (24 - 8 * i));
	return span_make(text, 4);
}

/* A frame with one number as its payload: RST_STREAM, WINDOW_UPDATE. */
static inline void raw_number(struct raw *raw, unsigned type, uint32_t id, uint32_t number)
{
	char text[4];

	raw_frame(raw, type, 0, id, raw_u32(text, number));
}

/* The preface and empty SETTINGS, with an ACK for those of the server. */
static inline void raw_hello(struct raw *raw)
{
	raw_bytes(raw, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	raw_frame(raw, H2_FRAME_SETTINGS, 0, 0, S(""));
	raw_frame(raw, H2_FRAME_SETTINGS, H2_FLAG_ACK, 0, S(""));
}

/* RFC 7541, 5.1 with a prefix of seven bits, and 5.2 without Huffman. */
static inline void raw_string(struct raw *raw, struct span text)
{
	size_t rest = text.len - 127;
	char byte;

	if (text.len < 127) {
		byte = (char)text.len;
		raw_bytes(raw, span_make(&byte, 1));
	} else {
		raw_bytes(raw, S("\x7f"));
		for (; rest >= 128; rest >>= 7) {
			byte = (char)(0x80 | (rest & 0x7f));
			raw_bytes(raw, span_make(&byte, 1));
		}
		byte = (char)rest;
		raw_bytes(raw, span_make(&byte, 1));
	}
	raw_bytes(raw, text);
}

struct raw_field {
	struct span name;
	struct span value;
};

/* Literals that are not indexed: what a block says does not depend on those before it. */
static inline void raw_block(struct raw *raw, const struct raw_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		raw_bytes(raw, S("\0"));
		raw_string(raw, fields[i].name);
		raw_string(raw, fields[i].value);
	}
}

static inline void raw_headers(struct raw *raw, unsigned flags, uint32_t id,
			       const struct raw_field *fields, size_t count)
{
	static struct raw block;

	block.length = 0;
	raw_block(&block, fields, count);
	raw_frame(raw, H2_FRAME_HEADERS, flags, id, span_make(block.bytes, block.length));
}

#define RAW_HEADERS(raw, flags, id, ...)                                                      \
	do {                                                                                  \
		static const struct raw_field fields_[] = {__VA_ARGS__};                      \
                                                                                              \
		raw_headers(raw, (flags) | H2_FLAG_END_HEADERS, id, fields_, COUNT(fields_)); \
	} while (0)

#define RAW_GET                                                                    \
	{S(":method"), S("GET")}, {S(":scheme"), S("http")}, {S(":path"), S("/")}, \
	{                                                                          \
		S(":authority"), S("a.test")                                       \
	}

#define RAW_POST                                                                    \
	{S(":method"), S("POST")}, {S(":scheme"), S("http")}, {S(":path"), S("/")}, \
	{                                                                           \
		S(":authority"), S("a.test")                                        \
	}

static inline void given_feed_raw(struct given_side *side, struct raw *raw, size_t piece)
{
	given_feed(side, span_make(raw->bytes, raw->length), piece);
	raw->length = 0;
}

/* ---- what a session has sent ---- */

struct sent_frame {
	struct h2_frame frame;
	struct span payload;
};

/* The nth frame (from 0) of that type and stream in the wire of side; false: there is none. */
static inline bool sent_nth(const struct given_side *side, unsigned type, uint32_t id, unsigned nth,
			    struct sent_frame *sent)
{
	struct span rest = span_make(side->wire, side->wire_length);
	struct h2_frames frames = h2_frames_start(0);

	while (rest.len > 0) {
		struct h2_frames_result result = h2_frames_next(&frames, rest);

		assert_true(result.begun && h2_frames_at_boundary(&frames));
		if (result.frame.type == type && result.frame.stream_id == id && nth-- == 0) {
			sent->frame = result.frame;
			sent->payload = span_make(rest.ptr + H2_FRAME_HEAD_BYTES,
						  result.frame.length);
			return true;
		}
		rest = span_skip(rest, result.consumed);
	}
	return false;
}

static inline unsigned sent_count(const struct given_side *side, unsigned type, uint32_t id)
{
	struct sent_frame sent = {0};
	unsigned count = 0;

	while (sent_nth(side, type, id, count, &sent))
		count++;
	return count;
}

static inline uint32_t sent_u32(struct span payload, size_t at)
{
	const unsigned char *bytes = (const unsigned char *)payload.ptr + at;

	assert_true(at + 4 <= payload.len);
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

enum { NOT_SENT = 0x7fffffff };

/* The code of the RST_STREAM for that stream, or NOT_SENT. */
static inline uint32_t sent_reset(const struct given_side *side, uint32_t id)
{
	struct sent_frame sent = {0};

	return sent_nth(side, H2_FRAME_RST_STREAM, id, 0, &sent) ? sent_u32(sent.payload, 0)
								 : NOT_SENT;
}

/* The code of the last GOAWAY, or NOT_SENT. */
static inline uint32_t sent_goaway(const struct given_side *side)
{
	uint32_t code = NOT_SENT;
	struct sent_frame sent = {0};

	for (unsigned i = 0; sent_nth(side, H2_FRAME_GOAWAY, 0, i, &sent); i++)
		code = sent_u32(sent.payload, 4);
	return code;
}
