/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/store.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/memory.h"

/* The longest key: namespace, '/', name. Longer names belong to no object. */
enum { KEY_MAX = 63 + 1 + 253 };

static struct object *object_of(const struct map_entry *entry)
{
	return entry == NULL ? NULL : container_of(entry, struct object, by_name);
}

static struct endpoint_slice *slice_of(const struct map_entry *entry)
{
	return entry == NULL ? NULL : container_of(entry, struct endpoint_slice, by_service);
}

/* "namespace/name" in `into`, or name alone; {NULL, 0} when it is too long for any object. */
static struct span make_key(char into[static KEY_MAX], struct span namespace, struct span name)
{
	size_t start = namespace.len == 0 ? 0 : namespace.len + 1;

	if (name.len == 0 || namespace.len > KEY_MAX || name.len > KEY_MAX ||
	    start + name.len > KEY_MAX)
		return (struct span){NULL, 0};
	if (start > 0) {
		memcpy(into, namespace.ptr, namespace.len);
		into[namespace.len] = '/';
	}
	memcpy(into + start, name.ptr, name.len);
	return span_make(into, start + name.len);
}

void store_init(struct store *store)
{
	*store = (struct store){.changes.everything = true};
}

static struct store_change *change_of(struct map_entry *entry)
{
	return entry == NULL ? NULL : container_of(entry, struct store_change, by_name);
}

static void drop_changes(struct store_changes *changes)
{
	for (size_t kind = 0; kind < OBJECT_KIND_COUNT; kind++) {
		struct map_entry *at = map_next(&changes->changed[kind], NULL);

		while (at != NULL) {
			struct store_change *change = change_of(at);

			at = map_next(&changes->changed[kind], at);
			if (change->before != NULL)
				object_free(change->before);
			free(change);
		}
		map_fini(&changes->changed[kind]);
	}
	*changes = (struct store_changes){0};
}

void store_forget_changes(struct store *store)
{
	drop_changes(&store->changes);
}

void store_fini(struct store *store)
{
	drop_changes(&store->changes);
	for (size_t kind = 0; kind < OBJECT_KIND_COUNT; kind++) {
		struct map_entry *at = map_next(&store->objects[kind], NULL);

		while (at != NULL) {
			struct map_entry *next = map_next(&store->objects[kind], at);

			object_free(object_of(at));
			at = next;
		}
		map_fini(&store->objects[kind]);
	}
	map_fini(&store->slices_by_service);
}

/* The first slice of a Service is in the map, with a key of its own; the others hang on it. */
static void link_slice(struct store *store, struct endpoint_slice *slice)
{
	struct object *object = &slice->object;
	struct endpoint_slice *first;

	slice->next_of_service = NULL;
	if (slice->service_name.len == 0)
		return;
	slice->by_service.key = arena_printf(&object->arena, "%.*s/%.*s",
					     (int)object->namespace.len, object->namespace.ptr,
					     (int)slice->service_name.len, slice->service_name.ptr);
	first = slice_of(map_find(&store->slices_by_service, slice->by_service.key));
	if (first == NULL) {
		map_add(&store->slices_by_service, &slice->by_service);
	} else {
		slice->next_of_service = first->next_of_service;
		first->next_of_service = slice;
	}
}

static void unlink_slice(struct store *store, struct endpoint_slice *slice)
{
	struct endpoint_slice *first;

	if (slice->service_name.len == 0)
		return;
	first = slice_of(map_find(&store->slices_by_service, slice->by_service.key));
	BUG_ON(first == NULL);
	if (first == slice) {
		map_remove(&store->slices_by_service, &slice->by_service);
		if (slice->next_of_service != NULL)
			map_add(&store->slices_by_service, &slice->next_of_service->by_service);
		return;
	}
	while (first->next_of_service != slice) {
		first = first->next_of_service;
		BUG_ON(first == NULL);
	}
	first->next_of_service = slice->next_of_service;
}

static struct store_change *add_change(struct store_changes *changes, enum object_kind kind,
				       struct span name)
{
	struct store_change *change = memory_new(sizeof(*change) + name.len);

