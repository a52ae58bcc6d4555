/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object/position.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/memory.h"

/* A block costs a whole path and a number; to look through one costs its fields. */
enum { FIELDS_PER_BLOCK = 16 };

struct position_entry {
	size_t path; /* offset in writer.paths */
	size_t length;
	struct position at;
};

void position_writer_fini(struct position_writer *writer)
{
	buf_fini(&writer->paths);
	free(writer->entries);
	*writer = (struct position_writer){0};
}

void position_add(struct position_writer *writer, struct span path, struct position at)
{
	BUG_ON(path.len == 0 || path.len > POSITION_PATH_MAX);
	writer->entries = memory_grow_array(writer->entries, &writer->room, writer->count + 1,
					    sizeof(*writer->entries));
	writer->entries[writer->count++] = (struct position_entry){
		.path = writer->paths.len, .length = path.len, .at = at};
	buf_add(&writer->paths, path);
}

static struct span path_of(const struct position_writer *writer, const struct position_entry *entry)
{
	return span_make(writer->paths.ptr + entry->path, entry->length);
}

static int compare(const void *a, const void *b, void *owner)
{
	const struct position_entry *left = a;
	const struct position_entry *right = b;
	int order = span_compare(path_of(owner, left), path_of(owner, right));

	return order != 0 ? order : (left->path > right->path) - (left->path < right->path);
}

/* Seven bits in a byte, the lowest first. */
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

/* A record: bytes shared with the path before, length of the rest, the rest, lines since the record before (as a
 * signed number: paths are in another order than lines), column. */
static void put_record(struct buf *out, struct span before, uint32_t line, struct span path,
		       struct position at)
{
	size_t shared = shared_length(before, path);

	put_number(out, (uint32_t)shared);
	put_number(out, (uint32_t)(path.len - shared));
	buf_add(out, span_skip(path, shared));
	put_number(out, fold((int64_t)at.line - line));
	put_number(out, at.column);
}

/* Where blocks begin, and how many there are: four bytes each. */
static void put_fixed(struct buf *out, size_t number)
{
	uint32_t fixed = (uint32_t)number;

	buf_add(out, (struct span){(const char *)&fixed, sizeof(fixed)});
}

void position_write(struct position_writer *writer, struct buf *out)
{
	struct buf starts = {0};
	struct span before = {NULL, 0};
	uint32_t line = 0;
	size_t written = 0;

	if (writer->count == 0)
		return;
	qsort_r(writer->entries, writer->count, sizeof(*writer->entries), compare, writer);
	for (size_t i = 0; i < writer->count; i++) {
		const struct position_entry *entry = &writer->entries[i];
		struct span path = path_of(writer, entry);

		if (i > 0 && span_equals(path, path_of(writer, entry - 1)))
			continue;
		if (written++ % FIELDS_PER_BLOCK == 0) {
			put_fixed(&starts, out->len);
			before = (struct span){NULL, 0};
			line = 0;
		}
		put_record(out, before, line, path, entry->at);
		before = path;
		line = entry->at.line;
	}
	put_fixed(&starts, starts.len / sizeof(uint32_t));
	buf_add(out, buf_span(&starts));
	buf_fini(&starts);
}

/* What position_write wrote. */
struct blocks {
	const unsigned char *bytes;
	const unsigned char *starts; /* behind the last block */
	uint32_t count;
};

/* A block that is read. */
struct reader {
	const unsigned char *at;
	const unsigned char *end;
	char path[POSITION_PATH_MAX];
	size_t length;
	struct position position;
};

static uint32_t get_fixed(const unsigned char *at)
{
	uint32_t fixed;

	memcpy(&fixed, at, sizeof(fixed));
	return fixed;
}

static struct blocks blocks_of(struct span positions)
{
	const unsigned char *bytes = (const unsigned char *)positions.ptr;
	const unsigned char *count = bytes + positions.len - sizeof(uint32_t);
	struct blocks blocks = {.bytes = bytes, .count = get_fixed(count)};

	BUG_ON(blocks.count > positions.len / sizeof(uint32_t) - 1);
	blocks.starts = count - blocks.count * sizeof(uint32_t);
	return blocks;
}

static const unsigned char *start_of(const struct blocks *blocks, uint32_t block)
{
	if (block == blocks->count)
		return blocks->starts;
	return blocks->bytes + get_fixed(blocks->starts + block * sizeof(uint32_t));
}

static void begin(struct reader *reader, const struct blocks *blocks, uint32_t block)
{
	reader->at = start_of(blocks, block);
	reader->end = start_of(blocks, block + 1);
	reader->length = 0;
	reader->position = (struct position){0};
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

/* As span_compare. */
static int compare_to(const struct reader *reader, struct span path)
{
	return span_compare(span_make(reader->path, reader->length), path);
}

/* How many blocks begin with that path or one before it. */
static uint32_t count_up_to(const struct blocks *blocks, struct span path, struct reader *reader)
{
	uint32_t low = 0;
	uint32_t high = blocks->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		begin(reader, blocks, middle);
		BUG_ON(!next(reader));
		if (compare_to(reader, path) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool find_exactly(const struct blocks *blocks, struct span path, struct reader *reader)
{
	uint32_t count = count_up_to(blocks, path, reader);

	if (count == 0)
		return false;
	begin(reader, blocks, count - 1);
	while (next(reader)) {
		int order = compare_to(reader, path);

		if (order >= 0)
			return order == 0;
	}
	return false;
}

/* Without its last element; empty when it has but one. Keys in brackets may seem to be several: no harm. */
static struct span parent_of(struct span path)
{
	while (path.len > 0 && path.ptr[path.len - 1] != '.' && path.ptr[path.len - 1] != '[')
		path.len--;
	return span_take(path, path.len == 0 ? 0 : path.len - 1);
}

bool position_find(struct span positions, struct span path, struct position *at)
{
	struct reader reader;
	struct blocks blocks;

	if (positions.len == 0)
		return false;
	blocks = blocks_of(positions);
	for (; path.len > 0; path = parent_of(path)) {
		if (!find_exactly(&blocks, path, &reader))
			continue;
		*at = reader.position;
		return true;
	}
	return false;
}
