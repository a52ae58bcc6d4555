/* SPDX-License-Identifier: Apache-2.0 */
/* A second strict reading of HTTP/1 messages, written apart from the first: byte by byte, without
 * tables, state or speed. Whatever src/http accepts must be accepted here, with the same boundaries.
 * It asks less where a rule has nothing to do with boundaries.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

struct second_reading {
	size_t head_bytes; /* with the empty line at its end */
	unsigned fields;
	unsigned hosts;
	unsigned lengths;
	unsigned codings;
	uint64_t length; /* of Content-Length */
};

/* The index of the first CRLF, or SIZE_MAX; also when CR or LF stands anywhere before it alone. */
static inline size_t second_line_end(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\n')
			return SIZE_MAX;
		if (text.ptr[i] == '\r')
			return i + 1 < text.len && text.ptr[i + 1] == '\n' ? i : SIZE_MAX;
	}
	return SIZE_MAX;
}

static inline bool second_is_token(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '\0' ||
		    strchr("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "abcdefghijklmnopqrstuvwxyz",
			   text.ptr[i]) == NULL)
			return false;
	return text.len > 0;
}

static inline bool second_is_value(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c == 0x7f || (c < ' ' && c != '\t'))
			return false;
	}
	return true;
}

/* A field line of a head or a trailer. */
static inline bool second_field(struct span line, struct span *name, struct span *value)
{
	size_t colon = span_find(line, ':');

	if (colon == SIZE_MAX)
		return false;
	*name = span_take(line, colon);
	*value = span_trim(span_skip(line, colon + 1));
	return second_is_token(*name) && second_is_value(*value);
}

static inline bool second_length(struct span text, uint64_t *length)
{
	*length = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9' || *length > INT64_MAX / 10)
			return false;
		*length = *length * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	return text.len > 0 && *length <= INT64_MAX;
}

/* Fields up to the empty line. False: something in them is malformed, or that line is not there. */
static inline bool second_fields(struct span bytes, size_t at, struct second_reading *reading)
{
	for (;;) {
		struct span rest = span_skip(bytes, at);
		size_t end = second_line_end(rest);
		struct span name;
		struct span value;

		if (end == SIZE_MAX)
			return false;
		at += end + 2;
		if (end == 0)
			break;
		if (!second_field(span_take(rest, end), &name, &value))
			return false;
		reading->fields++;
		reading->hosts += span_equals_nocase(name, S("host"));
		if (span_equals_nocase(name, S("content-length"))) {
			reading->lengths++;
			if (!second_length(value, &reading->length))
				return false;
		}
		if (span_equals_nocase(name, S("transfer-encoding"))) {
			reading->codings++;
			if (!span_equals_nocase(value, S("chunked")))
				return false;
		}
	}
	reading->head_bytes = at;
	return reading->lengths + reading->codings <= 1;
}

/* METHOD SP TARGET SP HTTP/1.[01], behind at most one empty line. */
static inline bool second_request(struct span bytes, struct second_reading *reading)
{
	size_t at = span_starts_with(bytes, S("\r\n")) ? 2 : 0;
	size_t end = second_line_end(span_skip(bytes, at));
	struct span rest = span_take(span_skip(bytes, at), end);
	struct span method = span_cut(&rest, ' ');
	struct span target = span_cut(&rest, ' ');

	*reading = (struct second_reading){0};
	if (end == SIZE_MAX || !second_is_token(method) || target.len == 0 ||
	    (!span_equals(rest, S("HTTP/1.1")) && !span_equals(rest, S("HTTP/1.0"))))
		return false;
	for (size_t i = 0; i < target.len; i++)
		if (target.ptr[i] <= ' ' || target.ptr[i] > '~')
			return false;
	return second_fields(bytes, at + end + 2, reading) && reading->hosts <= 1 &&
	       (reading->hosts == 1 || span_equals(rest, S("HTTP/1.0")));
}

/* HTTP/1.[01] SP 3DIGIT [SP reason] */
static inline bool second_response(struct span bytes, struct second_reading *reading)
{
	size_t end = second_line_end(bytes);
	struct span line = span_take(bytes, end);
	uint64_t status;

	*reading = (struct second_reading){0};
	if (end == SIZE_MAX || line.len < 12 || !span_starts_with(line, S("HTTP/1.")) ||
	    (line.ptr[7] != '0' && line.ptr[7] != '1') || line.ptr[8] != ' ' ||
	    !second_length(span_take(span_skip(line, 9), 3), &status) ||
	    (line.len > 12 && line.ptr[12] != ' ') || !second_is_value(line))
		return false;
	return status >= 100 && status <= 599 && second_fields(bytes, end + 2, reading);
}

/* A chunked body; its data goes to `data`, which has room for all bytes. False: malformed or cut. */
static inline bool second_chunked(struct span bytes, char *data, size_t *data_bytes,
				  size_t *coded_bytes)
{
	size_t at = 0;

	for (*data_bytes = 0;;) {
		struct span rest = span_skip(bytes, at);
		size_t end = second_line_end(rest);
		size_t digits = 0;
		uint64_t size = 0;

		if (end == SIZE_MAX || !second_is_value(span_take(rest, end)))
			return false;
		for (; digits < end && rest.ptr[digits] != '\0' &&
		       strchr("0123456789abcdefABCDEF", rest.ptr[digits]) != NULL;
		     digits++) {
			char c = rest.ptr[digits];

			size = size * 16 + (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
		}
		if (digits == 0 || digits > 16 || (digits < end && rest.ptr[digits] != ';'))
			return false;
		at += end + 2;
		if (size == 0)
			break;
		if (size > bytes.len - at || bytes.len - at - size < 2 ||
		    memcmp(bytes.ptr + at + size, "\r\n", 2) != 0)
			return false;
		memcpy(data + *data_bytes, bytes.ptr + at, size);
		*data_bytes += size;
		at += size + 2;
	}
	for (;;) {
		struct span rest = span_skip(bytes, at);
		size_t end = second_line_end(rest);
		struct span name;
		struct span value;

		if (end == SIZE_MAX ||
		    (end > 0 && !second_field(span_take(rest, end), &name, &value)))
			return false;
		at += end + 2;
		if (end == 0)
			break;
	}
	*coded_bytes = at;
	return true;
}
