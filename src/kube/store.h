/* SPDX-License-Identifier: Apache-2.0 */
/* All objects that count, decoded, with the indexes that model needs. Owned by control (or by a
 * command); model reads it and changes nothing.
 */
#pragma once

#include "kube/object/config.h"
#include "kube/object/ingress.h"
#include "kube/object/object.h"
#include "kube/object/service.h"

/* What changed since store_take_changes, so that only what depends on it is made anew. */
struct store_changes {
	bool routes;    /* an Ingress, IngressClass, Service, ConfigMap, Secret or Namespace */
	bool endpoints; /* an EndpointSlice */
};

struct store {
	struct map objects[OBJECT_KIND_COUNT]; /* struct object by_name */
	struct map slices_by_service; /* first endpoint_slice of each "namespace/service" */
	struct store_changes changes;
};

void store_init(struct store *store);

/* Frees all objects. */
void store_fini(struct store *store);

/* Takes the object; an older version of it is freed. An equal version (resource_version, not empty) changes
 * nothing and the new one is freed. */
void store_upsert(struct store *store, struct object *object);

/* Frees the object; nothing happens when there is none. */
void store_delete(struct store *store, enum object_kind kind, struct span namespace,
		  struct span name);

struct store_changes store_take_changes(struct store *store);

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
