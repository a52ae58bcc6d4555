/* SPDX-License-Identifier: Apache-2.0 */
/* Text that lies at the end of a page with an unreadable page behind it: a read past its end dies. */
#pragma once

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/span.h"

struct edge_text {
	char *map;
	size_t map_size;
	struct span text;
};

static inline struct edge_text edge_text_new(struct span text)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (text.len + page - 1) / page * page;
	char *map = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);

	assert(map != MAP_FAILED);
	assert(mprotect(map + size, page, PROT_NONE) == 0);
	if (text.len > 0)
		memcpy(map + size - text.len, text.ptr, text.len);
	return (struct edge_text){map, size + page, span_make(map + size - text.len, text.len)};
}

static inline void edge_text_free(struct edge_text *edge)
{
	munmap(edge->map, edge->map_size);
}
