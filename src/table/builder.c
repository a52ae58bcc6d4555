/* SPDX-License-Identifier: Apache-2.0 */
#include "table/builder.h"

#include "base/bug.h"
#include "table/hash.h"
#include "table/layout.h"

/* A text or an element that is stored once. The key of an element is its bytes. */
struct interned {
	struct map_entry entry;
	uint32_t at; /* offset of the text, index of the element */
};

static const struct table_layout *layout_of(const struct builder *builder)
{
	return &table_layouts[builder->kind];
}

static struct buf *text_of(struct builder *builder)
{
	return &builder->sections[layout_of(builder)->section_count - 1];
}

void builder_init(struct builder *builder, enum table_kind kind)
{
	*builder = (struct builder){.kind = kind};
	arena_init(&builder->arena, NULL, 0, SIZE_MAX);
	map_init(&builder->texts);
	for (unsigned i = 0; i < TABLE_SECTIONS_MAX; i++)
		map_init(&builder->elements[i]);
}

void builder_fini(struct builder *builder)
{
	for (unsigned i = 0; i < TABLE_SECTIONS_MAX; i++) {
		if (table_is_secret(builder->kind))
			buf_wipe(&builder->sections[i]);
		else
			buf_fini(&builder->sections[i]);
		map_fini(&builder->elements[i]);
	}
	map_fini(&builder->texts);
	arena_fini(&builder->arena);
}

static void intern(struct builder *builder, struct map *map, struct span key, uint32_t at)
{
	struct interned *interned = arena_take(&builder->arena, sizeof(*interned));

	*interned = (struct interned){
		.entry = {.key = arena_copy(&builder->arena, key)},
		.at = at,
	};
	map_add(map, &interned->entry);
}

struct table_span builder_text(struct builder *builder, struct span text)
{
	struct map_entry *known;
	struct buf *all = text_of(builder);
	struct table_span span = {.len = (uint32_t)text.len};

	if (text.len == 0)
		return span;
	/* keys have no copy that nobody wipes */
	known = table_is_secret(builder->kind) ? NULL : map_find(&builder->texts, text);
	if (known != NULL) {
		span.at = ((struct interned *)known)->at;
		return span;
	}
	BUG_ON(text.len > UINT32_MAX - all->len);
	span.at = (uint32_t)all->len;
	buf_add(all, text);
	if (!table_is_secret(builder->kind))
		intern(builder, &builder->texts, text, span.at);
	return span;
}

void builder_reserve_text(struct builder *builder, size_t bytes)
{
	buf_reserve(text_of(builder), bytes);
}

uint32_t builder_count(const struct builder *builder, unsigned section)
{
	return (uint32_t)(builder->sections[section].len /
			  layout_of(builder)->sections[section].size);
}

uint32_t builder_add(struct builder *builder, unsigned section, const void *element)
{
	uint32_t index = builder_count(builder, section);
	size_t size = layout_of(builder)->sections[section].size;

	BUG_ON(index == TABLE_NONE);
	buf_add(&builder->sections[section], (struct span){element, size});
	return index;
}

uint32_t builder_intern(struct builder *builder, unsigned section, const void *element)
{
	struct span key = {element, layout_of(builder)->sections[section].size};
	struct map_entry *known = map_find(&builder->elements[section], key);
	uint32_t index;

	if (known != NULL)
		return ((struct interned *)known)->at;
	index = builder_add(builder, section, element);
	intern(builder, &builder->elements[section], key, index);
	return index;
}

void *builder_at(struct builder *builder, unsigned section, uint32_t index)
{
	BUG_ON(index >= builder_count(builder, section));
	return builder->sections[section].ptr +
	       (size_t)index * layout_of(builder)->sections[section].size;
}

struct span builder_text_at(const struct builder *builder, struct table_span text)
{
	const struct buf *all = &builder->sections[layout_of(builder)->section_count - 1];

	return text.len == 0 ? (struct span){NULL, 0} : (struct span){all->ptr + text.at, text.len};
}

/* Fills in where the sections will lie; the size of the segment. */
static uint64_t place_sections(const struct builder *builder, struct table_section *sections)
{
	const struct table_layout *layout = layout_of(builder);
	uint64_t end = sizeof(struct table_header) + layout->section_count * sizeof(*sections);

	for (unsigned i = 0; i < layout->section_count; i++) {
		uint64_t begin = table_align(end);

		sections[i] = (struct table_section){
			.at = (uint32_t)begin,
			.count = builder_count(builder, i),
		};
		end = begin + builder->sections[i].len;
	}
	return table_align(end);
}

/* From offsets in the text to offsets in the segment. */
static void move_spans(struct buf *elements, const struct section_layout *layout, uint32_t text_at)
{
	for (size_t at = 0; layout->span_count > 0 && at < elements->len; at += layout->size) {
		for (unsigned i = 0; i < layout->span_count; i++) {
			char *where = elements->ptr + at + layout->spans[i];
			struct table_span span;

			memcpy(&span, where, sizeof(span));
			if (span.len > 0)
				span.at += text_at;
			memcpy(where, &span, sizeof(span));
		}
	}
}

void builder_checksum(void *segment, size_t size)
{
	struct table_header *header = segment;
	size_t from = offsetof(struct table_header, built_wall_ns);

	header->checksum = table_hash((struct span){(char *)segment + from, size - from}, 0);
}

static void write_header(const struct builder *builder, const struct table_stamp *stamp,
			 struct table_header *header, uint64_t size)
{
	const struct table_layout *layout = layout_of(builder);

	memcpy(header->magic, layout->magic, sizeof(header->magic));
	header->version = TABLE_FORMAT_VERSION;
	header->size = (uint32_t)size;
	header->generation = stamp->generation;
	header->built_wall_ns = stamp->built_wall_ns;
	header->set = stamp->set;
	header->shard = stamp->shard;
	header->shard_count = stamp->shard_count;
	header->section_count = layout->section_count;
}

void builder_finish(struct builder *builder, const struct table_stamp *stamp, struct buf *out)
{
	const struct table_layout *layout = layout_of(builder);
	struct table_section sections[TABLE_SECTIONS_MAX];
	uint64_t size = place_sections(builder, sections);
	struct table_header *header;

	if (size > TABLE_SEGMENT_MAX)
		return;
	header = (void *)buf_reserve(out, size);
	memset(header, 0, size);
	write_header(builder, stamp, header, size);
	memcpy(header->sections, sections, layout->section_count * sizeof(*sections));
	for (unsigned i = 0; i < layout->section_count; i++) {
		struct buf *elements = &builder->sections[i];

		move_spans(elements, &layout->sections[i], sections[layout->section_count - 1].at);
		if (elements->len > 0)
			memcpy((char *)header + sections[i].at, elements->ptr, elements->len);
	}
	builder_checksum(header, size);
	out->len += size;
}
