/* SPDX-License-Identifier: Apache-2.0 */
/* Small numbers for things with a text key: a thing keeps its number while it lives, and a number that was given
 * back rests as long as it can. Each time a number gets another meaning its incarnation grows.
 *
 * Which number is next depends on nothing but the calls so far.
 */
#pragma once

#include "base/map.h"

#define NUMBERS_NONE UINT32_MAX

/* A thing that has a number: part of its owner's struct. */
struct numbered {
	struct map_entry by_key; /* by_key.key is set by the owner */
	uint32_t number;
	uint32_t incarnation; /* never 0 */
};

struct numbers {
	uint32_t end; /* numbers at and above were never given; the first is 0 or what init said */
	uint32_t limit;          /* none is as large */
	struct numbered **taken; /* by number; NULL: free */
	uint32_t *incarnations;  /* by number; private to numbers.c, with all that follows */
	uint32_t *next_free;     /* by number: the one given back after it */
	size_t taken_room, incarnation_room, next_room;
	uint32_t
		seed; /* incarnations begin above it; the owner may set it before anything is added */
	uint32_t oldest_free;
	uint32_t newest_free;
	uint32_t free_count;
	struct map by_key;
};

/* Numbers from first up to limit - 1. */
void numbers_init(struct numbers *numbers, uint32_t first, uint32_t limit);

/* What still has a number belongs to the caller. */
void numbers_fini(struct numbers *numbers);

/* NULL when nothing has that key. */
struct numbered *numbers_find(const struct numbers *numbers, struct span key);

/* Gives a number to a thing whose key has none. False: all are taken. */
bool numbers_add(struct numbers *numbers, struct numbered *thing);

/* The number is free again. */
void numbers_remove(struct numbers *numbers, struct numbered *thing);
