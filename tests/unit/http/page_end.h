/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that end where memory ends: the page behind them cannot be read, so a parser that looks one
 * byte too far dies. The memory is mapped once and used again by the next call.
 */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/span.h"

enum { PAGE_END_ROOM = 1 << 18, PAGE_END_GUARD = 1 << 16 };

/* Room for length bytes, the last of which is the last that can be read. */
static inline char *page_end_room(size_t length)
{
	static char *map;

	if (map == NULL) {
		map = mmap(NULL, PAGE_END_ROOM + PAGE_END_GUARD, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (map == MAP_FAILED ||
		    mprotect(map + PAGE_END_ROOM, PAGE_END_GUARD, PROT_NONE) == -1)
			abort();
	}
	if (length > PAGE_END_ROOM)
		abort();
	return map + PAGE_END_ROOM - length;
}

static inline struct span page_end_copy(struct span bytes)
{
	char *room = page_end_room(bytes.len);

	if (bytes.len > 0)
		memcpy(room, bytes.ptr, bytes.len);
	return (struct span){room, bytes.len};
}
