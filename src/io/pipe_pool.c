/* SPDX-License-Identifier: Apache-2.0 */
#include "io/pipe_pool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bug.h"

void pipe_pool_init(struct pipe_pool *pool, uint32_t limit)
{
	*pool = (struct pipe_pool){.limit = limit};
}

static void pipe_close(struct pipe_pool *pool, struct pipe *pipe)
{
	close(pipe->read_fd);
	close(pipe->write_fd);
	free(pipe);
	pool->count--;
}

void pipe_pool_fini(struct pipe_pool *pool)
{
	while (pool->free != NULL) {
		struct pipe *pipe = pool->free;

		pool->free = pipe->next;
		pipe_close(pool, pipe);
	}
	BUG_ON(pool->count != 0);
}

static struct pipe *pipe_new(struct pipe_pool *pool)
{
	struct pipe *pipe;
	int fds[2];

	if (pool->count == pool->limit || pipe2(fds, O_NONBLOCK | O_CLOEXEC) == -1)
		return NULL;
	pipe = malloc(sizeof(*pipe));
	/* where the user's share of pipe memory is used up, a copy is cheaper than a small pipe */
	if (pipe == NULL || fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES) == -1) {
		free(pipe);
		close(fds[0]);
		close(fds[1]);
		return NULL;
	}
	*pipe = (struct pipe){.read_fd = fds[0], .write_fd = fds[1]};
	pool->count++;
	return pipe;
}

struct pipe *pipe_pool_take(struct pipe_pool *pool)
{
	struct pipe *pipe = pool->free;

	if (pipe == NULL)
		return pipe_new(pool);
	pool->free = pipe->next;
	pool->kept--;
	return pipe;
}

void pipe_pool_give(struct pipe_pool *pool, struct pipe *pipe)
{
	if (pipe == NULL)
		return;
	if (pipe->filled > 0 || pool->kept == PIPES_KEPT_MAX) {
		pipe_close(pool, pipe);
		return;
	}
	pool->kept++;
	pipe->next = pool->free;
	pool->free = pipe;
}