	memcpy(change->name, name.ptr, name.len);
	change->by_name.key = span_make(change->name, name.len);
	map_add(&changes->changed[kind], &change->by_name);
	changes->count++;
	return change;
}

/* before goes, at once or with what is told of it. Of an object that changed already only the first form counts. */
static void note_change(struct store *store, struct object *before, const struct object *after)
{
	struct store_changes *changes = &store->changes;
	const struct object *either = before != NULL ? before : after;
	struct store_change *change;

	if (changes->count == STORE_CHANGES_MAX) {
		drop_changes(changes);
		changes->everything = true;
	}
	if (changes->everything) {
		if (before != NULL)
			object_free(before);
		return;
	}
	change = change_of(map_find(&changes->changed[either->kind], either->by_name.key));
	if (change == NULL) {
		change = add_change(changes, either->kind, either->by_name.key);
		change->before = before;
	} else if (before != NULL) {
		object_free(before);
	}
	change->after = after;
}

/* The object is not in the store any more; it is the caller's. */
static void take_out(struct store *store, struct object *object)
{
	map_remove(&store->objects[object->kind], &object->by_name);
	if (object->kind == OBJECT_ENDPOINT_SLICE)
		unlink_slice(store, (struct endpoint_slice *)object);
}

static bool is_same_version(const struct object *a, const struct object *b)
{
	return a->resource_version.len > 0 &&
	       span_equals(a->resource_version, b->resource_version) && span_equals(a->uid, b->uid);
}

void store_upsert(struct store *store, struct object *object)
{
	struct map *objects = &store->objects[object->kind];
	struct object *old = object_of(map_find(objects, object->by_name.key));

	if (old != NULL && is_same_version(old, object)) {
		object_free(object);
		return;
	}
	if (old != NULL)
		take_out(store, old);
	map_add(objects, &object->by_name);
	if (object->kind == OBJECT_ENDPOINT_SLICE)
		link_slice(store, (struct endpoint_slice *)object);
	note_change(store, old, object);
}

static struct object *find(const struct store *store, enum object_kind kind, struct span namespace,
			   struct span name)
{
	char text[KEY_MAX];
	struct span key = make_key(text, namespace, name);

	return key.len == 0 ? NULL : object_of(map_find(&store->objects[kind], key));
}

void store_delete(struct store *store, enum object_kind kind, struct span namespace,
		  struct span name)
{
	struct object *object = find(store, kind, namespace, name);

	if (object == NULL)
		return;
	take_out(store, object);
	note_change(store, object, NULL);
}

const struct object *store_find(const struct store *store, enum object_kind kind,
				struct span namespace, struct span name)
{
	return find(store, kind, namespace, name);
}

const struct service *store_find_service(const struct store *store, struct span namespace,
					 struct span name)
{
	return (const struct service *)find(store, OBJECT_SERVICE, namespace, name);
}

const struct config_map *store_find_config_map(const struct store *store, struct span namespace,
					       struct span name)
{
	return (const struct config_map *)find(store, OBJECT_CONFIG_MAP, namespace, name);
}

const struct endpoint_slice *store_find_slices(const struct store *store, struct span namespace,
					       struct span service)
{
	char text[KEY_MAX];
	struct span key = make_key(text, namespace, service);

	return key.len == 0 ? NULL : slice_of(map_find(&store->slices_by_service, key));
}

uint32_t store_count(const struct store *store, enum object_kind kind)
{
	return (uint32_t)store->objects[kind].count;
}

static int compare_age(const void *a, const void *b)
{
	return object_compare_age(*(const struct object *const *)a,
				  *(const struct object *const *)b);
}

const struct object **store_sorted(const struct store *store, enum object_kind kind,
				   struct arena *arena)
{
	const struct map *objects = &store->objects[kind];
	const struct object **sorted = arena_take(arena, (objects->count + 1) * sizeof(*sorted));
	size_t count = 0;

	for (struct map_entry *at = map_next(objects, NULL); at != NULL; at = map_next(objects, at))
		sorted[count++] = object_of(at);
	qsort(sorted, count, sizeof(*sorted), compare_age);
	return sorted;
}
