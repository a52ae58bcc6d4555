/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and columns of the fields of a document, in few bytes: a large cluster has a million of them, and hardly one is
 * ever asked for. But who asks for one may ask for all of an object: a field is found without a look at the others.
 *
 * Fields lie sorted by path, in blocks. Of each path but the first of a block what it shares with the one before it is
 * left out. Behind the blocks is where each begins.
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

struct position_entry;

/* Gathers fields. All zero: none yet. */
struct position_writer {
	struct buf paths; /* all private to position.c: one behind the other */
	struct position_entry *entries;
	size_t count;
	size_t room;
};

void position_writer_fini(struct position_writer *writer);

/* Adds a field. path: as kubectl prints it, 1 … POSITION_PATH_MAX bytes; of equal ones the first counts. */
void position_add(struct position_writer *writer, struct span path, struct position at);

/* Appends what was added to *out, which is empty; nothing where nothing was. */
void position_write(struct position_writer *writer, struct buf *out);

/* Where the field is, or its nearest parent that was added. positions: bytes of position_write. False: neither.
 * Cost: for each element of the path, the logarithm of the number of fields. */
bool position_find(struct span positions, struct span path, struct position *at);
