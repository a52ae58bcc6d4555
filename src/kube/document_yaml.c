/* SPDX-License-Identifier: Apache-2.0 */
/* YAML documents: libyaml gives events, which become a tree here. Recursion is bounded by
 * DOCUMENT_DEPTH_MAX. An alias shares the tree of its anchor, and the values that it stands for count
 * towards DOCUMENT_NODES_MAX: a decoder may walk a shared tree as often as it is named.
 */
#include <jansson.h>
#include <string.h>
#include <yaml.h>

#include "base/list.h"
#include "base/map.h"
#include "kube/document_reader.h"
#include "kube/document_scalar.h"

struct anchor {
	struct map_entry by_name;
	json_t *value;   /* NULL while it is open: an alias within would be a cycle */
	uint32_t values; /* that it stands for, itself included */
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the present one */
	bool has_event;
	struct documents *documents;
	struct document_fault *fault;
	struct span text;
	struct map anchors; /* of this document */
	struct arena arena; /* struct anchor and names */
	unsigned depth;
	uint32_t values; /* so far, in the whole file, aliases expanded */
};

static json_t *read_value(struct reader *reader);

static int fault_at(struct reader *reader, const yaml_mark_t *mark, const char *text)
{
	return document_fault_set(reader->fault, (uint32_t)mark->line + 1,
				  (uint32_t)mark->column + 1, "%s", text);
}

static json_t *no_value(struct reader *reader, const char *text)
{
	fault_at(reader, &reader->event.start_mark, text);
	return NULL;
}

/* The byte at a mark, which counts characters; '\0' past the end. */
static char byte_at(struct span text, const yaml_mark_t *mark)
{
	size_t line = 0;
	size_t column = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (line == mark->line && column == mark->column)
			return text.ptr[i];
		if (text.ptr[i] == '\n') {
			line++;
			column = 0;
		} else {
			column += i + 1 == text.len ||
				  ((unsigned char)text.ptr[i + 1] & 0xc0) != 0x80;
		}
	}
	return '\0';
}

/* libyaml says "found character that cannot start any token", and most often it is a tab. */
static int fault_of_parser(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const yaml_mark_t *mark = &parser->problem_mark;
	const char *problem = parser->problem == NULL ? "it does not parse" : parser->problem;

	if (parser->error == YAML_MEMORY_ERROR)
		return document_fault_set(reader->fault, 0, 0, "memory is exhausted");
	if (parser->error == YAML_READER_ERROR)
		return document_fault_set(reader->fault, (uint32_t)parser->mark.line + 1,
					  (uint32_t)parser->mark.column + 1, "YAML: %s", problem);
	if (byte_at(reader->text, mark) == '\t')
		return fault_at(reader, mark, "a tab where YAML wants blanks; indent with spaces");
	if (parser->context == NULL)
		return document_fault_set(reader->fault, (uint32_t)mark->line + 1,
					  (uint32_t)mark->column + 1, "YAML: %s", problem);
	return document_fault_set(reader->fault, (uint32_t)mark->line + 1,
				  (uint32_t)mark->column + 1, "YAML: %s (%s at line %zu)", problem,
				  parser->context, parser->context_mark.line + 1);
}

static int next_event(struct reader *reader)
{
	if (reader->has_event)
		yaml_event_delete(&reader->event);
	reader->has_event = false;
	if (yaml_parser_parse(&reader->parser, &reader->event) == 0)
		return fault_of_parser(reader);
	reader->has_event = true;
	return 0;
}

static int count_values(struct reader *reader, uint32_t values)
{
	if (values > DOCUMENT_NODES_MAX - reader->values)
		return document_fault_set(reader->fault,
					  (uint32_t)reader->event.start_mark.line + 1,
					  (uint32_t)reader->event.start_mark.column + 1,
					  "more than %d values in one file, aliases counted for "
					  "what they stand for",
					  DOCUMENT_NODES_MAX);
	reader->values += values;
	return 0;
}

static struct anchor *open_anchor(struct reader *reader, const yaml_char_t *name)
{
	struct span key = span_from((const char *)name);
	struct map_entry *entry;
	struct anchor *anchor;

	if (name == NULL)
		return NULL;
	entry = map_find(&reader->anchors, key);
	if (entry != NULL) { /* YAML lets a name be given again */
		anchor = container_of(entry, struct anchor, by_name);
		json_decref(anchor->value);
		anchor->value = NULL;
		return anchor;
	}
	anchor = arena_take_zero(&reader->arena, sizeof(*anchor));
	anchor->by_name.key = arena_copy(&reader->arena, key);
	map_add(&reader->anchors, &anchor->by_name);
	return anchor;
}

static void close_anchor(struct reader *reader, struct anchor *anchor, json_t *value,
			 uint32_t values_before)
{
	if (anchor == NULL || value == NULL)
		return;
	json_decref(anchor->value);
	anchor->value = json_incref(value);
	anchor->values = reader->values - values_before + 1;
}

