/* SPDX-License-Identifier: Apache-2.0 */
/* What the YAML and the JSON side of document.c share. Private to kube/document*.c. */
#pragma once

#include "kube/document.h"

int document_fault_set(struct document_fault *fault, uint32_t line, uint32_t column,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Appends a node and returns its index; key is copied. `end` is set by document_node_close. */
uint32_t document_node_open(struct documents *documents, struct document_node node);
void document_node_close(struct documents *documents, uint32_t index);

/* Takes the tree. */
void document_add(struct documents *documents, json_t *root, uint32_t first_node);

/* text is valid UTF-8 without NUL and byte order mark. */
int document_read_yaml(struct documents *documents, struct span text, struct document_fault *fault);
int document_read_json(struct documents *documents, struct span text, struct document_fault *fault);
