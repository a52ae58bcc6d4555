/* SPDX-License-Identifier: Apache-2.0 */
#include "http/header.h"

#include <assert.h>
#include <string.h>

#include "base/bug.h"

enum { NAME_MIN = 2, NAME_MAX = 32 };

struct known_header {
	char name[NAME_MAX];
	uint8_t length;
	uint8_t request_way;
	uint8_t response_way;
};

static const struct known_header known[HEADER_COUNT] = {
#define HEADER(id, name, request, response) \
	[HEADER_##id] = {name, sizeof(name) - 1, HEADER_WAY_##request, HEADER_WAY_##response},
#include "http/header.def"
#undef HEADER
};

#define HEADER(id, name, request, response) \
	static_assert(sizeof(name) > NAME_MIN && sizeof(name) <= NAME_MAX, name);
#include "http/header.def"
#undef HEADER
static_assert(HEADER_COUNT <= 128, "the table of candidates is at most half full");

/* A name's tag is made of its length and three of its letters. The factor was searched so that no
 * two known names have the same one; if two had, both would be compared. */
#define TAG_FACTOR 0x4e78980fU

static inline uint8_t tag_of(struct span name)
{
	uint32_t letters = (uint32_t)(unsigned char)name.ptr[0] |
			   (uint32_t)(unsigned char)name.ptr[name.len - 2] << 8 |
			   (uint32_t)(unsigned char)name.ptr[name.len - 1] << 16 | 0x202020U;

	return (uint8_t)((letters | (uint32_t)name.len << 24) * TAG_FACTOR >> 24);
}

/* Ids by tag, a name whose tag is taken in the next free place. Filled before main, because C makes
 * no such table at compile time, and never written again. */
static uint8_t candidates[256];

__attribute__((constructor)) static void fill_candidates(void)
{
	for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++) {
		uint8_t place = tag_of(header_name((enum header_id)id));

		while (candidates[place] != HEADER_OTHER)
			place++;
		candidates[place] = (uint8_t)id;
	}
}

static inline uint64_t load8(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static inline uint64_t load4(const char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* Fewer than eight bytes, at least two, in one word; some may be in it twice. */
static inline uint64_t load_short(const char *at, size_t length)
{
	if (length >= 4)
		return load4(at) | load4(at + length - 4) << 32;
	return (uint64_t)(unsigned char)at[0] | (uint64_t)(unsigned char)at[1] << 8 |
	       (uint64_t)(unsigned char)at[length - 1] << 16;
}

/* Whether bytes are those of a known name. In such a name letters alone have the bit 0x40, and a
 * letter may differ in the bit 0x20. */
static inline bool same_word(uint64_t bytes, uint64_t wanted)
{
	uint64_t other_case = (wanted & UINT64_C(0x4040404040404040)) >> 1;

	return ((bytes ^ wanted) & ~other_case) == 0;
}

static inline bool same_name(const char *bytes, const char *name, size_t length)
{
	if (length < 8)
		return same_word(load_short(bytes, length), load_short(name, length));
	for (size_t i = 0; i + 8 < length; i += 8)
		if (!same_word(load8(bytes + i), load8(name + i)))
			return false;
	return same_word(load8(bytes + length - 8), load8(name + length - 8));
}

enum header_id header_find(struct span name)
{
	uint8_t place;
	enum header_id id;

	if (name.len < NAME_MIN || name.len >= NAME_MAX)
		return HEADER_OTHER;
	place = tag_of(name);
	while ((id = (enum header_id)candidates[place++]) != HEADER_OTHER)
		if (known[id].length == name.len && same_name(name.ptr, known[id].name, name.len))
			return id;
	return HEADER_OTHER;
}

struct span header_name(enum header_id id)
{
	BUG_ON(id == HEADER_OTHER || (unsigned)id >= HEADER_COUNT);
	return (struct span){known[id].name, known[id].length};
}

enum header_way header_request_way(enum header_id id)
{
	BUG_ON((unsigned)id >= HEADER_COUNT);
	return (enum header_way)known[id].request_way;
}

enum header_way header_response_way(enum header_id id)
{
	BUG_ON((unsigned)id >= HEADER_COUNT);
	return (enum header_way)known[id].response_way;
}
