/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_write.h"

#include <assert.h>
#include <string.h>

#include "base/bug.h"
#include "http/scan.h"
#include "http/token.h"

enum { NAME_ROOM = 32, STATUS_MIN = 100, STATUS_MAX = 599, DIGITS_MAX = 20 };

/* "Host: " and so on, padded so that a copy of NAME_ROOM bytes serves for each. */
struct field_start {
	char text[NAME_ROOM];
	uint8_t length;
};

static const struct field_start field_starts[HEADER_COUNT] = {
#define HEADER(id, name, request, response) [HEADER_##id] = {name ": ", sizeof(name) + 1},
#include "http/header.def"
#undef HEADER
};

#define HEADER(id, name, request, response) static_assert(sizeof(name ": ") <= NAME_ROOM, name);
#include "http/header.def"
#undef HEADER

/* The first failure stays; nothing more fits after it. */
static void fail(struct h1_writer *writer, enum h1_writer_fault fault)
{
	if (writer->fault == H1_WRITER_OK)
		writer->fault = fault;
	writer->end = writer->at;
}

static inline bool has_room(struct h1_writer *writer, size_t needed)
{
	if ((size_t)(writer->end - writer->at) >= needed)
		return true;
	fail(writer, H1_WRITER_FULL);
	return false;
}

static inline void put(struct h1_writer *writer, struct span bytes)
{
	if (bytes.len > 0)
		memcpy(writer->at, bytes.ptr, bytes.len);
	writer->at += bytes.len;
}

static inline void put_line_end(struct h1_writer *writer)
{
	memcpy(writer->at, "\r\n", 2);
	writer->at += 2;
}

static inline void put_field_start(struct h1_writer *writer, const struct field_start *start)
{
	/* a fixed size is two stores; the bytes behind the name are written over */
	if (writer->end - writer->at >= NAME_ROOM)
		memcpy(writer->at, start->text, NAME_ROOM);
	else
		memcpy(writer->at, start->text, start->length);
	writer->at += start->length;
}

/* A value and the line's end. On a control byte nothing of the line, begun at `line`, stays. */
static inline void put_value(struct h1_writer *writer, struct span value, char *line)
{
	if (value.len > 0 && !scan_copy(writer->at, value.ptr, value.len)) {
		writer->at = line;
		fail(writer, H1_WRITER_CHECK);
		return;
	}
	writer->at += value.len;
	put_line_end(writer);
}

static bool is_target_part(struct span text)
{
	return text.len == 0 || scan_target(text.ptr, text.ptr + text.len) == text.ptr + text.len;
}

static bool is_sound_target(struct span path, struct span query)
{
	if (path.len == 0 || (path.ptr[0] != '/' && !span_equals(path, S("*"))))
		return false;
	if (span_find(path, '?') != SIZE_MAX || (query.len > 0 && query.ptr[0] != '?'))
		return false;
	return is_target_part(path) && is_target_part(query);
}

void h1_write_request_line(struct h1_writer *writer, struct span method, struct span path,
			   struct span query)
{
	const struct span version = S(" HTTP/1.1\r\n");

	if (!has_room(writer, method.len + 1 + path.len + query.len + version.len))
		return;
	if (!token_is(method, TOKEN_CHAR) || !is_sound_target(path, query)) {
		fail(writer, H1_WRITER_CHECK);
		return;
	}
	put(writer, method);
	*writer->at++ = ' ';
	put(writer, path);
	put(writer, query);
	put(writer, version);
}

void h1_write_status_line(struct h1_writer *writer, unsigned status, struct span reason)
{
	const struct span version = S("HTTP/1.1 ");
	char *line = writer->at;

	if (reason.len == 0)
		reason = h1_reason(status);
	if (!has_room(writer, version.len + 4 + reason.len + 2))
		return;
	if (status < STATUS_MIN || status > STATUS_MAX) {
		fail(writer, H1_WRITER_CHECK);
		return;
	}
	put(writer, version);
	writer->at[0] = (char)('0' + status / 100);
	writer->at[1] = (char)('0' + status / 10 % 10);
	writer->at[2] = (char)('0' + status % 10);
	writer->at[3] = ' ';
	writer->at += 4;
	put_value(writer, reason, line);
}

