/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of hosts and path labels: XXH3, the same on the side that builds and the side that looks up. */
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/span.h"

static inline uint64_t table_hash(struct span text, uint64_t seed)
{
	return XXH3_64bits_withSeed(text.len == 0 ? "" : text.ptr, text.len, seed);
}

static inline uint32_t table_hash_low(uint64_t hash)
{
	return (uint32_t)hash;
}

static inline uint32_t table_hash_high(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

/* Which shard of a set a host is in: by the twelve highest bits, which choose no bucket of a shard below 2^20. */
static inline uint32_t table_hash_shard(uint64_t hash, uint32_t shard_count)
{
	return (uint32_t)(hash >> 52) & (shard_count - 1);
}
