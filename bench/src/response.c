/* SPDX-License-Identifier: Apache-2.0 */
#include "response.h"

#include "head_field.h"

static const struct span head_end = {"\r\n\r\n", 4};

void response_init(struct response *response)
{
	response->body_left = 0;
	response->head_length = 0;
	response->has_head = false;
	response->ends_connection = false;
}

/* head: whole, with the empty line. */
static bool read_head(struct response *response, struct span head)
{
	struct span length = head_field(head, S("Content-Length:"));

	if (!span_starts_with(head, S("HTTP/1.1 200 ")))
		return false;
	if (!span_to_u64(length, &response->body_left))
		return false;
	response->ends_connection = span_equals_nocase(head_field(head, S("Connection:")),
						       S("close"));
	response->has_head = true;
	return true;
}

static bool gather(struct response *response, struct span bytes)
{
	if (response->head_length + bytes.len > sizeof(response->head))
		return false;
	memcpy(response->head + response->head_length, bytes.ptr, bytes.len);
	response->head_length += (uint32_t)bytes.len;
	return true;
}

static enum response_progress take_body(struct response *response, uint64_t length)
{
	if (length > response->body_left)
		return RESPONSE_BAD;
	response->body_left -= length;
	return response->body_left == 0 ? RESPONSE_DONE : RESPONSE_MORE;
}

enum response_progress response_take(struct response *response, struct span bytes)
{
	struct span head = bytes;
	const char *end;
	size_t length;

	if (response->has_head)
		return take_body(response, bytes.len);
	if (response->head_length > 0) {
		if (!gather(response, bytes))
			return RESPONSE_BAD;
		head = span_make(response->head, response->head_length);
	}
	end = memmem(head.ptr, head.len, head_end.ptr, head_end.len);
	if (end == NULL) {
		if (response->head_length == 0 && !gather(response, bytes))
			return RESPONSE_BAD;
		return RESPONSE_MORE;
	}
	length = (size_t)(end - head.ptr) + head_end.len;
	if (!read_head(response, span_take(head, length)))
		return RESPONSE_BAD;
	return take_body(response, head.len - length);
}
