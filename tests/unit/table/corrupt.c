/* SPDX-License-Identifier: Apache-2.0 */
#include "corrupt.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"

void corrupt(char *segment, const struct corruption *corruption)
{
	const struct table_header *header = (const void *)segment;
	const struct field_place *place = &corruption->place;

	assert_true(place->index < header->sections[place->section].count);
	memcpy(segment + header->sections[place->section].at +
		       (size_t)place->index * place->size_of_element + place->at,
	       &corruption->value, place->size);
}

void assert_corruption_refused(const struct buf *bytes, const struct corruption *corruption,
			       int (*verify)(struct span segment, struct error *err))
{
	char *copy = memory_new(bytes->len);
	struct error err = {0};

	memcpy(copy, bytes->ptr, bytes->len);
	assert_int_equal(verify(span_make(copy, bytes->len), &err), 0);
	corrupt(copy, corruption);
	builder_checksum(copy, bytes->len);
	if (verify(span_make(copy, bytes->len), &err) == 0)
		fail_msg("accepted, expected: %s", corruption->reason);
	if (strstr(err.text, corruption->reason) == NULL)
		fail_msg("\"%s\", expected: %s", err.text, corruption->reason);
	free(copy);
}

/* A copy at the end of a page that may be written to. */
static struct given_pages writable(struct span segment)
{
	struct given_pages pages = given_pages(segment);
	size_t size = pages.size - (size_t)sysconf(_SC_PAGESIZE);

	assert_int_equal(mprotect(pages.pages, size, PROT_READ | PROT_WRITE), 0);
	return pages;
}

static void use_mended(char *at, size_t size, void (*use)(struct span segment))
{
	builder_checksum(at, size);
	use(span_make(at, size));
}

static void try_word(char *at, size_t size, size_t offset, void (*use)(struct span segment))
{
	uint32_t was;

	memcpy(&was, at + offset, sizeof(was));
	const uint32_t odd[] = {
		0,          1,       2,          was + 1,        was - 1,          was + 16,
		was - 16,   was * 2, UINT32_MAX, UINT32_MAX - 1, INT32_MAX,        0x80000000,
		0xffffff00, 1 << 16, 1 << 30,    (uint32_t)size, (uint32_t)offset,
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		memcpy(at + offset, &odd[i], sizeof(odd[i]));
		use_mended(at, size, use);
	}
	memcpy(at + offset, &was, sizeof(was));
}

void corrupt_every_word(struct span segment, void (*use)(struct span segment))
{
	struct given_pages pages = writable(segment);
	char *at = (char *)(uintptr_t)pages.bytes.ptr;

	for (size_t offset = 0; offset + sizeof(uint32_t) <= segment.len;
	     offset += sizeof(uint32_t))
		try_word(at, segment.len, offset, use);
	given_pages_end(&pages);
}

void corrupt_every_bit(struct span segment, void (*use)(struct span segment))
{
	struct given_pages pages = writable(segment);
	char *at = (char *)(uintptr_t)pages.bytes.ptr;

	for (size_t bit = 0; bit < segment.len * 8; bit++) {
		at[bit / 8] = (char)(at[bit / 8] ^ (1 << bit % 8));
		use_mended(at, segment.len, use);
		at[bit / 8] = (char)(at[bit / 8] ^ (1 << bit % 8));
	}
	given_pages_end(&pages);
}
