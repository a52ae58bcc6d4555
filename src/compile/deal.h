/* SPDX-License-Identifier: Apache-2.0 */
/* Things with names, dealt out into shards: which there are, and which shards are to be compiled. Hosts and
 * certificates. For compile alone.
 */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "base/map.h"

struct dealt {
	struct map_entry by_name;
	struct list in_all;   /* in order of first mention */
	struct list in_shard; /* likewise */
	uint64_t round;       /* last call of deal_begin since which it was noted */
	uint32_t *rows;       /* hosts: that its routes had when they were compiled last */
	size_t row_count;
	size_t row_room;
	char name[]; /* as the model has it */
};

struct deal_shard {
	struct list things;
	bool old; /* to be compiled */
};

struct deal {
	/* In which shard a name is; by seed and shard_count. */
	uint32_t (*shard_of)(const struct deal *deal, struct span name);
	uint32_t seed;
	uint32_t shard_count;
	uint64_t set;
	struct deal_shard *shards;
	struct map by_name;
	struct list all;
	uint64_t round;
};

void deal_init(struct deal *deal, uint32_t (*shard_of)(const struct deal *deal, struct span name));
void deal_fini(struct deal *deal);

/* Notes of everything follow: who is not noted until deal_find_left has gone. */
void deal_begin(struct deal *deal);

/* There is such a thing, new or as before; its shard is old. */
void deal_note(struct deal *deal, struct span name);

/* One that was not noted since deal_begin, after the one that was returned last; NULL: that was the last. */
struct dealt *deal_find_left(const struct deal *deal, const struct dealt *last);

struct dealt *deal_find(const struct deal *deal, struct span name);

/* There is no such thing any more; its shard is old. */
void deal_remove(struct deal *deal, struct dealt *thing);

/* Deals them out anew, in another number of shards or under another seed; every shard is old. */
void deal_out(struct deal *deal, uint32_t shard_count, uint32_t seed, uint64_t set);

/* Where another number of shards is due, all are dealt out anew: set is then the number of the set. */
void deal_adapt(struct deal *deal, uint64_t set);

/* A shard of them is to be compiled. */
bool deal_is_old(const struct deal *deal);
