/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of one size, taken and given back in any order, the last one given back first taken.
 *
 * Blocks of objects come from the heap up to a limit and stay until slab_fini, so that a worker at
 * work never allocates. One owner, no locks.
 */
#pragma once

#include <stddef.h>

struct slab_free;
struct slab_block;

struct slab {
	struct slab_free *free;
	struct slab_block *blocks;
	size_t object_size; /* rounded up to 16 */
	size_t per_block;
	size_t count; /* objects in use */
	size_t limit; /* objects that may be in use */
};

void slab_init(struct slab *slab, size_t object_size, size_t per_block, size_t limit);

/* Every object must have been given back or be of no more use. */
void slab_fini(struct slab *slab);

/* Aligned to 16, not cleared; NULL at the limit or without memory. */
void *slab_take(struct slab *slab);

void slab_give(struct slab *slab, void *object);
