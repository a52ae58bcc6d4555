/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object/position.h"

#include <string.h>

#include "base/bug.h"

/* A record: bytes shared with the path before, length of the rest, the rest, lines since the record before (as a
 * signed number: anchors lead back), column. Numbers in groups of seven bits, the lowest first. */
struct reader {
	const unsigned char *at;
	const unsigned char *end;
	char path[POSITION_PATH_MAX];
	size_t length;
	struct position position;
};

static void put_number(struct buf *bytes, uint32_t number)
{
	while (number >= 0x80) {
		buf_add_byte(bytes, (char)(number | 0x80));
		number >>= 7;
	}
	buf_add_byte(bytes, (char)number);
}

/* Small for small distances in both directions. */
static uint32_t fold(int64_t distance)
{
	return (uint32_t)(distance < 0 ? -distance * 2 - 1 : distance * 2);
}

static uint32_t unfold(uint32_t before, uint32_t folded)
{
	return folded % 2 == 1 ? before - folded / 2 - 1 : before + folded / 2;
}

static size_t shared_length(struct span a, struct span b)
{
	size_t length = 0;

	while (length < a.len && length < b.len && a.ptr[length] == b.ptr[length])
		length++;
	return length;
}

void position_add(struct position_writer *writer, struct span path, struct position at)
{
	size_t shared = shared_length(buf_span(&writer->last), path);

	BUG_ON(path.len > POSITION_PATH_MAX);
	put_number(&writer->bytes, (uint32_t)shared);
	put_number(&writer->bytes, (uint32_t)(path.len - shared));
	buf_add(&writer->bytes, span_skip(path, shared));
	put_number(&writer->bytes, fold((int64_t)at.line - writer->line));
	put_number(&writer->bytes, at.column);
	writer->line = at.line;
	buf_clear(&writer->last);
	buf_add(&writer->last, path);
}

static uint32_t take_number(struct reader *reader)
{
	uint32_t number = 0;

	for (unsigned shift = 0;; shift += 7) {
		BUG_ON(reader->at == reader->end || shift > 28);
		number |= (uint32_t)(*reader->at & 0x7f) << shift;
		if ((*reader->at++ & 0x80) == 0)
			return number;
	}
}

/* The bytes are a writer's: what does not fit is a bug. */
static bool next(struct reader *reader)
{
	size_t shared;
	size_t rest;

	if (reader->at == reader->end)
		return false;
	shared = take_number(reader);
	rest = take_number(reader);
	BUG_ON(shared > reader->length || rest > sizeof(reader->path) - shared ||
	       rest > (size_t)(reader->end - reader->at));
	memcpy(reader->path + shared, reader->at, rest);
	reader->at += rest;
	reader->length = shared + rest;
	reader->position.line = unfold(reader->position.line, take_number(reader));
	reader->position.column = take_number(reader);
	return true;
}

/* Whether the path of the reader is that one or leads to it. */
static bool leads_to(const struct reader *reader, struct span path)
{
	if (!span_starts_with(path, span_make(reader->path, reader->length)))
		return false;
	return path.len == reader->length || path.ptr[reader->length] == '.' ||
	       path.ptr[reader->length] == '[';
}

bool position_find(struct span positions, struct span path, struct position *at)
{
	const unsigned char *bytes = (const unsigned char *)positions.ptr;
	struct reader reader;
	size_t best = 0;

	reader.at = bytes;
	reader.end = bytes + positions.len;
	reader.length = 0;
	reader.position = (struct position){0};
	while (next(&reader)) {
		if (reader.length <= best || !leads_to(&reader, path))
			continue;
		best = reader.length;
		*at = reader.position;
	}
	return best > 0;
}
