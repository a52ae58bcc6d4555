/* SPDX-License-Identifier: Apache-2.0 */
/* Lists by name: a name has a list while something is in it. Links are fields of the owners' structs, as in list.h;
 * names are copied. For control and cli, as memory.h.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"

struct list_map {
	struct map lists; /* private to list_map.c */
};

void list_map_init(struct list_map *map);

/* Links that are still in it belong to their owners. */
void list_map_fini(struct list_map *map);

/* NULL: nothing has that name. */
struct list *list_map_find(const struct list_map *map, struct span name);

/* Behind all that have that name. The link is in no list. */
void list_map_add(struct list_map *map, struct span name, struct list *link);

/* Harmless for a link that is in no list; else it was added under that name. */
void list_map_remove(struct list_map *map, struct span name, struct list *link);
