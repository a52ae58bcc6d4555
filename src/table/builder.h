/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a segment: elements are added to sections, text is stored once, and at the end all of it is laid
 * out behind a header. For compile and for tests; a worker never builds.
 *
 * Until builder_finish, `at` of a table_span counts from the start of the text. Equal calls make equal bytes.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "table/format.h"

/* What the header of a segment says besides its content. */
struct table_stamp {
	uint64_t generation;
	uint64_t built_wall_ns;
	uint64_t set;
	uint32_t shard;
	uint32_t shard_count;
};

struct builder {
	enum table_kind kind;                    /* all private to builder.c */
	struct buf sections[TABLE_SECTIONS_MAX]; /* elements, the last: text */
	struct map elements[TABLE_SECTIONS_MAX]; /* those that builder_intern stored */
	struct map texts;
	struct arena arena; /* map entries and their keys */
};

void builder_init(struct builder *builder, enum table_kind kind);
void builder_fini(struct builder *builder);

/* Where that text is; equal texts are in one place, but for a kind that is secret: such is wiped with the builder. */
struct table_span builder_text(struct builder *builder, struct span text);

/* So many bytes of text follow: the memory of a secret does not grow, or copies would be left behind. */
void builder_reserve_text(struct builder *builder, size_t bytes);

/* A copy of the element behind those of its section; its index. */
uint32_t builder_add(struct builder *builder, unsigned section, const void *element);

/* The same, or the index of an equal element that builder_intern added before. */
uint32_t builder_intern(struct builder *builder, unsigned section, const void *element);

uint32_t builder_count(const struct builder *builder, unsigned section);

/* An element that was added, to be changed in place; borrowed until the next is added to its section.
 * Not for elements that were interned. */
void *builder_at(struct builder *builder, unsigned section, uint32_t index);

/* The bytes behind a span of builder_text; borrowed until more text is added. */
struct span builder_text_at(const struct builder *builder, struct table_span text);

/* Appends the segment to *out, which is empty or holds segments before it. Nothing is appended where the segment
 * would be larger than TABLE_SEGMENT_MAX. Nothing may be added afterwards. */
void builder_finish(struct builder *builder, const struct table_stamp *stamp, struct buf *out);

/* Writes the checksum of a segment into its header, for tests that change one. size: of what lies there; the
 * header's own is not used. */
void builder_checksum(void *segment, size_t size);
