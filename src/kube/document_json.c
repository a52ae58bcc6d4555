/* SPDX-License-Identifier: Apache-2.0 */
/* JSON documents. jansson makes the trees; since it forgets where a value stood, the text, which is
 * known to be well-formed by then, is walked a second time for the places.
 */
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "kube/document_reader.h"

struct walk {
	struct documents *documents;
	const char *at;
	const char *end;
	uint32_t line;
	uint32_t column; /* of `counted`, which never moves back: a file may be one long line */
	const char *counted;
};

static uint32_t column_of(struct walk *walk)
{
	/* characters, not bytes: continuation bytes of UTF-8 do not count */
	for (; walk->counted < walk->at; walk->counted++)
		walk->column += ((unsigned char)*walk->counted & 0xc0) != 0x80;
	return walk->column;
}

static void skip_blanks(struct walk *walk)
{
	for (; walk->at < walk->end && strchr(" \t\r\n", *walk->at) != NULL; walk->at++) {
		if (*walk->at == '\n') {
			walk->line++;
			walk->column = 1;
			walk->counted = walk->at + 1;
		}
	}
}

/* From behind the opening quote to behind the closing one; what lies between is returned. */
static struct span skip_string(struct walk *walk)
{
	const char *start = walk->at;

	while (walk->at < walk->end && *walk->at != '"')
		walk->at += *walk->at == '\\' && walk->at + 1 < walk->end ? 2 : 1;
	if (walk->at < walk->end)
		walk->at++;
	return span_make(start, (size_t)(walk->at - start) - 1);
}

/* Bounds before jansson sees the text: it would build the whole tree first. */
static int check_bounds(struct walk walk, struct document_fault *fault)
{
	unsigned depth = 0;
	uint32_t values = 1;

	while (walk.at < walk.end) {
		skip_blanks(&walk);
		if (walk.at == walk.end)
			break;
		char c = *walk.at++;

		if (c == '"')
			skip_string(&walk);
		depth += c == '{' || c == '[';
		depth -= (c == '}' || c == ']') && depth > 0;
		values += c == ',' || c == '{' || c == '[';
		if (depth > DOCUMENT_DEPTH_MAX || values > DOCUMENT_NODES_MAX)
			return document_fault_set(fault, walk.line, column_of(&walk) - 1,
						  depth > DOCUMENT_DEPTH_MAX
							  ? "nested deeper than %d levels"
							  : "more than %d values in one file",
						  depth > DOCUMENT_DEPTH_MAX ? DOCUMENT_DEPTH_MAX
									     : DOCUMENT_NODES_MAX);
	}
	return 0;
}

static void walk_value(struct walk *walk);

static struct document_node node_here(struct walk *walk)
{
	return (struct document_node){.line = walk->line, .column = column_of(walk)};
}

/* A key with escapes keeps them here: no field that Ingot names has one. */
static void walk_member(struct walk *walk)
{
	struct document_node node = node_here(walk);
	uint32_t index;

	walk->at++;
	node.key = skip_string(walk);
	index = document_node_open(walk->documents, node);
	skip_blanks(walk);
	walk->at++; /* the colon */
	skip_blanks(walk);
	walk_value(walk);
	document_node_close(walk->documents, index);
}

static void walk_entry(struct walk *walk, uint32_t number)
{
	struct document_node node = node_here(walk);
	uint32_t index;

	node.index = number;
	index = document_node_open(walk->documents, node);
	walk_value(walk);
	document_node_close(walk->documents, index);
}

static void walk_container(struct walk *walk, char closing)
{
	uint32_t number = 0;

	walk->at++;
	for (;;) {
		skip_blanks(walk);
		if (walk->at == walk->end || *walk->at == closing)
			break;
		if (*walk->at == ',')
			walk->at++;
		else if (closing == '}')
			walk_member(walk);
		else
			walk_entry(walk, number++);
	}
	if (walk->at < walk->end)
		walk->at++;
}

static void walk_value(struct walk *walk)
{
	if (*walk->at == '{') {
		walk_container(walk, '}');
	} else if (*walk->at == '[') {
		walk_container(walk, ']');
	} else if (*walk->at == '"') {
		walk->at++;
		skip_string(walk);
	} else {
		while (walk->at < walk->end && strchr(",]} \t\r\n", *walk->at) == NULL)
			walk->at++;
	}
}

static int fault_of_jansson(struct document_fault *fault, struct walk *walk,
			    const json_error_t *error)
{
	uint32_t start = error->line <= 1 ? column_of(walk) - 1 : 0;
	uint32_t line = walk->line + (error->line > 1 ? (uint32_t)error->line - 1 : 0);
	uint32_t column = error->column < 1 ? 1 : (uint32_t)error->column;
	const char *near = strstr(error->text, " near '");
	size_t length = near == NULL ? strlen(error->text) : (size_t)(near - error->text);

	/* without what it stands near: that could be a piece of a Secret */
	return document_fault_set(fault, line, start + column, "JSON: %.*s", (int)length,
				  error->text);
}

int document_read_json(struct documents *documents, struct span text, struct document_fault *fault)
{
	struct walk walk = {
		.documents = documents,
		.at = text.ptr,
		.end = text.ptr + text.len,
		.line = 1,
		.column = 1,
		.counted = text.ptr,
	};

	if (text.len == 0)
		return 0;
	if (check_bounds(walk, fault) == -1)
		return -1;
	for (skip_blanks(&walk); walk.at < walk.end; skip_blanks(&walk)) {
		json_error_t error;
		json_t *root = json_loadb(walk.at, (size_t)(walk.end - walk.at),
					  JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &error);
		uint32_t index;

		if (root == NULL)
			return fault_of_jansson(fault, &walk, &error);
		index = document_node_open(documents, node_here(&walk));
		walk_value(&walk);
		document_node_close(documents, index);
		document_add(documents, root, index);
	}
	return 0;
}
