/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table from text to a struct that carries its own link: intrusive, chained, grows by
 * doubling. Keys are borrowed from the entries and must not change while they are in the map. The
 * hash is XXH3 with a secret seed, so that names chosen by a tenant cannot be made to collide.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct map_entry {
	struct map_entry *next; /* private to map.c */
	uint64_t hash;          /* private to map.c */
	struct span key;        /* points into the struct around the entry */
};

struct map {
	struct map_entry **buckets; /* private to map.c */
	size_t bucket_count;        /* private to map.c; a power of two, or 0 */
	size_t count;               /* entries */
};

void map_init(struct map *map);

/* The entries belong to the caller and are not touched. */
void map_fini(struct map *map);

struct map_entry *map_find(const struct map *map, struct span key);

/* entry->key is set and not in the map. */
void map_add(struct map *map, struct map_entry *entry);

/* The entry is in the map. */
void map_remove(struct map *map, struct map_entry *entry);

/* Walks all entries in no order: start with NULL, ends with NULL. The entry returned last may be
 * removed, and nothing may be added meanwhile. */
struct map_entry *map_next(const struct map *map, struct map_entry *last);
