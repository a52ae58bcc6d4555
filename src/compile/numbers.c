/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/numbers.h"

#include <stdlib.h>

#include "base/memory.h"

/* So many numbers rest before one is used again: long enough that nobody remembers its last meaning, and
 * few enough that tables stay as long as what is in them. */
enum { RESTING = 1024 };

void numbers_init(struct numbers *numbers, uint32_t first, uint32_t limit)
{
	*numbers = (struct numbers){
		.end = first,
		.limit = limit,
		.oldest_free = NUMBERS_NONE,
		.newest_free = NUMBERS_NONE,
	};
	map_init(&numbers->by_key);
	if (first > 0)
		numbers->taken = memory_grow_array(NULL, &numbers->taken_room, first,
						   sizeof(*numbers->taken));
	for (uint32_t i = 0; i < first; i++)
		numbers->taken[i] = NULL;
}

void numbers_fini(struct numbers *numbers)
{
	free(numbers->taken);
	free(numbers->incarnations);
	free(numbers->next_free);
	map_fini(&numbers->by_key);
}

struct numbered *numbers_find(const struct numbers *numbers, struct span key)
{
	return (struct numbered *)map_find(&numbers->by_key, key);
}

static uint32_t take_oldest(struct numbers *numbers)
{
	uint32_t number = numbers->oldest_free;

	if (number == NUMBERS_NONE)
		return NUMBERS_NONE;
	numbers->oldest_free = numbers->next_free[number];
	if (numbers->oldest_free == NUMBERS_NONE)
		numbers->newest_free = NUMBERS_NONE;
	numbers->free_count--;
	return number;
}

static uint32_t take_new(struct numbers *numbers)
{
	uint32_t number = numbers->end++;
	size_t needed = (size_t)number + 1;

	numbers->taken = memory_grow_array(numbers->taken, &numbers->taken_room, needed,
					   sizeof(*numbers->taken));
	numbers->incarnations = memory_grow_array(numbers->incarnations, &numbers->incarnation_room,
						  needed, sizeof(*numbers->incarnations));
	numbers->next_free = memory_grow_array(numbers->next_free, &numbers->next_room, needed,
					       sizeof(*numbers->next_free));
	numbers->incarnations[number] = numbers->seed;
	return number;
}

static uint32_t take(struct numbers *numbers)
{
	if (numbers->end < numbers->limit && numbers->free_count <= RESTING)
		return take_new(numbers);
	return take_oldest(numbers);
}

bool numbers_add(struct numbers *numbers, struct numbered *thing)
{
	uint32_t number = take(numbers);

	if (number == NUMBERS_NONE)
		return false;
	if (++numbers->incarnations[number] == 0)
		numbers->incarnations[number] = 1;
	thing->number = number;
	thing->incarnation = numbers->incarnations[number];
	numbers->taken[number] = thing;
	map_add(&numbers->by_key, &thing->by_key);
	return true;
}

void numbers_remove(struct numbers *numbers, struct numbered *thing)
{
	uint32_t number = thing->number;

	map_remove(&numbers->by_key, &thing->by_key);
	numbers->taken[number] = NULL;
	numbers->next_free[number] = NUMBERS_NONE;
	if (numbers->newest_free == NUMBERS_NONE)
		numbers->oldest_free = number;
	else
		numbers->next_free[numbers->newest_free] = number;
	numbers->newest_free = number;
	numbers->free_count++;
}
