/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/pattern_store.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"

struct kept {
	struct map_entry by_text;
	struct list used;        /* the one used last comes last */
	struct pattern *pattern; /* NULL: it is none */
	char text[];
};

struct pattern_store {
	struct map by_text;
	struct list used;
};

struct pattern_store *pattern_store_new(void)
{
	struct pattern_store *store = memory_new(sizeof(*store));

	map_init(&store->by_text);
	list_init(&store->used);
	return store;
}

static void drop(struct pattern_store *store, struct kept *kept)
{
	map_remove(&store->by_text, &kept->by_text);
	list_remove(&kept->used);
	pattern_free(kept->pattern);
	free(kept);
}

void pattern_store_free(struct pattern_store *store)
{
	if (store == NULL)
		return;
	list_for_each_safe (link, &store->used)
		drop(store, container_of(link, struct kept, used));
	map_fini(&store->by_text);
	free(store);
}

static struct kept *add(struct pattern_store *store, struct span text)
{
	struct kept *kept = memory_new(sizeof(*kept) + text.len);
	struct error err;

	while (store->by_text.count >= PATTERNS_MAX)
		drop(store, container_of(list_first(&store->used), struct kept, used));
	memcpy(kept->text, text.ptr, text.len);
	kept->by_text.key = span_make(kept->text, text.len);
	kept->pattern = pattern_new(kept->by_text.key, &err);
	map_add(&store->by_text, &kept->by_text);
	list_add_last(&store->used, &kept->used);
	return kept;
}

const struct pattern *pattern_store_get(struct pattern_store *store, struct span text)
{
	struct map_entry *entry = map_find(&store->by_text, text);
	struct kept *kept;

	if (entry == NULL)
		return add(store, text)->pattern;
	kept = container_of(entry, struct kept, by_text);
	list_remove(&kept->used);
	list_add_last(&store->used, &kept->used);
	return kept->pattern;
}
