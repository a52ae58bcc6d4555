/* SPDX-License-Identifier: Apache-2.0 */
/* All objects that count, decoded, with the indexes that model needs. Owned by control (or by a
 * command); model reads it and changes nothing.
 */
#pragma once

#include "kube/object/config.h"
#include "kube/object/ingress.h"
#include "kube/object/object.h"
#include "kube/object/service.h"

/* One object that changed, however often: as it was, and as it is. */
struct store_change {
	struct map_entry by_name;   /* key: as the object's */
	struct object *before;      /* NULL: there was none */
	const struct object *after; /* NULL: there is none any more */
	char name[];                /* private to store.c */
};

/* What changed since store_forget_changes, so that only what depends on it is made anew. */
struct store_changes {
	bool everything; /* too much to be told, or nothing was forgotten yet */
	struct map
		changed[OBJECT_KIND_COUNT]; /* struct store_change by_name; empty with everything */
	uint32_t count;                     /* of them */
};

/* More are not told one by one: what they were is not kept. */
enum { STORE_CHANGES_MAX = 4096 };

struct store {
	struct map objects[OBJECT_KIND_COUNT]; /* struct object by_name */
	struct map slices_by_service; /* first endpoint_slice of each "namespace/service" */
	struct store_changes changes;
};

void store_init(struct store *store);

/* Frees all objects. */
void store_fini(struct store *store);

/* Takes the object in place of an older version. An equal version (resource_version, not empty) changes nothing and
 * the new one is freed. */
void store_upsert(struct store *store, struct object *object);

/* The object goes; nothing happens when there is none. */
void store_delete(struct store *store, enum object_kind kind, struct span namespace,
		  struct span name);

/* What changed is known to all who depend on it: objects as they were before go. */
void store_forget_changes(struct store *store);

/* Whether anything changed since. */
static inline bool store_has_changes(const struct store *store)
{
	return store->changes.everything || store->changes.count > 0;
}

/* NULL when there is none. */
const struct object *store_find(const struct store *store, enum object_kind kind,
				struct span namespace, struct span name);
const struct service *store_find_service(const struct store *store, struct span namespace,
					 struct span name);
const struct config_map *store_find_config_map(const struct store *store, struct span namespace,
					       struct span name);

/* The slices of a Service, linked by next_of_service in no order; NULL when there are none. */
const struct endpoint_slice *store_find_slices(const struct store *store, struct span namespace,
					       struct span service);

uint32_t store_count(const struct store *store, enum object_kind kind);

/* All objects of a kind, oldest first (object_compare_age): an array of store_count pointers in the arena. */
const struct object **store_sorted(const struct store *store, enum object_kind kind,
				   struct arena *arena);
