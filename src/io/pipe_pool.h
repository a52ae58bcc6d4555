/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes through which large bodies pass from socket to socket without a copy (splice(2)). A pipe belongs to one
 * body at a time; a few empty ones are kept for the next.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { PIPE_BYTES = 256 * 1024, PIPES_KEPT_MAX = 4 };

struct pipe {
	struct pipe *next; /* private to pipe_pool.c */
	int read_fd;
	int write_fd;
	uint32_t filled; /* bytes in it; kept by who uses it */
};

struct pipe_pool {
	struct pipe *free; /* private to pipe_pool.c */
	uint32_t kept;     /* private: empty ones in store */
	uint32_t count;    /* pipes that exist */
	uint32_t limit;
};

void pipe_pool_init(struct pipe_pool *pool, uint32_t limit);

/* All pipes have been given back. */
void pipe_pool_fini(struct pipe_pool *pool);

/* An empty pipe, or NULL: the limit is reached, or descriptors are out. */
struct pipe *pipe_pool_take(struct pipe_pool *pool);

/* One that is not empty is closed, and so is one too many. */
void pipe_pool_give(struct pipe_pool *pool, struct pipe *pipe);
