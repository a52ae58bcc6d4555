/* SPDX-License-Identifier: Apache-2.0 */
/* Request heads. Whatever the bytes: pieces come to the same end as the whole; what is accepted, a
 * second strict reading accepts with the same boundaries; and what is written of it is read as the
 * same message.
 *
 * The first byte of an input chooses settings and the size of the pieces.
 */
#include "h1_use.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct h1_result parse(struct span bytes, const struct h1_limits *limits,
			      struct h1_progress *progress, struct request_head *head)
{
	return h1_parse_request(bytes, limits, progress, head);
}

static void check_pieces(struct span bytes, const struct h1_limits *limits, size_t piece,
			 struct h1_result whole, const struct request_head *head)
{
	static struct header headers[HEAD_REQUEST_FIELDS_MAX];
	struct request_head again = {.headers = headers};
	struct h1_progress progress = {0};
	struct h1_result result = {.status = H1_MORE};

	for (size_t length = 0; result.status == H1_MORE; length += piece) {
		result = parse(span_take(bytes, length), limits, &progress, &again);
		if (length >= bytes.len)
			break;
	}
	MUST(result.status == whole.status && result.fault == whole.fault);
	MUST(result.consumed == whole.consumed);
	if (whole.status != H1_DONE)
		return;
	MUST(h1_same_headers(headers, again.header_count, head->headers, head->header_count));
	again.headers = head->headers;
	MUST(memcmp(&again, head, sizeof(again)) == 0);
}

static void check_second_reading(struct span bytes, struct h1_result whole,
				 const struct request_head *head)
{
	struct second_reading second;

	MUST(second_request(bytes, &second));
	MUST(second.head_bytes == whole.consumed);
	MUST(second.fields == head->header_count);
	MUST(second.length == head->content_length);
	MUST(second.codings == (head->framing == BODY_CHUNKED));
	MUST(second.hosts == (head->host.ptr != NULL));
}

static void check_round_trip(const struct h1_limits *limits, const struct request_head *head)
{
	static char memory[1 << 17];
	static struct header headers[HEAD_REQUEST_FIELDS_MAX];
	struct h1_writer writer = h1_writer_over(memory, sizeof(memory));
	struct request_head again = {.headers = headers};
	struct h1_limits roomy = h1_limits_of_written(*limits);
	struct h1_progress progress = {0};
	struct h1_result result;
	struct arena arena;
	struct uri uri;

	arena_init(&arena, NULL, 0, 1 << 20);
	if (head->host.ptr != NULL &&
	    uri_parse(head->target, head->method_id, &arena, &uri) == FAULT_NONE) {
		h1_write_request_line(&writer, head->method, uri.sent_path, uri.query);
		h1_write_fields(&writer, head->headers, head->header_count);
		MUST(writer.fault == H1_WRITER_OK);
		result = parse(h1_written(&writer), &roomy, &progress, &again);
		MUST(result.status == H1_DONE && result.consumed == h1_written(&writer).len);
		MUST(again.framing == head->framing &&
		     again.content_length == head->content_length);
		MUST(again.method_id == head->method_id);
		MUST(h1_same_kept_fields(head->headers, head->header_count, headers,
					 again.header_count));
	}
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct header headers[HEAD_REQUEST_FIELDS_MAX];
	struct request_head head = {.headers = headers};
	struct h1_progress progress = {0};
	struct h1_limits limits;
	struct h1_result whole;
	struct span bytes;
	char *copy;

	if (size == 0)
		return 0;
	limits = h1_limits_of(data[0], HEAD_REQUEST_FIELDS_MAX);
	copy = guarded_copy(data + 1, size - 1);
	bytes = span_make(copy, size - 1);
	whole = parse(bytes, &limits, &progress, &head);
	check_pieces(bytes, &limits, h1_piece_of(data[0]), whole, &head);
	if (whole.status == H1_DONE) {
		check_second_reading(bytes, whole, &head);
		check_round_trip(&limits, &head);
	}
	free(copy);
	return 0;
}
