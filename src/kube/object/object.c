/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object/object.h"

#include <string.h>

#include "base/bug.h"
#include "kube/object/config.h"

static const struct {
	const char *name;
	bool namespaced;
} kinds[OBJECT_KIND_COUNT] = {
#define KIND(id, kind, plural, group, namespaced) {kind, namespaced},
	OBJECT_KINDS
#undef KIND
};

const char *object_kind_name(enum object_kind kind)
{
	return kinds[kind].name;
}

bool object_kind_is_namespaced(enum object_kind kind)
{
	return kinds[kind].namespaced;
}

void *object_new(enum object_kind kind, size_t size)
{
	struct arena arena;
	struct object *object;

	arena_init(&arena, NULL, 0, SIZE_MAX);
	object = arena_take_zero(&arena, size);
	object->kind = kind;
	object->created = INT64_MAX;
	object->arena = arena;
	return object;
}

struct span pairs_find(const struct pairs *pairs, struct span key)
{
	for (uint32_t i = 0; i < pairs->count; i++)
		if (span_equals(pairs->items[i].key, key))
			return pairs->items[i].value;
	return (struct span){NULL, 0};
}

int object_compare_age(const struct object *a, const struct object *b)
{
	int order;

	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	/* '/' sorts behind '-' and '.', so "a/x" and "a-b/x" are compared as whole texts */
	order = span_compare(a->by_name.key, b->by_name.key);
	return order != 0 ? order : (int)a->kind - (int)b->kind;
}

static bool is_plain_key(struct span key)
{
	for (size_t i = 0; i < key.len; i++) {
		char c = key.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_')
			return false;
	}
	return key.len > 0;
}

void field_path_add(struct buf *path, struct span key)
{
	if (!is_plain_key(key)) {
		buf_add_byte(path, '[');
		buf_add(path, key);
		buf_add_byte(path, ']');
		return;
	}
	if (path->len > 0)
		buf_add_byte(path, '.');
	buf_add(path, key);
}

struct position object_position(const struct object *object, struct span path)
{
	struct position at;

	if (position_find(object->positions, path, &at))
		return at;
	return (struct position){.line = object->origin.line, .column = object->origin.line > 0};
}

/* The arena of the object is ours to overwrite; spans are const for everybody else. */
static void wipe_pairs(const struct pairs *pairs)
{
	for (uint32_t i = 0; i < pairs->count; i++)
		if (pairs->items[i].value.len > 0)
			explicit_bzero((char *)pairs->items[i].value.ptr,
				       pairs->items[i].value.len);
}

void object_free(struct object *object)
{
	struct arena arena;

	if (object == NULL)
		return;
	if (object->kind == OBJECT_SECRET)
		wipe_pairs(&((struct secret *)object)->data);
	else if (object->kind == OBJECT_CONFIG_MAP) /* it may have a key of session tickets */
		wipe_pairs(&((struct config_map *)object)->data);
	arena = object->arena; /* the object lies in it */
	arena_fini(&arena);
}
