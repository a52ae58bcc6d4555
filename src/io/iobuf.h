/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers for bytes on their way: taken when something is to be read, given back when nothing is kept, so
 * that an idle connection owns none. The last one given back is the next one taken, and still in
 * the cache.
 */
#pragma once

#include <stdint.h>

#include "base/slab.h"

enum { IOBUF_ROOM = 16 * 1024 };

/*     0          start            end             room
 *     | consumed |  not looked at |  free          |     */
struct iobuf {
	uint32_t start;
	uint32_t end;
	uint32_t room;
	uint32_t reserved;
	char bytes[];
};

struct iobuf_pool {
	struct slab slab;
	size_t large;       /* bytes in buffers larger than IOBUF_ROOM */
	size_t large_limit; /* bytes */
};

void iobuf_pool_init(struct iobuf_pool *pool, size_t count_max);
void iobuf_pool_fini(struct iobuf_pool *pool);

/* An empty buffer of IOBUF_ROOM, or NULL at the limit. */
struct iobuf *iobuf_take(struct iobuf_pool *pool);

/* An empty one with at least that much room (for heads that the ConfigMap allows to be larger), or NULL. */
struct iobuf *iobuf_take_large(struct iobuf_pool *pool, size_t room);

void iobuf_give(struct iobuf_pool *pool, struct iobuf *buf);

/* Moves what lies between start and end to the front. */
void iobuf_compact(struct iobuf *buf);
