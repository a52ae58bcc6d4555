/* SPDX-License-Identifier: Apache-2.0 */
/* Heap memory for control and cli, where an allocation that fails ends the process and the last
 * table serves on. Workers take what traffic causes from slabs and arenas, with limits.
 */
#pragma once

#include <stddef.h>

/* Never NULL; the bytes are zero. */
void *memory_new(size_t size) __attribute__((malloc, returns_nonnull));

/* An array of count zeroed elements; the product may not overflow. */
void *memory_new_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* As realloc; new bytes are not cleared. */
void *memory_resize(void *old, size_t size) __attribute__((returns_nonnull));

/* Grows an array so that it holds `needed` elements: doubles *capacity and returns the array.
 * items may be NULL while *capacity is 0. */
void *memory_grow_array(void *items, size_t *capacity, size_t needed, size_t size)
	__attribute__((returns_nonnull));
