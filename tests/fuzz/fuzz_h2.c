/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer of HTTP/2 sends, as client and as server. Whatever the bytes: pieces come to the same end as
 * the whole; each stream is told in the right order and closed once; a body is as long as its head says;
 * what comes out as a sound request is written as HTTP/1.1 and read as the same request; and all memory
 * is given back.
 *
 * The first byte of an input chooses the side, what the owner does, and the size of the pieces. The
 * preface, SETTINGS and their ACK come before the input.
 */
#include "h1_use.h"
#include "http/h2.h"
#include "http/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	STREAMS = 64,
	REQUESTS = 4, /* that our client has made before the input comes */
	BODY_BYTES = 3000,
	ARENA_BYTES = 1 << 17,
	CHOICE_SERVER = 1,
	CHOICE_HOLDS = 2,
	CHOICE_ANSWERS = 4,
};

struct fuzz_stream {
	struct h2_stream stream;
	struct arena arena;
	struct request_head request;
	struct response_head response;
	struct header headers[HEAD_RESPONSE_FIELDS_MAX];
	enum fault fault;
	uint64_t body_bytes;
	uint64_t body_sum;
	uint32_t to_send;
	bool has_head;
	bool ended;
	bool closed;
};

struct fuzz_owner {
	struct h2_session session;
	struct fuzz_stream streams[STREAMS];
	uint32_t count;
	uint8_t choice;
	uint64_t log; /* of all that was told, but for bodies that were cut */
};

static char sent_body[BODY_BYTES];

static struct fuzz_stream *of(struct h2_stream *stream)
{
	return container_of(stream, struct fuzz_stream, stream);
}

/* FNV-1a */
static uint64_t sum(uint64_t start, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		start = (start ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
	return start;
}

static void note(struct fuzz_owner *owner, const void *bytes, size_t size)
{
	owner->log = sum(owner->log, bytes, size);
}

static void note_number(struct fuzz_owner *owner, uint64_t number)
{
	note(owner, &number, sizeof(number));
}

static void note_event(struct fuzz_owner *owner, char event, const struct h2_stream *stream)
{
	note(owner, &event, 1);
	note_number(owner, stream->id);
}

static void note_headers(struct fuzz_owner *owner, const struct header *headers, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		note(owner, headers[i].name.ptr, headers[i].name.len);
		note(owner, headers[i].value.ptr, headers[i].value.len);
		note_number(owner, headers[i].id);
	}
}

/* ---- a request of HTTP/2 as one of HTTP/1.1 ---- */

static uint32_t write_fields(struct h1_writer *writer, const struct request_head *head)
{
	uint32_t count = 1;

	h1_write_field(writer, HEADER_HOST, head->host);
	if (head->framing == BODY_CHUNKED)
		h1_write_field(writer, HEADER_TRANSFER_ENCODING, S("chunked"));
	else if (head->has_content_length)
		h1_write_field_number(writer, HEADER_CONTENT_LENGTH, head->content_length);
	count += head->framing == BODY_CHUNKED || head->has_content_length;
	for (uint32_t i = 0; i < head->header_count; i++) {
		const struct header *header = &head->headers[i];

		if (header->dropped ||
		    header_request_way((enum header_id)header->id) != HEADER_WAY_PASS)
			continue;
		h1_write_header(writer, header);
		count++;
	}
	h1_write_end(writer);
	return count;
}

static void check_round_trip(struct fuzz_stream *given)
{
	static char memory[1 << 17];
	static struct header headers[HEAD_REQUEST_FIELDS_MAX + 2];
	const struct request_head *head = &given->request;
	const struct h1_limits limits = {1 << 16, 1 << 16, 1 << 17, HEAD_REQUEST_FIELDS_MAX + 2,
					 false,   true};
	struct h1_writer writer = h1_writer_over(memory, sizeof(memory));
	struct request_head again = {.headers = headers};
	struct h1_progress progress = {0};
	struct h1_result result;
	struct host host;
	struct uri uri;
	uint32_t count;

	if (uri_parse(head->target, head->method_id, &given->arena, &uri) != FAULT_NONE ||
	    !host_parse(head->host, &host))
		return;
	h1_write_request_line(&writer, head->method, uri.sent_path, uri.query);
	count = write_fields(&writer, head);
	MUST(writer.fault == H1_WRITER_OK);
	result = h1_parse_request(h1_written(&writer), &limits, &progress, &again);
	MUST(result.status == H1_DONE && result.consumed == h1_written(&writer).len);
	MUST(again.framing == head->framing && again.content_length == head->content_length);
	MUST(again.method_id == head->method_id);
	MUST(again.header_count == count);
}

