/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <stdbool.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bug.h"
#include "base/memory.h"
#include "base/random.h"

static uint64_t seed;

static uint64_t hash_of(struct span key)
{
	if (seed == 0) {
		random_secret(&seed, sizeof(seed));
		seed |= 1;
	}
	return XXH3_64bits_withSeed(key.len == 0 ? "" : key.ptr, key.len, seed);
}

static struct map_entry **bucket_of(const struct map *map, uint64_t hash)
{
	return &map->buckets[hash & (map->bucket_count - 1)];
}

void map_init(struct map *map)
{
	*map = (struct map){0};
}

void map_fini(struct map *map)
{
	free(map->buckets);
	*map = (struct map){0};
}

struct map_entry *map_find(const struct map *map, struct span key)
{
	uint64_t hash;

	if (map->count == 0)
		return NULL;
	hash = hash_of(key);
	for (struct map_entry *entry = *bucket_of(map, hash); entry != NULL; entry = entry->next)
		if (entry->hash == hash && span_equals(entry->key, key))
			return entry;
	return NULL;
}

static void grow(struct map *map)
{
	struct map bigger = {
		.bucket_count = map->bucket_count == 0 ? 16 : map->bucket_count * 2,
		.count = map->count,
	};

	bigger.buckets = memory_new_array(bigger.bucket_count, sizeof(struct map_entry *));
	for (size_t i = 0; i < map->bucket_count; i++) {
		while (map->buckets[i] != NULL) {
			struct map_entry *entry = map->buckets[i];
			struct map_entry **bucket = bucket_of(&bigger, entry->hash);

			map->buckets[i] = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	}
	free(map->buckets);
	*map = bigger;
}

void map_add(struct map *map, struct map_entry *entry)
{
	struct map_entry **bucket;

	if (map->count >= map->bucket_count)
		grow(map);
	entry->hash = hash_of(entry->key);
	bucket = bucket_of(map, entry->hash);
	entry->next = *bucket;
	*bucket = entry;
	map->count++;
}

void map_remove(struct map *map, struct map_entry *entry)
{
	struct map_entry **at = bucket_of(map, entry->hash);

	while (*at != entry) {
		BUG_ON(*at == NULL);
		at = &(*at)->next;
	}
	*at = entry->next;
	map->count--;
}

struct map_entry *map_next(const struct map *map, struct map_entry *last)
{
	size_t i = 0;

	if (map->bucket_count == 0)
		return NULL;
	if (last != NULL) {
		/* the link of a removed entry still leads on: map_remove leaves it alone */
		if (last->next != NULL)
			return last->next;
		i = (last->hash & (map->bucket_count - 1)) + 1;
	}
	for (; i < map->bucket_count; i++)
		if (map->buckets[i] != NULL)
			return map->buckets[i];
	return NULL;
}
