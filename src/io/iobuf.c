/* SPDX-License-Identifier: Apache-2.0 */
#include "io/iobuf.h"

#include <stdlib.h>
#include <string.h>

enum { PER_BLOCK = 8 };

void iobuf_pool_init(struct iobuf_pool *pool, size_t count_max)
{
	slab_init(&pool->slab, sizeof(struct iobuf) + IOBUF_ROOM, PER_BLOCK, count_max);
	pool->large = 0;
	pool->large_limit = count_max / 8 * IOBUF_ROOM;
}

void iobuf_pool_fini(struct iobuf_pool *pool)
{
	slab_fini(&pool->slab);
}

struct iobuf *iobuf_take(struct iobuf_pool *pool)
{
	struct iobuf *buf = slab_take(&pool->slab);

	if (buf != NULL)
		*buf = (struct iobuf){.room = IOBUF_ROOM};
	return buf;
}

struct iobuf *iobuf_take_large(struct iobuf_pool *pool, size_t room)
{
	struct iobuf *buf;

	if (room <= IOBUF_ROOM)
		return iobuf_take(pool);
	if (room > UINT32_MAX / 2 || pool->large + room > pool->large_limit)
		return NULL;
	buf = malloc(sizeof(*buf) + room);
	if (buf == NULL)
		return NULL;
	pool->large += room;
	*buf = (struct iobuf){.room = (uint32_t)room};
	return buf;
}

void iobuf_give(struct iobuf_pool *pool, struct iobuf *buf)
{
	if (buf == NULL)
		return;
	if (buf->room == IOBUF_ROOM) {
		slab_give(&pool->slab, buf);
		return;
	}
	pool->large -= buf->room;
	free(buf);
}

void iobuf_compact(struct iobuf *buf)
{
	if (buf->start == 0)
		return;
	memmove(buf->bytes, buf->bytes + buf->start, buf->end - buf->start);
	buf->end -= buf->start;
	buf->start = 0;
}
