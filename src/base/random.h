/* SPDX-License-Identifier: Apache-2.0 */
/* Two sources: the kernel's, for what must not be guessed (request ids, hash keys, boundaries), read
 * in blocks so that a draw is no system call; and a fast seeded one for balancing and jitter.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Bytes that nobody can guess. Ends the process where the kernel has none. */
void random_secret(void *bytes, size_t size);

struct random {
	uint64_t state[2]; /* private to random.c */
};

/* The same seed gives the same numbers: tests print theirs. */
void random_seed(struct random *random, uint64_t seed);

uint64_t random_next(struct random *random);

/* 0 … bound-1, without bias; bound is at least 1. */
uint32_t random_below(struct random *random, uint32_t bound);
