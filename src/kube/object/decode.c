/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object/decode.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"
#include "kube/object/config.h"
#include "kube/object/ingress.h"
#include "kube/object/kinds.h"
#include "kube/object/service.h"

enum { DNS_LABEL_MAX = 63, DNS_NAME_MAX = 253 };
enum { ANNOTATIONS_MAX_BYTES = 256 << 10, DATA_MAX_BYTES = 1 << 20 };

static const struct {
	const char *kind;
	const char *group;
	size_t size;
	void (*decode)(struct fields *fields, const json_t *json);
	bool is_label; /* the name is one DNS label */
} kinds[OBJECT_KIND_COUNT] = {
	[OBJECT_INGRESS] = {"Ingress", "networking.k8s.io", sizeof(struct ingress), ingress_decode,
			    false},
	[OBJECT_INGRESS_CLASS] = {"IngressClass", "networking.k8s.io", sizeof(struct ingress_class),
				  ingress_class_decode, false},
	[OBJECT_SERVICE] = {"Service", "", sizeof(struct service), service_decode, true},
	[OBJECT_ENDPOINT_SLICE] = {"EndpointSlice", "discovery.k8s.io",
				   sizeof(struct endpoint_slice), endpoint_slice_decode, false},
	[OBJECT_SECRET] = {"Secret", "", sizeof(struct secret), secret_decode, false},
	[OBJECT_CONFIG_MAP] = {"ConfigMap", "", sizeof(struct config_map), config_map_decode,
			       false},
	[OBJECT_NAMESPACE] = {"Namespace", "", sizeof(struct namespace_object), NULL, true},
};

enum object_sort object_sort_of(struct span api_version, struct span kind, enum object_kind *known)
{
	struct span version = api_version;
	struct span group = span_find(api_version, '/') == SIZE_MAX ? (struct span){NULL, 0}
								    : span_cut(&version, '/');

	for (size_t i = 0; i < OBJECT_KIND_COUNT; i++) {
		if (!span_equals(kind, span_from(kinds[i].kind)))
			continue;
		*known = (enum object_kind)i;
		if (span_equals(group, span_from(kinds[i].group)))
			return span_equals(version, S("v1")) ? OBJECT_SORT_KNOWN
							     : OBJECT_SORT_UNSUPPORTED;
		/* where Ingress lived before it had a group of its own */
		if (i == OBJECT_INGRESS && span_equals(group, S("extensions")))
			return OBJECT_SORT_UNSUPPORTED;
	}
	return OBJECT_SORT_UNKNOWN;
}

