/* SPDX-License-Identifier: Apache-2.0 */
#include "table/verify.h"

#include "table/hash.h"
#include "table/layout.h"

bool verify_is_zero(const void *bytes, size_t size)
{
	const char *at = bytes;

	for (size_t i = 0; i < size; i++)
		if (at[i] != 0)
			return false;
	return true;
}

static int verify_header(struct span segment, const struct table_layout *layout, struct error *err)
{
	const struct table_header *header = (const void *)segment.ptr;
	size_t sections_end = sizeof(*header) +
			      layout->section_count * sizeof(struct table_section);

	if ((uintptr_t)segment.ptr % TABLE_ALIGN != 0)
		return error_set(err, "the segment lies at no multiple of %d", TABLE_ALIGN);
	if (segment.len < sections_end || segment.len > TABLE_SEGMENT_MAX)
		return error_set(err, "%zu bytes are no size of a segment", segment.len);
	if (memcmp(header->magic, layout->magic, sizeof(header->magic)) != 0)
		return error_set(err, "the segment does not begin with \"%s\"", layout->magic);
	if (header->version != TABLE_FORMAT_VERSION)
		return error_set(err, "format version %u is not %d", header->version,
				 TABLE_FORMAT_VERSION);
	if (header->size != segment.len)
		return error_set(err, "the header says %u bytes, there are %zu", header->size,
				 segment.len);
	if (header->shard_count == 0 || header->shard_count > TABLE_SHARDS_MAX ||
	    (header->shard_count & (header->shard_count - 1)) != 0 ||
	    header->shard >= header->shard_count)
		return error_set(err, "there is no shard %u of %u", header->shard,
				 header->shard_count);
	if (header->section_count != layout->section_count)
		return error_set(err, "%llu sections, expected %u",
				 (unsigned long long)header->section_count, layout->section_count);
	return 0;
}

static int verify_checksum(const struct table_header *header, struct error *err)
{
	size_t from = offsetof(struct table_header, built_wall_ns);
	struct span checked = {(const char *)header + from, header->size - from};

	if (header->checksum != table_hash(checked, 0))
		return error_set(err, "the checksum differs");
	return 0;
}

/* Each section begins where the one before it ended, and the segment ends with the last. */
static int verify_sections(const struct table_header *header, const struct table_layout *layout,
			   struct error *err)
{
	const char *bytes = (const char *)header;
	uint64_t end = sizeof(*header) + layout->section_count * sizeof(struct table_section);

	for (unsigned i = 0; i < layout->section_count; i++) {
		const struct table_section *section = &header->sections[i];
		uint64_t begin = table_align(end);

		if (section->at != begin || begin > header->size)
			return error_set(err, "section %s is not where it must begin",
					 layout->sections[i].name);
		if (!verify_is_zero(bytes + end, begin - end))
			return error_set(err, "bytes before section %s are not zero",
					 layout->sections[i].name);
		end = begin + (uint64_t)section->count * layout->sections[i].size;
		if (end > header->size)
			return error_set(err, "section %s goes beyond the end",
					 layout->sections[i].name);
	}
	if (table_align(end) != header->size || !verify_is_zero(bytes + end, header->size - end))
		return error_set(err, "the text is not the end of the segment");
	return 0;
}

static bool is_in_text(struct table_span span, struct table_section text)
{
	if (span.len == 0)
		return span.at == 0;
	return span.at >= text.at && span.len <= text.count &&
	       span.at - text.at <= text.count - span.len;
}

static bool has_text(const char *element, const struct section_layout *layout,
		     struct table_section text)
{
	for (unsigned i = 0; i < layout->span_count; i++) {
		struct table_span span;

		memcpy(&span, element + layout->spans[i], sizeof(span));
		if (!is_in_text(span, text))
			return false;
	}
	return true;
}

static int verify_spans(const struct table_header *header, const struct table_layout *layout,
			struct error *err)
{
	struct table_section text = header->sections[layout->section_count - 1];

	for (unsigned i = 0; i < layout->section_count; i++) {
		const struct section_layout *section = &layout->sections[i];
		const char *element = table_section(header, i);

		for (uint32_t n = 0; section->span_count > 0 && n < header->sections[i].count; n++)
			if (!has_text(element + (size_t)n * section->size, section, text))
				return error_set(err, "%s[%u] names text outside the segment's",
						 section->name, n);
	}
	return 0;
}

int verify_segment(struct span segment, enum table_kind kind, struct error *err)
{
	const struct table_layout *layout = &table_layouts[kind];
	const struct table_header *header = (const void *)segment.ptr;

	if (verify_header(segment, layout, err) == -1 || verify_checksum(header, err) == -1 ||
	    verify_sections(header, layout, err) == -1 || verify_spans(header, layout, err) == -1)
		return -1;
	return 0;
}
