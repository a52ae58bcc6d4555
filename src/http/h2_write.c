/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_write.h"

#include <string.h>

#include "http/scan.h"
#include "http/token.h"

enum { NAME_ROOM = 32, STATUS_MIN = 100, STATUS_MAX = 599 };

/* Workers have one thread and lists are copied before the next is begun, so one serves for all: on the
 * stack it would be cleared for each head. */
static nghttp2_nv scratch[H2_WRITE_FIELDS_MAX];

/* The names of header.def as HTTP/2 has them. Filled before main, and never written again. */
static char lower_names[HEADER_COUNT][NAME_ROOM];

static char lower(char byte)
{
	return token_byte_is(byte, TOKEN_UPPER) ? (char)(byte | 0x20) : byte;
}

__attribute__((constructor)) static void fill_lower_names(void)
{
	static const char *const names[HEADER_COUNT] = {
#define HEADER(id, name, request, response) [HEADER_##id] = name,
#include "http/header.def"
#undef HEADER
	};

	for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
		for (size_t i = 0; names[id][i] != '\0'; i++)
			lower_names[id][i] = lower(names[id][i]);
}

struct h2_writer h2_writer_begin(struct arena *arena)
{
	return (struct h2_writer){.fields = scratch, .arena = arena};
}

static void fail(struct h2_writer *writer, enum fault fault)
{
	if (writer->fault == FAULT_NONE)
		writer->fault = fault;
}

static void add(struct h2_writer *writer, struct span name, struct span value, uint8_t flags)
{
	if (writer->count == H2_WRITE_FIELDS_MAX) {
		fail(writer, FAULT_WRITER_CHECK);
		return;
	}
	if (value.len == 0)
		value.ptr = "";
	writer->fields[writer->count++] = (nghttp2_nv){
		.name = (uint8_t *)name.ptr,
		.namelen = name.len,
		.value = (uint8_t *)value.ptr,
		.valuelen = value.len,
		.flags = flags,
	};
}

static bool is_value(struct span value)
{
	return value.len == 0 ||
	       scan_control(value.ptr, value.ptr + value.len) == value.ptr + value.len;
}

void h2_write_pseudo(struct h2_writer *writer, struct span name, struct span value)
{
	if (!is_value(value))
		fail(writer, FAULT_WRITER_CHECK);
	add(writer, name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

void h2_write_status(struct h2_writer *writer, unsigned status)
{
	static char text[3];

	if (status < STATUS_MIN || status > STATUS_MAX || status == 101) {
		fail(writer, FAULT_WRITER_CHECK);
		return;
	}
	text[0] = (char)('0' + status / 100);
	text[1] = (char)('0' + status / 10 % 10);
	text[2] = (char)('0' + status % 10);
	add(writer, S(":status"), span_make(text, sizeof(text)), NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

/* The name without capitals, or nothing where it is no name. */
static struct span lower_name(struct h2_writer *writer, const struct header *header)
{
	struct span name = header->name;
	bool has_upper = false;
	char *copy;

	if (header->id != HEADER_OTHER)
		return span_make(lower_names[header->id],
				 header_name((enum header_id)header->id).len);
	if (!token_is(name, TOKEN_CHAR)) {
		fail(writer, FAULT_WRITER_CHECK);
		return (struct span){NULL, 0};
	}
	for (size_t i = 0; i < name.len; i++)
		has_upper |= token_byte_is(name.ptr[i], TOKEN_UPPER);
	if (!has_upper)
		return name;
	copy = arena_take_bytes(writer->arena, name.len);
	if (copy == NULL) {
		fail(writer, FAULT_OUT_OF_MEMORY);
		return (struct span){NULL, 0};
	}
	for (size_t i = 0; i < name.len; i++)
		copy[i] = lower(name.ptr[i]);
	return span_make(copy, name.len);
}

/* RFC 9113, 8.2.2, 8.3.1. */
static bool may_stand(const struct header *header)
{
	switch (header->id) {
	case HEADER_HOST:
	case HEADER_CONNECTION:
	case HEADER_KEEP_ALIVE:
	case HEADER_PROXY_CONNECTION:
	case HEADER_TRANSFER_ENCODING:
	case HEADER_UPGRADE:
	case HEADER_HTTP2_SETTINGS:
		return false;
	case HEADER_TE:
		return span_equals_nocase(header->value, S("trailers"));
	default: /* an id is a number: no constant is forgotten here */
		return true;
	}
}

/* Secrets stay out of the table that later fields, maybe of other clients, are compressed with (RFC
 * 7541, 7.1). */
static bool is_secret(const struct header *header)
{
	return header->id == HEADER_AUTHORIZATION || header->id == HEADER_COOKIE ||
	       header->id == HEADER_SET_COOKIE;
}

void h2_write_headers(struct h2_writer *writer, const struct header *headers, uint32_t count)
{
	const unsigned flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;

	for (uint32_t i = 0; i < count && writer->fault == FAULT_NONE; i++) {
		const struct header *header = &headers[i];
		unsigned secret = is_secret(header) ? NGHTTP2_NV_FLAG_NO_INDEX : 0;
		struct span name;

		if (header->dropped)
			continue;
		if (!may_stand(header) || !is_value(header->value)) {
			fail(writer, FAULT_WRITER_CHECK);
			return;
		}
		name = lower_name(writer, header);
		if (writer->fault == FAULT_NONE)
			add(writer, name, header->value, (uint8_t)(flags | secret));
	}
}
