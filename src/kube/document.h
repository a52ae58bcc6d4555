/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a manifest file taken apart: YAML or JSON, several documents, as trees of jansson values,
 * and for each field the line and column where it stands.
 *
 * Scalars are read as Kubernetes reads them (its YAML library knows YAML 1.1: yes, on and 0x1f count). A
 * key that stands twice is a fault. Whatever the text is, memory and time stay in proportion to it:
 * DOCUMENT_DEPTH_MAX levels, DOCUMENT_NODES_MAX values a file, aliases counted for what they stand for.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"

enum { DOCUMENT_DEPTH_MAX = 64, DOCUMENT_NODES_MAX = 1000000 };

/* DOCUMENT_ANY: JSON where it begins with '{' and is well-formed, else YAML. */
enum document_format { DOCUMENT_YAML, DOCUMENT_JSON, DOCUMENT_ANY };

/* A value's place in the text. The nodes of a document lie in document order: behind a node come those
 * within it, up to `end`. What an alias or a merge key brings in has no nodes of its own. */
struct document_node {
	struct span key; /* in a mapping; {NULL, 0} in a list and for the root */
	uint32_t index;  /* in a list */
	uint32_t line;   /* of the key, the list's entry, or the root; from 1 */
	uint32_t column; /* in characters, from 1 */
	uint32_t end;    /* index of the first node that is not within */
};

struct document {
	json_t *root;
	uint32_t first_node; /* index of the root's node in documents.nodes */
};

struct documents {
	struct document *items;
	size_t count;
	struct document_node *nodes; /* of all documents, one after the other */
	size_t node_count;
	size_t capacity;      /* private to document.c: room in items */
	size_t node_capacity; /* private: room in nodes */
	struct arena arena;   /* private: keys of nodes */
};

/* Why the text is not well-formed, and where; 0: no place. */
struct document_fault {
	uint32_t line;
	uint32_t column;
	char text[256];
};

/* 0, or -1 with the fault; then the documents before it are there all the same. Empty documents are
 * left out. Ended by documents_fini in both cases. */
int documents_parse(struct documents *documents, struct span text, enum document_format format,
		    struct document_fault *fault);

/* Strings of the trees are wiped: a Secret may be among them. */
void documents_fini(struct documents *documents);
