/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object/fields.h"

#include <stdarg.h>
#include <stdio.h>

size_t fields_enter(struct fields *fields, const char *key)
{
	size_t before = fields->path.len;

	field_path_add(&fields->path, span_from(key));
	return before;
}

size_t fields_enter_index(struct fields *fields, size_t index)
{
	size_t before = fields->path.len;

	buf_printf(&fields->path, "[%zu]", index);
	return before;
}

void fields_leave(struct fields *fields, size_t before)
{
	fields->path.len = before;
}

void fields_wrong(struct fields *fields, enum diagnostic_id id, const char *key, const char *format,
		  ...)
{
	size_t before = fields->path.len;
	struct span text;
	va_list args;

	if (key != NULL)
		fields_enter(fields, key);
	va_start(args, format);
	text = arena_vprintf(&fields->diagnostics->arena, format, args);
	va_end(args);
	diagnostics_add(fields->diagnostics, id, fields->object, buf_span(&fields->path), "%s",
			text.ptr);
	fields_leave(fields, before);
}

const char *fields_found(const json_t *value)
{
	static char buffers[4][384];
	static unsigned next;
	char *into = buffers[next++ % 4];

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "a mapping";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		snprintf(into, sizeof(buffers[0]), "the text %s",
			 diagnostic_quote(
				 span_make(json_string_value(value), json_string_length(value))));
		return into;
	case JSON_INTEGER:
		snprintf(into, sizeof(buffers[0]), "the number %lld",
			 (long long)json_integer_value(value));
		return into;
	case JSON_REAL:
		snprintf(into, sizeof(buffers[0]), "the number %g", json_real_value(value));
		return into;
	case JSON_TRUE:
		return "the truth value true";
	case JSON_FALSE:
		return "the truth value false";
	case JSON_NULL:
		return "nothing";
	}
	return "something else";
}

static json_t *find(const json_t *parent, const char *key)
{
	json_t *value = json_object_get(parent, key);

	return json_is_null(value) ? NULL : value;
}

static void wrong_type(struct fields *fields, const char *key, const char *expected,
		       const json_t *found)
{
	/* what a Secret holds is never shown */
	const char *shown = fields->object->kind == OBJECT_SECRET ? "another type"
								  : fields_found(found);

	fields->refused = true;
	fields_wrong(fields, DIAGNOSTIC_WRONG_TYPE, key, "must be %s; found %s", expected, shown);
}

static const char *text_expected(const json_t *found)
{
	return json_is_number(found) || json_is_boolean(found)
		       ? "text: put the value in quotes, as in \"80\" or \"true\""
		       : "text";
}

struct span fields_text(struct fields *fields, const json_t *parent, const char *key)
{
	const json_t *value = find(parent, key);

	if (value == NULL)
		return (struct span){NULL, 0};
	if (!json_is_string(value)) {
		wrong_type(fields, key, text_expected(value), value);
		return (struct span){NULL, 0};
	}
	return arena_copy(&fields->object->arena,
			  span_make(json_string_value(value), json_string_length(value)));
}

bool fields_bool(struct fields *fields, const json_t *parent, const char *key, bool absent)
{
	const json_t *value = find(parent, key);

	if (value == NULL)
		return absent;
	if (!json_is_boolean(value)) {
		wrong_type(fields, key, "true or false, without quotes", value);
		return absent;
	}
	return json_is_true(value);
}

int64_t fields_number(struct fields *fields, const json_t *parent, const char *key, int64_t least,
		      int64_t most, int64_t absent)
{
	const json_t *value = find(parent, key);
	char expected[96];

	if (value == NULL)
		return absent;
	if (json_is_integer(value) && json_integer_value(value) >= least &&
	    json_integer_value(value) <= most)
		return json_integer_value(value);
	if (least == INT32_MIN)
		snprintf(expected, sizeof(expected), "a whole number, without quotes");
	else
		snprintf(expected, sizeof(expected),
			 "a whole number from %lld to %lld, without quotes", (long long)least,
			 (long long)most);
	wrong_type(fields, key, expected, value);
	return absent;
}

json_t *fields_list(struct fields *fields, const json_t *parent, const char *key, const char *entry)
{
	json_t *value = find(parent, key);
	char expected[96];

	if (value == NULL || json_is_array(value))
		return value;
	snprintf(expected, sizeof(expected), "a list; each %s starts with \"- \"", entry);
	wrong_type(fields, key, expected, value);
	return NULL;
}

json_t *fields_map(struct fields *fields, const json_t *parent, const char *key)
{
	json_t *value = find(parent, key);

	if (value == NULL || json_is_object(value))
		return value;
	wrong_type(fields, key, "a mapping (fields with their values)", value);
	return NULL;
}

bool fields_is_map(struct fields *fields, const json_t *entry)
{
	if (json_is_object(entry))
		return true;
	wrong_type(fields, NULL, "a mapping (fields with their values)", entry);
	return false;
}

/* A key such as `proxy-body-size: 8` of a ConfigMap: the others stand. */
static void wrong_pair(struct fields *fields, const char *key, const json_t *value,
		       enum fields_pair_fault fault)
{
	bool refused = fields->refused;

	if (fault == FIELDS_PAIR_REFUSES) {
		wrong_type(fields, key, text_expected(value), value);
		return;
	}
	fields_wrong(fields, DIAGNOSTIC_WRONG_TYPE, key,
		     "must be %s; found %s; the key is left out", text_expected(value),
		     fields_found(value));
	fields->refused = refused;
}

struct pairs fields_pairs(struct fields *fields, const json_t *parent, const char *key,
			  enum fields_pair_fault fault)
{
	json_t *map = fields_map(fields, parent, key);
	struct arena *arena = &fields->object->arena;
	size_t before = fields_enter(fields, key);
	struct pairs pairs = {0};
	struct pair *items;
	const char *name;
	json_t *value;

	items = fields_array(fields, json_object_size(map), sizeof(*items));
	json_object_foreach(map, name, value)
	{
		if (!json_is_string(value)) {
			wrong_pair(fields, name, value, fault);
			continue;
		}
		items[pairs.count++] = (struct pair){
			arena_copy(arena, span_from(name)),
			arena_copy(arena,
				   span_make(json_string_value(value), json_string_length(value)))};
	}
	pairs.items = items;
	fields_leave(fields, before);
	return pairs;
}

void *fields_array(struct fields *fields, size_t count, size_t size)
{
	return count == 0 ? NULL : arena_take_zero(&fields->object->arena, count * size);
}
