/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and columns of the fields of a document, in few bytes: a large cluster has a million of them, and hardly one is
 * ever asked for. Fields in the order of the document; of each path what it shares with the one before it is left
 * out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { POSITION_PATH_MAX = 200 }; /* bytes; a longer path is no field that Ingot reads */

struct position {
	uint32_t line;
	uint32_t column;
};

struct position_writer {
	struct buf bytes; /* what was added; the owner's to fini */
	struct buf last;  /* private to position.c: the path added last */
	uint32_t line;    /* private */
};

/* Appends a field. path: as kubectl prints it, at most POSITION_PATH_MAX; those with a long beginning in common are
 * best added one behind the other. */
void position_add(struct position_writer *writer, struct span path, struct position at);

/* Where the field is, or its nearest parent that was added. positions: bytes of a writer. False: neither. */
bool position_find(struct span positions, struct span path, struct position *at);
