/* SPDX-License-Identifier: Apache-2.0 */
/* For every fuzz target: what must hold, and inputs behind which nothing lies. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A property that every input must have; without it the input is a finding. */
#define MUST(condition)                                                                         \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

/* A copy that ends where the allocation does, so that a read behind it is seen. The caller frees. */
static inline char *guarded_copy(const uint8_t *bytes, size_t size)
{
	char *copy = malloc(size == 0 ? 1 : size);

	MUST(copy != NULL);
	if (size > 0)
		memcpy(copy, bytes, size);
	return copy;
}
