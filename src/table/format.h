/* SPDX-License-Identifier: Apache-2.0 */
/* The byte layout of table segments, a contract like a file format.
 *
 * The table of each kind is a set of shards, one segment each, so that a change costs the size of a shard. A
 * segment is flat memory with offsets instead of pointers: built by compile, sealed, mapped read-only
 * by every worker, verified once at mapping. All numbers are in the byte order of the machine: a
 * segment never leaves it. Offsets are from the start of the segment; `at` of an empty table_span is 0.
 *
 *     OFFSET  SIZE  FIELD
 *          0     8  magic: "INGOT-RT" routes, "INGOT-EP" endpoints, "INGOT-CE" certificates
 *          8     4  format version; a reader refuses any other
 *         12     4  size of the segment in bytes
 *         16     8  generation, grows by one with every build
 *         24     8  XXH3 of every byte from offset 32 on
 *         32     8  wall clock of the build, nanoseconds since 1970
 *         40     4  which shard of its set it is
 *         44     4  how many shards the set has, a power of two
 *         48     8  number of the set: the generation in which it was begun
 *         56     8  number of sections
 *         64  8×n   sections: offset and count of elements each; which they are: enum …_section
 *
 * Every section begins at a multiple of 16 and holds structs of one kind, declared in routes.h,
 * endpoints.h and certificates.h, but for the last, which is bytes: the text that table_spans point into. Sections
 * lie in the order of their enum without gaps but for the zero bytes up to that multiple, and the segment ends
 * with such zeros too: a content has one form, so equal contents are equal bytes.
 *
 * Shards of one set that lie one behind the other, in ascending order, are a bundle: what is sealed, sent, and
 * stored in a file.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum { TABLE_FORMAT_VERSION = 8, TABLE_SECTIONS_MAX = 16, TABLE_HEADER_SIZE = 64 };
enum { TABLE_SEGMENT_MAX = 1 << 30, TABLE_ALIGN = 16 }; /* bytes; of a bundle too */
enum { TABLE_SHARDS_MAX = 4096 };

/* How many things may have a number. Slots and rows are those of the live figures (stats/layout.h). */
enum {
	TABLE_UPSTREAMS_MAX = 1 << 18,
	TABLE_SLOTS_MAX = 1 << 17,
	TABLE_STAT_ROWS_MAX = 1 << 15,
};

/* Ranges of what a segment says; verify refuses what is outside. */
enum {
	TABLE_HOST_BYTES_MAX = 255,
	TABLE_HEAD_BYTES_MAX = 16 << 20, /* heads of requests and responses */
	TABLE_WEIGHT_MAX = 65535,
	TABLE_SUBSET_MAX = 1 << 16,
	TABLE_BOUND_PERCENT_MAX = 10000,
	TABLE_WORDS_BYTES_MAX = 1024, /* lists in OpenSSL's words */
	TABLE_VERIFY_DEPTH_MAX = 100, /* of certificates */
};

/* An index or offset that names nothing. */
#define TABLE_NONE UINT32_MAX

enum table_kind { TABLE_ROUTES, TABLE_ENDPOINTS, TABLE_CERTIFICATES, TABLE_KIND_COUNT };

/* It is for workers alone, in memory that is wiped. */
static inline bool table_is_secret(enum table_kind kind)
{
	return kind == TABLE_CERTIFICATES;
}

struct table_section {
	uint32_t at;
	uint32_t count;
};

struct table_header {
	char magic[8];
	uint32_t version;
	uint32_t size;
	uint64_t generation;
	uint64_t checksum;
	uint64_t built_wall_ns;
	uint32_t shard;
	uint32_t shard_count;
	uint64_t set;
	uint64_t section_count;
	struct table_section sections[]; /* section_count of them */
};

static_assert(sizeof(struct table_header) == TABLE_HEADER_SIZE, "layout");

/* Text in the segment; not NUL-terminated. */
struct table_span {
	uint32_t at;
	uint32_t len;
};
