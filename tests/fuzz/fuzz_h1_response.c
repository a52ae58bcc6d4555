/* SPDX-License-Identifier: Apache-2.0 */
/* Response heads, with the properties of fuzz_h1_request.c. The first byte of an input chooses the
 * method of the request as well. */
#include "h1_use.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pieces(struct span bytes, const struct h1_limits *limits, enum method method,
			 size_t piece, struct h1_result whole, const struct response_head *head)
{
	static struct header headers[HEAD_RESPONSE_FIELDS_MAX];
	struct response_head again = {.headers = headers};
	struct h1_progress progress = {0};
	struct h1_result result = {.status = H1_MORE};

	for (size_t length = 0; result.status == H1_MORE; length += piece) {
		result = h1_parse_response(span_take(bytes, length), limits, method, &progress,
					   &again);
		if (length >= bytes.len)
			break;
	}
	MUST(result.status == whole.status && result.fault == whole.fault);
	MUST(result.consumed == whole.consumed);
	if (whole.status != H1_DONE)
		return;
	MUST(h1_same_headers(headers, again.header_count, head->headers, head->header_count));
	MUST(again.status == head->status && again.framing == head->framing);
	MUST(again.content_length == head->content_length);
	MUST(again.keep_alive == head->keep_alive);
}

static void check_second_reading(struct span bytes, struct h1_result whole,
				 const struct response_head *head)
{
	struct second_reading second;

	MUST(second_response(bytes, &second));
	MUST(second.head_bytes == whole.consumed);
	MUST(second.fields == head->header_count);
	MUST(!head->has_content_length || second.length == head->content_length);
	MUST(head->framing != BODY_CHUNKED || second.codings == 1);
	MUST(head->framing != BODY_CLOSE || second.codings + second.lengths == 0);
}

static void check_round_trip(const struct h1_limits *limits, enum method method,
			     const struct response_head *head)
{
	static char memory[1 << 17];
	static struct header headers[HEAD_RESPONSE_FIELDS_MAX];
	struct h1_writer writer = h1_writer_over(memory, sizeof(memory));
	struct response_head again = {.headers = headers};
	struct h1_limits roomy = h1_limits_of_written(*limits);
	struct h1_progress progress = {0};
	struct h1_result result;

	h1_write_status_line(&writer, head->status, head->reason);
	h1_write_fields(&writer, head->headers, head->header_count);
	MUST(writer.fault == H1_WRITER_OK);
	result = h1_parse_response(h1_written(&writer), &roomy, method, &progress, &again);
	MUST(result.status == H1_DONE && result.consumed == h1_written(&writer).len);
	MUST(again.status == head->status && again.framing == head->framing);
	MUST(again.content_length == head->content_length);
	MUST(head->reason.len == 0 || span_equals(again.reason, head->reason));
	MUST(h1_same_kept_fields(head->headers, head->header_count, headers, again.header_count));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct header headers[HEAD_RESPONSE_FIELDS_MAX];
	struct response_head head = {.headers = headers};
	struct h1_progress progress = {0};
	struct h1_limits limits;
	struct h1_result whole;
	struct span bytes;
	enum method method;
	char *copy;

	if (size == 0)
		return 0;
	limits = h1_limits_of(data[0], HEAD_RESPONSE_FIELDS_MAX);
	method = (data[0] & 1) != 0 ? METHOD_HEAD : METHOD_GET;
	copy = guarded_copy(data + 1, size - 1);
	bytes = span_make(copy, size - 1);
	whole = h1_parse_response(bytes, &limits, method, &progress, &head);
	check_pieces(bytes, &limits, method, h1_piece_of(data[0]), whole, &head);
	if (whole.status == H1_DONE) {
		check_second_reading(bytes, whole, &head);
		check_round_trip(&limits, method, &head);
	}
	free(copy);
	return 0;
}