static void forget_anchors(struct reader *reader)
{
	for (struct map_entry *at = map_next(&reader->anchors, NULL); at != NULL;
	     at = map_next(&reader->anchors, at))
		json_decref(container_of(at, struct anchor, by_name)->value);
	map_fini(&reader->anchors);
	map_init(&reader->anchors);
	arena_fini(&reader->arena);
	arena_init(&reader->arena, NULL, 0, SIZE_MAX);
}

static json_t *read_alias(struct reader *reader)
{
	struct span name = span_from((const char *)reader->event.data.alias.anchor);
	struct map_entry *entry = map_find(&reader->anchors, name);
	struct anchor *anchor = entry == NULL ? NULL : container_of(entry, struct anchor, by_name);

	if (anchor == NULL)
		return no_value(reader, "an alias whose anchor does not stand before it");
	if (anchor->value == NULL)
		return no_value(reader, "an alias within its own anchor");
	if (count_values(reader, anchor->values) == -1)
		return NULL;
	return json_incref(anchor->value);
}

static bool is_text(const yaml_event_t *event)
{
	const char *tag = (const char *)event->data.scalar.tag;

	if (event->data.scalar.plain_implicit)
		return false;
	/* a tag other than that for text lets the value speak for itself: !!int "80" */
	return tag == NULL || event->data.scalar.quoted_implicit ||
	       strcmp(tag, YAML_STR_TAG) == 0 || strncmp(tag, "tag:yaml.org,2002:", 18) != 0;
}

static json_t *read_scalar(struct reader *reader)
{
	struct span text = span_make((const char *)reader->event.data.scalar.value,
				     reader->event.data.scalar.length);
	json_t *value;

	if (span_find(text, '\0') != SIZE_MAX)
		return no_value(reader, "a NUL character in text");
	value = is_text(&reader->event) ? json_stringn(text.ptr, text.len) : document_scalar(text);
	return value == NULL ? no_value(reader, "text that is not UTF-8") : value;
}

/* One entry of a sequence; the present event is its first. */
static int read_entry(struct reader *reader, json_t *list, uint32_t number)
{
	struct document_node node = {
		.index = number,
		.line = (uint32_t)reader->event.start_mark.line + 1,
		.column = (uint32_t)reader->event.start_mark.column + 1,
	};
	uint32_t index = document_node_open(reader->documents, node);
	json_t *value = read_value(reader);

	document_node_close(reader->documents, index);
	return value == NULL ? -1 : json_array_append_new(list, value);
}

static json_t *read_list(struct reader *reader)
{
	json_t *list = json_array();

	for (uint32_t number = 0;; number++) {
		if (next_event(reader) == -1)
			break;
		if (reader->event.type == YAML_SEQUENCE_END_EVENT)
			return list;
		if (read_entry(reader, list, number) == -1)
			break;
	}
	json_decref(list);
	return NULL;
}

/* `<<: *base` or `<<: [*a, *b]`: fields that the mapping does not have itself; the earlier wins. */
static int merge(struct reader *reader, json_t *mapping, json_t *source, const yaml_mark_t *mark)
{
	size_t index;
	json_t *each;

	if (json_is_array(source)) {
		json_array_foreach(source, index,
				   each) if (!json_is_object(each) ||
					     merge(reader, mapping, each, mark) ==
						     -1) return fault_at(reader, mark,
									 "\"<<\" takes mappings");
		return 0;
	}
	if (!json_is_object(source))
		return fault_at(reader, mark, "\"<<\" takes a mapping");
	/* what was merged is counted: it may be named over and over */
	if (count_values(reader, (uint32_t)json_object_size(source)) == -1)
		return -1;
	return json_object_update_missing(mapping, source);
}

struct member {
	struct span key; /* in the arena of the reader */
	yaml_mark_t mark;
};

static int read_key(struct reader *reader, const json_t *mapping, struct member *member)
{
	const yaml_event_t *event = &reader->event;

	member->mark = event->start_mark;
	if (event->type != YAML_SCALAR_EVENT)
		return fault_at(reader, &member->mark, "a key that is not plain text");
	member->key = span_make((const char *)event->data.scalar.value, event->data.scalar.length);
	if (span_find(member->key, '\0') != SIZE_MAX)
		return fault_at(reader, &member->mark, "a NUL character in a key");
	member->key = arena_copy(&reader->arena, member->key);
	if (json_object_get(mapping, member->key.ptr) != NULL)
		return document_fault_set(reader->fault, (uint32_t)member->mark.line + 1,
					  (uint32_t)member->mark.column + 1,
					  "key \"%.100s\" stands twice in the same mapping",
					  member->key.ptr);
	return 0;
}

