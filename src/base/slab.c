/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/bug.h"

enum { SLAB_ALIGN = 16 };

struct slab_free {
	struct slab_free *next;
};

struct slab_block {
	struct slab_block *next;
	char pad[SLAB_ALIGN - sizeof(struct slab_block *)];
};

void slab_init(struct slab *slab, size_t object_size, size_t per_block, size_t limit)
{
	*slab = (struct slab){
		.object_size = (object_size + SLAB_ALIGN - 1) / SLAB_ALIGN * SLAB_ALIGN,
		.per_block = per_block,
		.limit = limit,
	};
}

void slab_fini(struct slab *slab)
{
	while (slab->blocks != NULL) {
		struct slab_block *block = slab->blocks;

		slab->blocks = block->next;
		free(block);
	}
	slab->free = NULL;
}

static bool add_block(struct slab *slab)
{
	struct slab_block *block = malloc(sizeof(*block) + slab->object_size * slab->per_block);

	if (block == NULL)
		return false;
	block->next = slab->blocks;
	slab->blocks = block;
	for (size_t i = slab->per_block; i-- > 0;) {
		struct slab_free *object = (void *)((char *)(block + 1) + i * slab->object_size);

		object->next = slab->free;
		slab->free = object;
	}
	return true;
}

void *slab_take(struct slab *slab)
{
	struct slab_free *object;

	if (slab->count >= slab->limit || (slab->free == NULL && !add_block(slab)))
		return NULL;
	object = slab->free;
	slab->free = object->next;
	slab->count++;
	return object;
}

void slab_give(struct slab *slab, void *object)
{
	struct slab_free *entry = object;

	BUG_ON(slab->count == 0);
	entry->next = slab->free;
	slab->free = entry;
	slab->count--;
}
