/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

enum { ARENA_ALIGN = 16, ARENA_BLOCK_MIN = 1024, ARENA_BLOCK_MAX = 64 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t size;
};

static_assert(sizeof(struct arena_block) % ARENA_ALIGN == 0, "blocks keep the alignment");

void arena_init(struct arena *arena, void *first, size_t first_size, size_t limit_bytes)
{
	BUG_ON((uintptr_t)first % ARENA_ALIGN != 0);
	*arena = (struct arena){
		.at = first,
		.end = first == NULL ? NULL : (char *)first + first_size,
		.limit = limit_bytes,
	};
}

void arena_fini(struct arena *arena)
{
	while (arena->blocks != NULL) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		free(block);
	}
	*arena = (struct arena){0};
}

/* Each block doubles what was taken so far, so that the number of blocks grows with the logarithm. */
static size_t block_size(const struct arena *arena, size_t needed)
{
	size_t size = arena->taken < ARENA_BLOCK_MIN ? ARENA_BLOCK_MIN : arena->taken;

	if (size > ARENA_BLOCK_MAX)
		size = ARENA_BLOCK_MAX;
	return size < needed ? needed : size;
}

static bool add_block(struct arena *arena, size_t needed)
{
	size_t size;
	struct arena_block *block;

	BUG_ON(needed > SIZE_MAX / 2);
	size = block_size(arena, needed + sizeof(*block));
	if (arena->limit != SIZE_MAX && size > arena->limit - arena->taken) {
		size = needed + sizeof(*block);
		if (size > arena->limit - arena->taken)
			return false;
	}
	block = malloc(size);
	if (block == NULL) {
		BUG_ON(arena->limit == SIZE_MAX);
		return false;
	}
	*block = (struct arena_block){.next = arena->blocks, .size = size};
	arena->blocks = block;
	arena->taken += size;
	arena->at = (char *)(block + 1);
	arena->end = (char *)block + size;
	return true;
}

static size_t padding(const char *at)
{
	return -(uintptr_t)at & (ARENA_ALIGN - 1);
}

/* Free bytes of the current block. Where there is none yet, even a piece of nothing needs one: NULL is failure. */
static size_t left(const struct arena *arena)
{
	return (size_t)(arena->end - arena->at);
}

void *arena_take(struct arena *arena, size_t size)
{
	size_t pad = padding(arena->at);
	char *piece;

	if (left(arena) < pad || left(arena) - pad < size || arena->at == NULL) {
		if (!add_block(arena, size))
			return NULL;
		pad = 0;
	}
	piece = arena->at + pad;
	arena->at = piece + size;
	return piece;
}

void *arena_take_zero(struct arena *arena, size_t size)
{
	void *piece = arena_take(arena, size);

	return piece == NULL ? NULL : memset(piece, 0, size);
}

char *arena_take_bytes(struct arena *arena, size_t size)
{
	char *piece;

	if ((left(arena) < size || arena->at == NULL) && !add_block(arena, size))
		return NULL;
	piece = arena->at;
	arena->at += size;
	return piece;
}

struct span arena_copy(struct arena *arena, struct span text)
{
	char *bytes = arena_take_bytes(arena, text.len + 1);

	if (bytes == NULL)
		return (struct span){NULL, 0};
	if (text.len > 0)
		memcpy(bytes, text.ptr, text.len);
	bytes[text.len] = '\0';
	return (struct span){bytes, text.len};
}

struct span arena_vprintf(struct arena *arena, const char *format, va_list args)
{
	va_list again;
	int length;
	char *bytes;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	BUG_ON(length < 0);
	bytes = arena_take_bytes(arena, (size_t)length + 1);
	BUG_ON(bytes == NULL);
	vsnprintf(bytes, (size_t)length + 1, format, again);
	va_end(again);
	return (struct span){bytes, (size_t)length};
}

struct span arena_printf(struct arena *arena, const char *format, ...)
{
	struct span text;
	va_list args;

	va_start(args, format);
	text = arena_vprintf(arena, format, args);
	va_end(args);
	return text;
}
