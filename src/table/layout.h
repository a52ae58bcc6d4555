/* SPDX-License-Identifier: Apache-2.0 */
/* Which sections each kind of segment has, how large their elements are and where text is named in them. Said
 * once, for builder, verify and dump. */
#pragma once

#include <stddef.h>

#include "table/format.h"

enum { LAYOUT_SPANS_MAX = 4 };

struct section_layout {
	const char *name;
	uint16_t size; /* of one element */
	uint8_t span_count;
	uint8_t spans[LAYOUT_SPANS_MAX]; /* offsets of the table_spans in an element */
};

struct table_layout {
	char magic[9];
	const char *name;
	uint32_t section_count; /* the last is the text */
	struct section_layout sections[TABLE_SECTIONS_MAX];
};

extern const struct table_layout table_layouts[TABLE_KIND_COUNT];

/* Up to where sections begin. */
static inline uint64_t table_align(uint64_t at)
{
	return (at + TABLE_ALIGN - 1) / TABLE_ALIGN * TABLE_ALIGN;
}

/* The start of a section in a segment whose header holds. */
static inline const void *table_section(const struct table_header *header, unsigned section)
{
	return (const char *)header + header->sections[section].at;
}
