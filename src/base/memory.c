/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

void *memory_new(size_t size)
{
	void *ptr = calloc(1, size == 0 ? 1 : size);

	BUG_ON(ptr == NULL);
	return ptr;
}

void *memory_new_array(size_t count, size_t size)
{
	BUG_ON(size != 0 && count > SIZE_MAX / size);
	return memory_new(count * size);
}

void *memory_resize(void *old, size_t size)
{
	void *ptr = realloc(old, size == 0 ? 1 : size);

	BUG_ON(ptr == NULL);
	return ptr;
}

void *memory_grow_array(void *items, size_t *capacity, size_t needed, size_t size)
{
	size_t wanted = *capacity == 0 ? 8 : *capacity;

	if (needed <= *capacity && items != NULL)
		return items;
	while (wanted < needed)
		wanted *= 2;
	BUG_ON(wanted > SIZE_MAX / size);
	*capacity = wanted;
	return memory_resize(items, wanted * size);
}
