/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one thing of a segment wrong and its checksum right. */
#pragma once

#include "given.h"

/* A field of an element of a section. */
struct field_place {
	unsigned section;
	uint32_t size_of_element;
	uint32_t index;
	uint32_t size;
	uint32_t at;
};

struct corruption {
	struct field_place place;
	uint64_t value;
	const char *reason; /* part of what verify says */
};

#define CORRUPT(section, type, index, field)                                            \
	{                                                                               \
		section, sizeof(struct type), index, sizeof(((struct type *)0)->field), \
			offsetof(struct type, field)                                    \
	}

void corrupt(char *segment, const struct corruption *corruption);

/* Of a copy: refused, with the reason. As it stands, the segment is accepted. */
void assert_corruption_refused(const struct buf *bytes, const struct corruption *corruption,
			       int (*verify)(struct span segment, struct error *err));

/* Each word in turn gets each of some odd values, each bit in turn is turned; the checksum is mended but where it
 * is itself wrong. use is called with a segment at the end of a page. */
void corrupt_every_word(struct span segment, void (*use)(struct span segment));
void corrupt_every_bit(struct span segment, void (*use)(struct span segment));