static bool is_dns_label(struct span label)
{
	if (label.len == 0 || label.len > DNS_LABEL_MAX || label.ptr[0] == '-' ||
	    label.ptr[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		char c = label.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return true;
}

static bool is_object_name(struct span name, bool is_label)
{
	if (is_label)
		return is_dns_label(name);
	if (name.len == 0 || name.len > DNS_NAME_MAX)
		return false;
	do {
		if (!is_dns_label(span_cut(&name, '.')))
			return false;
	} while (name.ptr != NULL);
	return true;
}

static struct span text_of(const json_t *parent, const char *key)
{
	const json_t *value = json_object_get(parent, key);

	return json_is_string(value)
		       ? span_make(json_string_value(value), json_string_length(value))
		       : (struct span){NULL, 0};
}

struct object_name object_name_of(enum object_kind kind, const json_t *json)
{
	const json_t *metadata = json_object_get(json, "metadata");
	struct object_name name = {text_of(metadata, "namespace"), text_of(metadata, "name")};

	if (!is_object_name(name.name, kinds[kind].is_label))
		name.name = (struct span){NULL, 0};
	if (!object_kind_is_namespaced(kind))
		name.namespace = (struct span){NULL, 0};
	else if (name.namespace.len == 0)
		name.namespace = S("default");
	else if (!is_dns_label(name.namespace))
		name.name = (struct span){NULL, 0};
	return name;
}

/* Positions: nodes of the document become paths. */

struct positions {
	const struct document_node *base;
	struct position_writer writer;
	struct buf path;
};

static bool is_skipped(const struct positions *positions, const struct document_node *node)
{
	struct span path = buf_span(&positions->path);

	return (path.len == 0 && span_equals(node->key, S("status"))) ||
	       (span_equals(path, S("metadata")) && span_equals(node->key, S("managedFields")));
}

/* Of a path that is too long the parent stands for it. */
static void add_positions_within(struct positions *positions, const struct document_node *parent)
{
	const struct document_node *end = positions->base + parent->end;

	for (const struct document_node *node = parent + 1; node < end;
	     node = positions->base + node->end) {
		size_t before = positions->path.len;

		if (is_skipped(positions, node))
			continue;
		if (node->key.ptr == NULL)
			buf_printf(&positions->path, "[%u]", node->index);
		else
			field_path_add(&positions->path, node->key);
		if (positions->path.len <= POSITION_PATH_MAX) {
			position_add(&positions->writer, buf_span(&positions->path),
				     (struct position){node->line, node->column});
			add_positions_within(positions, node);
		}
		positions->path.len = before;
	}
}

static void decode_positions(struct object *object, const struct decode_place *place)
{
	const struct document_node *root = place->nodes;
	struct positions positions = {.base = place->base};
	struct buf written = {0};

	if (root == NULL)
		return;
	object->origin.line = root->line;
	add_positions_within(&positions, root);
	position_write(&positions.writer, &written);
	object->positions = arena_copy(&object->arena, buf_span(&written));
	buf_fini(&written);
	buf_fini(&positions.path);
	position_writer_fini(&positions.writer);
}

/* Metadata. */

static void check_text(struct fields *fields, const char *key, bool valid, struct span text,
		       const char *what)
{
	if (valid)
		return;
	fields->refused = true;
	if (text.len == 0)
		fields_wrong(fields, DIAGNOSTIC_MISSING_FIELD, NULL,
			     "has no \"%s\"; the object is not taken", key);
	else
		fields_wrong(
			fields, DIAGNOSTIC_WRONG_TYPE, key,
			"%s is no %s (lower case letters, digits and '-'%s); the object is not "
			"taken",
			diagnostic_quote(text), what,
			strcmp(what, "DNS name") == 0 ? ", labels with dots between" : "");
}

static void set_key(struct object *object)
{
	struct span name = object->name.len == 0 ? S("<no name>") : object->name;

	object->by_name.key = object->namespace.len == 0 ? name
							 : arena_printf(&object->arena, "%.*s/%.*s",
									(int)object->namespace.len,
									object->namespace.ptr,
									(int)name.len, name.ptr);
}

static void decode_name(struct fields *fields, const json_t *metadata)
{
	struct object *object = fields->object;
	bool is_label = kinds[object->kind].is_label;
	struct span name = fields_text(fields, metadata, "name");
	struct span namespace = fields_text(fields, metadata, "namespace");

	object->name = name;
	if (object_kind_is_namespaced(object->kind))
		object->namespace = namespace.len == 0 ? S("default") : namespace;
	set_key(object);
	if (fields->refused)
		return;
	check_text(fields, "name", is_object_name(name, is_label), name,
		   is_label ? "DNS label" : "DNS name");
	if (object->namespace.len > 0)
		check_text(fields, "namespace", is_dns_label(object->namespace), object->namespace,
			   "DNS label");
}

/* Digits at a place of the text, as strptime would want a NUL for. */
static bool number_at(struct span text, size_t at, size_t digits, int *number)
{
	uint64_t value;

	if (text.len < at + digits || !span_to_u64(span_take(span_skip(text, at), digits), &value))
		return false;
	*number = (int)value;
	return true;
}

/* "2026-01-02T03:04:05Z"; fractions are passed over, other zones are counted in. */
static bool parse_time(struct span text, int64_t *seconds)
{
	struct tm tm = {0};
	struct span rest = span_skip(text, 19);
	int hours;
	int minutes;

	if (!number_at(text, 0, 4, &tm.tm_year) || !number_at(text, 5, 2, &tm.tm_mon) ||
	    !number_at(text, 8, 2, &tm.tm_mday) || !number_at(text, 11, 2, &tm.tm_hour) ||
	    !number_at(text, 14, 2, &tm.tm_min) || !number_at(text, 17, 2, &tm.tm_sec))
		return false;
	if (text.ptr[4] != '-' || text.ptr[7] != '-' || (text.ptr[10] | 0x20) != 't' ||
	    text.ptr[13] != ':' || text.ptr[16] != ':')
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*seconds = timegm(&tm);
	if (rest.len > 1 && rest.ptr[0] == '.')
		do
			rest = span_skip(rest, 1);
		while (rest.len > 0 && rest.ptr[0] >= '0' && rest.ptr[0] <= '9');
	if (rest.len == 1 && (rest.ptr[0] | 0x20) == 'z')
		return true;
	if (rest.len != 6 || rest.ptr[3] != ':' || !number_at(rest, 1, 2, &hours) ||
	    !number_at(rest, 4, 2, &minutes) || (rest.ptr[0] != '+' && rest.ptr[0] != '-'))
		return false;
	*seconds -= (rest.ptr[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

static void decode_created(struct fields *fields, const json_t *metadata)
{
	struct span text = fields_text(fields, metadata, "creationTimestamp");

	if (text.len == 0 || parse_time(text, &fields->object->created))
		return;
	fields->refused = true;
	fields_wrong(fields, DIAGNOSTIC_WRONG_TYPE, "creationTimestamp",
		     "%s is no time; write for example \"2026-01-02T03:04:05Z\"",
		     diagnostic_quote(text));
}

static void decode_metadata(struct fields *fields, const json_t *json)
{
	struct object *object = fields->object;
	const json_t *metadata = fields_map(fields, json, "metadata");
	size_t before = fields_enter(fields, "metadata");

	decode_name(fields, metadata);
	object->uid = fields_text(fields, metadata, "uid");
	object->resource_version = fields_text(fields, metadata, "resourceVersion");
	decode_created(fields, metadata);
	object->labels = fields_pairs(fields, metadata, "labels", FIELDS_PAIR_REFUSES);
	object->annotations = fields_pairs(fields, metadata, "annotations", FIELDS_PAIR_REFUSES);
	fields_leave(fields, before);
}

/* What the API server refuses too, and what keeps the work that one object causes in bounds. */
static void check_size(struct fields *fields, const char *key, const struct pairs *pairs,
		       size_t most_bytes)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < pairs->count; i++)
		bytes += pairs->items[i].key.len + pairs->items[i].value.len;
	if (bytes <= most_bytes)
		return;
	fields->refused = true;
	fields_wrong(fields, DIAGNOSTIC_WRONG_TYPE, key,
		     "has %zu bytes, more than the %zu that an object may have; the object is not "
		     "taken",
		     bytes, most_bytes);
}

static void check_sizes(struct fields *fields)
{
	const struct object *object = fields->object;
	size_t before = fields_enter(fields, "metadata");

	check_size(fields, "annotations", &object->annotations, ANNOTATIONS_MAX_BYTES);
	fields_leave(fields, before);
	if (object->kind == OBJECT_CONFIG_MAP)
		check_size(fields, "data", &((const struct config_map *)object)->data,
			   DATA_MAX_BYTES);
	if (object->kind == OBJECT_SECRET)
		check_size(fields, "data", &((const struct secret *)object)->data, DATA_MAX_BYTES);
}

struct object *object_decode(enum object_kind kind, const json_t *json,
			     const struct decode_place *place, struct diagnostics *diagnostics)
{
	struct object *object = object_new(kind, kinds[kind].size);
	struct fields fields = {.object = object, .diagnostics = diagnostics};

	BUG_ON(!json_is_object(json));
	object->origin.file = arena_copy(&object->arena, place->file);
	decode_positions(object, place);
	decode_metadata(&fields, json);
	if (kinds[kind].decode != NULL)
		kinds[kind].decode(&fields, json);
	check_sizes(&fields);
	buf_fini(&fields.path);
	if (!fields.refused)
		return object;
	object_free(object);
	return NULL;
}
