/* SPDX-License-Identifier: Apache-2.0 */
/* Memory with one end: pieces are taken one after the other and all go at once.
 *
 * An exchange, an object of the store, a model own one each. Nothing in an arena is freed piece by
 * piece. The first block may lie in memory that the owner provides, so that a small use never
 * reaches the heap. Not for keys: see the rules for wiped memory.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct arena_block;

struct arena {
	char *at;                   /* next free byte of the current block */
	char *end;                  /* end of the current block */
	struct arena_block *blocks; /* those from the heap, newest first */
	size_t taken;               /* bytes in those */
	size_t limit;               /* what `taken` may not pass */
};

/* first: borrowed until arena_fini, aligned to 16, may be NULL with size 0. limit_bytes bounds what
 * comes from the heap besides; SIZE_MAX: no bound, and then a failed allocation ends the process. */
void arena_init(struct arena *arena, void *first, size_t first_size, size_t limit_bytes);

/* Gives the blocks back. The arena must be initialised anew before it is used again. */
void arena_fini(struct arena *arena);

/* Aligned to 16, not cleared. NULL when the limit is reached (never with limit SIZE_MAX). */
void *arena_take(struct arena *arena, size_t size) __attribute__((malloc));

/* The same, cleared. */
void *arena_take_zero(struct arena *arena, size_t size) __attribute__((malloc));

/* Bytes without alignment; NULL as above. */
char *arena_take_bytes(struct arena *arena, size_t size) __attribute__((malloc));

/* A copy, NUL-terminated behind its length. {NULL, 0} when the limit is reached. */
struct span arena_copy(struct arena *arena, struct span text);

/* Formatted text, NUL-terminated behind its length; only in arenas without limit. */
struct span arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
struct span arena_vprintf(struct arena *arena, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
