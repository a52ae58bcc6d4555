/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts by shard: which there are, and which shards are to be compiled. For compile alone. */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "base/map.h"

struct host {
	struct map_entry by_name;
	struct list in_all;   /* in order of first mention */
	struct list in_shard; /* likewise */
	uint64_t round;       /* last call of hosts_begin since which it was noted */
	uint32_t *rows;       /* that its routes had when they were compiled last */
	size_t row_count;
	size_t row_room;
	char name[]; /* as the model has it */
};

struct host_shard {
	struct list hosts;
	bool old; /* to be compiled */
};

struct hosts {
	uint32_t seed; /* of the hash of names */
	uint32_t shard_count;
	uint64_t set;
	struct host_shard *shards;
	struct map by_name;
	struct list all;
	uint64_t round;
};

void hosts_init(struct hosts *hosts);
void hosts_fini(struct hosts *hosts);

/* Notes of everything follow: who is not noted until hosts_find_left has gone. */
void hosts_begin(struct hosts *hosts);

/* There is such a host, new or as before; its shard is old. */
void hosts_note(struct hosts *hosts, struct span name);

/* A host that was not noted since hosts_begin, after the one that was returned last; NULL: that was the last. */
struct host *hosts_find_left(const struct hosts *hosts, const struct host *last);

struct host *hosts_find(const struct hosts *hosts, struct span name);

/* There is no such host any more; its shard is old. */
void hosts_remove(struct hosts *hosts, struct host *host);

/* Deals them out anew, in another number of shards or under another seed; every shard is old. */
void hosts_deal(struct hosts *hosts, uint32_t shard_count, uint32_t seed, uint64_t set);

/* A shard of them is to be compiled. */
bool hosts_are_old(const struct hosts *hosts);

/* The name as the table has it: a wildcard without its star. */
struct span hosts_stored_name(struct span name);