/* ---- the owner ---- */

static struct fuzz_stream *new_stream(struct fuzz_owner *owner)
{
	struct fuzz_stream *given = &owner->streams[owner->count++];

	arena_init(&given->arena, NULL, 0, ARENA_BYTES);
	given->stream.arena = &given->arena;
	given->request.headers = given->headers;
	given->response.headers = given->headers;
	return given;
}

static struct h2_stream *on_begin(void *user)
{
	struct fuzz_owner *owner = user;
	struct fuzz_stream *given;

	if (owner->count == STREAMS)
		return NULL;
	given = new_stream(owner);
	given->stream.request = &given->request;
	return &given->stream;
}

static void on_head(void *user, struct h2_stream *stream, enum fault fault)
{
	struct fuzz_owner *owner = user;
	struct fuzz_stream *given = of(stream);

	MUST(!given->has_head && !given->ended && !given->closed);
	note_event(owner, 'h', stream);
	note_number(owner, fault);
	given->fault = fault;
	if (stream->request == NULL) {
		note_number(owner, given->response.status);
		note_headers(owner, given->headers, given->response.header_count);
		MUST(fault == FAULT_NONE);
		given->has_head = given->response.status >= 200;
		return;
	}
	given->has_head = true;
	note_headers(owner, given->headers, given->request.header_count);
	if (fault == FAULT_NONE)
		check_round_trip(given);
	given->to_send = BODY_BYTES;
	if ((owner->choice & CHOICE_ANSWERS) != 0)
		MUST(h2_respond(stream, 200, NULL, 0, H2_THEN_BODY) == FAULT_NONE);
}

static void on_body(void *user, struct h2_stream *stream, struct span bytes)
{
	struct fuzz_owner *owner = user;
	struct fuzz_stream *given = of(stream);

	MUST(given->has_head && !given->ended && !given->closed && bytes.len > 0);
	given->body_sum = sum(given->body_sum, bytes.ptr, bytes.len);
	given->body_bytes += bytes.len;
	if ((owner->choice & CHOICE_HOLDS) == 0)
		h2_consume(stream, bytes.len);
}

static void check_length(const struct fuzz_stream *given)
{
	if (given->stream.is_tunnel || given->fault != FAULT_NONE)
		return;
	if (given->stream.request != NULL && given->request.framing != BODY_CHUNKED)
		MUST(given->body_bytes == given->request.content_length);
	if (given->stream.request == NULL && given->response.framing == BODY_NONE)
		MUST(given->body_bytes == 0);
	if (given->stream.request == NULL && given->response.framing == BODY_LENGTH)
		MUST(given->body_bytes == given->response.content_length);
}

static void on_end(void *user, struct h2_stream *stream)
{
	struct fuzz_owner *owner = user;
	struct fuzz_stream *given = of(stream);

	MUST(given->has_head && !given->ended && !given->closed);
	given->ended = true;
	note_event(owner, 'e', stream);
	note_number(owner, given->body_bytes);
	note_number(owner, given->body_sum);
	note_headers(owner, stream->trailers, stream->trailer_count);
	check_length(given);
}

static void on_closed(void *user, struct h2_stream *stream, enum fault fault, uint32_t code)
{
	struct fuzz_owner *owner = user;
	struct fuzz_stream *given = of(stream);

	MUST(!given->closed);
	given->closed = true;
	note_event(owner, 'c', stream);
	note_number(owner, fault);
	note_number(owner, code);
	/* one stays for ever: what HTTP/2 has closed its owner may still hold */
	if (stream->id % 8 != 1)
		h2_release(stream);
}

static struct h2_body read_body(void *user, struct h2_stream *stream, size_t max)
{
	struct fuzz_stream *given = of(stream);
	size_t size = given->to_send < max ? given->to_send : max;

	(void)user;
	MUST(!given->closed);
	return (struct h2_body){
		.status = size == given->to_send ? H2_BODY_END : H2_BODY_MORE,
		.bytes = span_make(sent_body, size),
	};
}