static json_t *read_member_value(struct reader *reader, const struct member *member)
{
	struct document_node node = {
		.key = member->key,
		.line = (uint32_t)member->mark.line + 1,
		.column = (uint32_t)member->mark.column + 1,
	};
	uint32_t index = document_node_open(reader->documents, node);
	json_t *value = next_event(reader) == -1 ? NULL : read_value(reader);

	document_node_close(reader->documents, index);
	return value;
}

/* *merged gets what stands under "<<": it is merged when all own keys are known. */
static int read_member(struct reader *reader, json_t *mapping, json_t **merged, yaml_mark_t *mark)
{
	struct member member;
	json_t *value;
	bool plain;

	if (read_key(reader, mapping, &member) == -1)
		return -1;
	plain = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	value = read_member_value(reader, &member);
	if (value == NULL)
		return -1;
	if (!plain || !span_equals(member.key, S("<<")))
		return json_object_setn_new(mapping, member.key.ptr, member.key.len, value);
	json_decref(*merged);
	*merged = value;
	*mark = member.mark;
	return 0;
}

static json_t *read_mapping(struct reader *reader)
{
	json_t *mapping = json_object();
	json_t *merged = NULL;
	yaml_mark_t mark = {0};
	int result = 0;

	while (result == 0) {
		result = next_event(reader);
		if (result == 0 && reader->event.type == YAML_MAPPING_END_EVENT)
			break;
		if (result == 0)
			result = read_member(reader, mapping, &merged, &mark);
	}
	if (result == 0 && merged != NULL)
		result = merge(reader, mapping, merged, &mark);
	json_decref(merged);
	if (result == 0)
		return mapping;
	json_decref(mapping);
	return NULL;
}

static json_t *read_anchored(struct reader *reader, const yaml_char_t *name,
			     json_t *(*read)(struct reader *reader))
{
	struct anchor *anchor = open_anchor(reader, name);
	uint32_t before = reader->values;
	json_t *value = NULL;

	if (reader->depth == DOCUMENT_DEPTH_MAX) {
		document_fault_set(reader->fault, (uint32_t)reader->event.start_mark.line + 1,
				   (uint32_t)reader->event.start_mark.column + 1,
				   "nested deeper than %d levels", DOCUMENT_DEPTH_MAX);
		return NULL;
	}
	reader->depth++;
	value = read(reader);
	reader->depth--;
	close_anchor(reader, anchor, value, before);
	return value;
}

/* The value that begins with the present event; its last event is the present one afterwards. */
static json_t *read_value(struct reader *reader)
{
	const yaml_event_t *event = &reader->event;

	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(reader);
	if (count_values(reader, 1) == -1)
		return NULL;
	if (event->type == YAML_SCALAR_EVENT)
		return read_anchored(reader, event->data.scalar.anchor, read_scalar);
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return read_anchored(reader, event->data.sequence_start.anchor, read_list);
	if (event->type == YAML_MAPPING_START_EVENT)
		return read_anchored(reader, event->data.mapping_start.anchor, read_mapping);
	return no_value(reader, "nothing where a value is expected");
}

/* The present event is the document's start; afterwards it is its end. */
static int read_document(struct reader *reader)
{
	uint32_t first_node = (uint32_t)reader->documents->node_count;
	struct document_node node = {0};
	json_t *root;

	if (next_event(reader) == -1)
		return -1;
	node.line = (uint32_t)reader->event.start_mark.line + 1;
	node.column = (uint32_t)reader->event.start_mark.column + 1;
	document_node_open(reader->documents, node);
	root = read_value(reader);
	document_node_close(reader->documents, first_node);
	forget_anchors(reader);
	if (root == NULL)
		return -1;
	if (json_is_null(root)) {
		json_decref(root);
		reader->documents->node_count = first_node;
	} else {
		document_add(reader->documents, root, first_node);
	}
	return next_event(reader);
}

static int read_stream(struct reader *reader)
{
	for (;;) {
		if (next_event(reader) == -1)
			return -1;
		if (reader->event.type == YAML_STREAM_END_EVENT)
			return 0;
		if (reader->event.type == YAML_DOCUMENT_START_EVENT && read_document(reader) == -1)
			return -1;
	}
}

int document_read_yaml(struct documents *documents, struct span text, struct document_fault *fault)
{
	struct reader reader = {.documents = documents, .fault = fault, .text = text};
	int result;

	if (text.len == 0)
		return 0;
	if (yaml_parser_initialize(&reader.parser) == 0)
		return document_fault_set(fault, 0, 0, "memory is exhausted");
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.ptr, text.len);
	arena_init(&reader.arena, NULL, 0, SIZE_MAX);
	map_init(&reader.anchors);
	result = read_stream(&reader);
	forget_anchors(&reader);
	map_fini(&reader.anchors);
	arena_fini(&reader.arena);
	if (reader.has_event)
		yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
	return result;
}
