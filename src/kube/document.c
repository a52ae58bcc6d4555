/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/document.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kube/document_reader.h"

int document_fault_set(struct document_fault *fault, uint32_t line, uint32_t column,
		       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	fault->line = line;
	fault->column = column;
	return -1;
}

uint32_t document_node_open(struct documents *documents, struct document_node node)
{
	size_t index = documents->node_count++;

	documents->nodes = memory_grow_array(documents->nodes, &documents->node_capacity,
					     documents->node_count, sizeof(*documents->nodes));
	if (node.key.ptr != NULL)
		node.key = arena_copy(&documents->arena, node.key);
	documents->nodes[index] = node;
	return (uint32_t)index;
}

void document_node_close(struct documents *documents, uint32_t index)
{
	documents->nodes[index].end = (uint32_t)documents->node_count;
}

void document_add(struct documents *documents, json_t *root, uint32_t first_node)
{
	documents->items = memory_grow_array(documents->items, &documents->capacity,
					     documents->count + 1, sizeof(*documents->items));
	documents->items[documents->count++] = (struct document){root, first_node};
}

/* Trees may hold Secrets, so what jansson gives back is wiped first, as its manual proposes. */
static void wipe_and_free(void *memory)
{
	if (memory == NULL)
		return;
	explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

/* Bytes of the well-formed character at the start (RFC 3629, 4), 0 where there is none. */
static size_t character_length(const unsigned char *p, size_t left)
{
	size_t length = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (length == 0 || p[0] > 0xf4 || left < length)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return length;
}

/* Whether the text is UTF-8 without NUL bytes. */
static int check_characters(struct span text, struct document_fault *fault)
{
	uint32_t line = 1;
	uint32_t column = 1;

	for (size_t at = 0; at < text.len;) {
		unsigned char c = (unsigned char)text.ptr[at];
		size_t length = character_length((const unsigned char *)text.ptr + at,
						 text.len - at);

		if (c == '\0')
			return document_fault_set(fault, line, column,
						  "a NUL byte; manifests are text");
		if (length == 0)
			return document_fault_set(
				fault, line, column,
				"byte 0x%02x is not UTF-8; save the file as UTF-8", c);
		at += length;
		column = c == '\n' ? 1 : column + 1;
		line += c == '\n';
	}
	return 0;
}

static struct span without_byte_order_mark(struct span text)
{
	return span_starts_with(text, S("\xef\xbb\xbf")) ? span_skip(text, 3) : text;
}

static bool begins_like_json(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (strchr(" \t\r\n", text.ptr[i]) == NULL)
			return text.ptr[i] == '{';
	return false;
}

static void clear(struct documents *documents)
{
	for (size_t i = 0; i < documents->count; i++)
		json_decref(documents->items[i].root);
	documents->count = 0;
	documents->node_count = 0;
}

int documents_parse(struct documents *documents, struct span text, enum document_format format,
		    struct document_fault *fault)
{
	*documents = (struct documents){0};
	*fault = (struct document_fault){0};
	arena_init(&documents->arena, NULL, 0, SIZE_MAX);
	json_set_alloc_funcs(malloc, wipe_and_free);
	text = without_byte_order_mark(text);
	if (check_characters(text, fault) == -1)
		return -1;
	if (format == DOCUMENT_JSON)
		return document_read_json(documents, text, fault);
	if (format == DOCUMENT_ANY && begins_like_json(text)) {
		if (document_read_json(documents, text, fault) == 0)
			return 0;
		/* YAML knows braces too, and its message fits what stands in a .yaml file */
		clear(documents);
	}
	return document_read_yaml(documents, text, fault);
}

void documents_fini(struct documents *documents)
{
	clear(documents);
	free(documents->items);
	free(documents->nodes);
	arena_fini(&documents->arena);
	*documents = (struct documents){0};
}