static void body_sent(void *user, struct h2_stream *stream, size_t bytes)
{
	(void)user;
	of(stream)->to_send -= (uint32_t)bytes;
}

static void on_settings(void *user)
{
	note(user, "s", 1);
}

static void on_goaway(void *user, uint32_t last_id, uint32_t code)
{
	note(user, "g", 1);
	note_number(user, last_id);
	note_number(user, code);
}

static void on_sent(void *user, struct h2_stream *stream)
{
	(void)user;
	MUST(stream->local_ended);
}

static const struct h2_calls calls = {
	.on_begin = on_begin,
	.on_head = on_head,
	.on_body = on_body,
	.on_end = on_end,
	.on_closed = on_closed,
	.read_body = read_body,
	.body_sent = body_sent,
	.on_sent = on_sent,
	.on_settings = on_settings,
	.on_goaway = on_goaway,
};

/* ---- the wire ---- */

static void pull(struct fuzz_owner *owner)
{
	static char buffer[1 << 15];

	while (h2_pull(&owner->session, buffer, sizeof(buffer), 0) > 0)
		continue;
	MUST(owner->session.broken || !h2_wants_write(&owner->session) ||
	     owner->session.pending.len == 0);
}

/* Pulls only when it must, so that it makes no difference to what is told in which pieces it came. */
static void feed(struct fuzz_owner *owner, struct span bytes, size_t piece)
{
	while (bytes.len > 0) {
		struct span next = span_take(bytes, piece);
		char *copy = guarded_copy((const uint8_t *)next.ptr, next.len);
		size_t taken = h2_receive(&owner->session, span_make(copy, next.len), 0);

		free(copy);
		MUST(taken <= next.len);
		bytes = span_skip(bytes, taken);
		if (taken < next.len)
			pull(owner);
	}
}

static void request_all(struct fuzz_owner *owner)
{
	static const struct span methods[REQUESTS] = {S("GET"), S("HEAD"), S("POST"), S("CONNECT")};

	for (unsigned i = 0; i < REQUESTS; i++) {
		struct fuzz_stream *given = new_stream(owner);
		struct h2_request request = {
			.method = methods[i],
			.scheme = S("http"),
			.authority = S("a"),
			.path = S("/"),
			.protocol = i == 3 ? S("websocket") : S(""),
		};

		given->to_send = BODY_BYTES;
		given->stream.response = &given->response;
		MUST(h2_request(&owner->session, &given->stream, &request, NULL, 0,
				i < 2 ? H2_THEN_END : H2_THEN_BODY) == FAULT_NONE);
	}
}

static void begin(struct fuzz_owner *owner)
{
	bool is_server = (owner->choice & CHOICE_SERVER) != 0;
	struct h2_options options = h2_options_usual(is_server ? H2_SERVER : H2_CLIENT);
	const struct span hello = S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				    "\0\0\0\4\0\0\0\0\0"
				    "\0\0\0\4\1\0\0\0\0");

	options.streams_max = STREAMS / 2;
	MUST(h2_session_init(&owner->session, &options, &calls, owner, 0) == 0);
	if (!is_server)
		request_all(owner);
	pull(owner);
	feed(owner, span_skip(hello, is_server ? 0 : H2_PREFACE_BYTES), SIZE_MAX);
}

/* What was told, as a number. */
static uint64_t run(struct span bytes, uint8_t choice, size_t piece)
{
	static struct fuzz_owner owner;

	memset(&owner, 0, sizeof(owner));
	owner.choice = choice;
	begin(&owner);
	feed(&owner, bytes, piece);
	pull(&owner);
	h2_tick(&owner.session, UINT64_C(100000000000));
	pull(&owner);
	h2_session_fini(&owner.session, FAULT_CLIENT_CLOSED);
	MUST(owner.session.memory == 0);
	for (uint32_t i = 0; i < owner.count; i++) {
		MUST(owner.streams[i].closed);
		h2_release(&owner.streams[i].stream);
		arena_fini(&owner.streams[i].arena);
	}
	return owner.log;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_make((const char *)data + 1, size - 1);

	if (size == 0)
		return 0;
	MUST(run(bytes, data[0], SIZE_MAX) == run(bytes, data[0], (size_t)(data[0] >> 3) + 1));
	return 0;
}