void h1_write_field(struct h1_writer *writer, enum header_id id, struct span value)
{
	const struct field_start *start = &field_starts[id];
	char *line = writer->at;

	BUG_ON(id == HEADER_OTHER || (unsigned)id >= HEADER_COUNT);
	if (!has_room(writer, start->length + value.len + 2))
		return;
	if (id == HEADER_HOST && !token_is(value, TOKEN_HOST)) {
		fail(writer, H1_WRITER_CHECK);
		return;
	}
	put_field_start(writer, start);
	put_value(writer, value, line);
}

void h1_write_header(struct h1_writer *writer, const struct header *header)
{
	struct span name = header->name;
	char *line = writer->at;

	if (!has_room(writer, name.len + 2 + header->value.len + 2))
		return;
	if (!token_is(name, TOKEN_CHAR)) {
		fail(writer, H1_WRITER_CHECK);
		return;
	}
	put(writer, name);
	memcpy(writer->at, ": ", 2);
	writer->at += 2;
	put_value(writer, header->value, line);
}

void h1_write_field_number(struct h1_writer *writer, enum header_id id, uint64_t value)
{
	char digits[DIGITS_MAX];
	size_t at = DIGITS_MAX;

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	h1_write_field(writer, id, (struct span){digits + at, DIGITS_MAX - at});
}

void h1_write_literal(struct h1_writer *writer, struct span bytes)
{
	if (has_room(writer, bytes.len))
		put(writer, bytes);
}

void h1_write_end(struct h1_writer *writer)
{
	if (has_room(writer, 2))
		put_line_end(writer);
}

struct span h1_reason(unsigned status)
{
	static const struct {
		uint16_t status;
		struct span text;
	} reasons[] = {
		{100, S("Continue")},
		{101, S("Switching Protocols")},
		{103, S("Early Hints")},
		{200, S("OK")},
		{201, S("Created")},
		{202, S("Accepted")},
		{203, S("Non-Authoritative Information")},
		{204, S("No Content")},
		{205, S("Reset Content")},
		{206, S("Partial Content")},
		{300, S("Multiple Choices")},
		{301, S("Moved Permanently")},
		{302, S("Found")},
		{303, S("See Other")},
		{304, S("Not Modified")},
		{305, S("Use Proxy")},
		{307, S("Temporary Redirect")},
		{308, S("Permanent Redirect")},
		{400, S("Bad Request")},
		{401, S("Unauthorized")},
		{402, S("Payment Required")},
		{403, S("Forbidden")},
		{404, S("Not Found")},
		{405, S("Method Not Allowed")},
		{406, S("Not Acceptable")},
		{407, S("Proxy Authentication Required")},
		{408, S("Request Timeout")},
		{409, S("Conflict")},
		{410, S("Gone")},
		{411, S("Length Required")},
		{412, S("Precondition Failed")},
		{413, S("Content Too Large")},
		{414, S("URI Too Long")},
		{415, S("Unsupported Media Type")},
		{416, S("Range Not Satisfiable")},
		{417, S("Expectation Failed")},
		{421, S("Misdirected Request")},
		{422, S("Unprocessable Content")},
		{425, S("Too Early")},
		{426, S("Upgrade Required")},
		{428, S("Precondition Required")},
		{429, S("Too Many Requests")},
		{431, S("Request Header Fields Too Large")},
		{500, S("Internal Server Error")},
		{501, S("Not Implemented")},
		{502, S("Bad Gateway")},
		{503, S("Service Unavailable")},
		{504, S("Gateway Timeout")},
		{505, S("HTTP Version Not Supported")},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return (struct span){NULL, 0};
}
