/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/memory.h"

struct named_list {
	struct map_entry by_name;
	struct list list;
	char name[];
};

static struct named_list *named_list_of(struct map_entry *entry)
{
	return entry == NULL ? NULL : container_of(entry, struct named_list, by_name);
}

void list_map_init(struct list_map *map)
{
	map_init(&map->lists);
}

void list_map_fini(struct list_map *map)
{
	struct map_entry *entry = map_next(&map->lists, NULL);

	while (entry != NULL) {
		struct named_list *named = named_list_of(entry);

		entry = map_next(&map->lists, entry);
		free(named);
	}
	map_fini(&map->lists);
}

struct list *list_map_find(const struct list_map *map, struct span name)
{
	struct named_list *named = named_list_of(map_find(&map->lists, name));

	return named == NULL ? NULL : &named->list;
}

static struct list *add_list(struct list_map *map, struct span name)
{
	struct named_list *named = memory_new(sizeof(*named) + name.len);

	if (name.len > 0)
		memcpy(named->name, name.ptr, name.len);
	named->by_name.key = span_make(named->name, name.len);
	list_init(&named->list);
	map_add(&map->lists, &named->by_name);
	return &named->list;
}

void list_map_add(struct list_map *map, struct span name, struct list *link)
{
	struct list *list = list_map_find(map, name);

	if (list == NULL)
		list = add_list(map, name);
	list_add_last(list, link);
}

void list_map_remove(struct list_map *map, struct span name, struct list *link)
{
	struct named_list *named;

	if (list_is_empty(link))
		return;
	list_remove(link);
	named = named_list_of(map_find(&map->lists, name));
	BUG_ON(named == NULL);
	if (!list_is_empty(&named->list))
		return;
	map_remove(&map->lists, &named->by_name);
	free(named);
}
