/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/hosts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "table/hash.h"

void hosts_init(struct hosts *hosts)
{
	*hosts = (struct hosts){0};
	map_init(&hosts->by_name);
	list_init(&hosts->all);
	hosts_deal(hosts, 1, 0, 0);
}

static void free_host(struct host *host)
{
	free(host->rows);
	free(host);
}

void hosts_fini(struct hosts *hosts)
{
	list_for_each_safe (link, &hosts->all)
		free_host(container_of(link, struct host, in_all));
	map_fini(&hosts->by_name);
	free(hosts->shards);
}

struct span hosts_stored_name(struct span name)
{
	return span_starts_with(name, S("*.")) ? span_skip(name, 1) : name;
}

static struct span name_of(const struct host *host)
{
	return host->by_name.key;
}

/* The host for everything else has a place of its own. */
static struct host_shard *shard_of(const struct hosts *hosts, struct span name)
{
	uint64_t hash = table_hash(hosts_stored_name(name), hosts->seed);

	return &hosts->shards[name.len == 0 ? 0 : table_hash_shard(hash, hosts->shard_count)];
}

void hosts_begin(struct hosts *hosts)
{
	hosts->round++;
}

static struct host *add(struct hosts *hosts, struct span name)
{
	struct host *host = memory_new(sizeof(*host) + name.len);

	if (name.len > 0)
		memcpy(host->name, name.ptr, name.len);
	host->by_name.key = span_make(host->name, name.len);
	map_add(&hosts->by_name, &host->by_name);
	list_add_last(&hosts->all, &host->in_all);
	list_add_last(&shard_of(hosts, name)->hosts, &host->in_shard);
	return host;
}

void hosts_note(struct hosts *hosts, struct span name)
{
	struct host *host = hosts_find(hosts, name);

	if (host == NULL)
		host = add(hosts, name);
	host->round = hosts->round;
	shard_of(hosts, name)->old = true;
}

struct host *hosts_find_left(const struct hosts *hosts, const struct host *last)
{
	const struct list *link = last == NULL ? hosts->all.next : last->in_all.next;

	for (; link != &hosts->all; link = link->next) {
		struct host *host = container_of(link, struct host, in_all);

		if (host->round != hosts->round)
			return host;
	}
	return NULL;
}

struct host *hosts_find(const struct hosts *hosts, struct span name)
{
	struct map_entry *entry = map_find(&hosts->by_name, name);

	return entry == NULL ? NULL : container_of(entry, struct host, by_name);
}

void hosts_remove(struct hosts *hosts, struct host *host)
{
	shard_of(hosts, name_of(host))->old = true;
	map_remove(&hosts->by_name, &host->by_name);
	list_remove(&host->in_all);
	list_remove(&host->in_shard);
	free_host(host);
}

void hosts_deal(struct hosts *hosts, uint32_t shard_count, uint32_t seed, uint64_t set)
{
	free(hosts->shards);
	hosts->shards = memory_new_array(shard_count, sizeof(*hosts->shards));
	hosts->shard_count = shard_count;
	hosts->seed = seed;
	hosts->set = set;
	for (uint32_t i = 0; i < shard_count; i++) {
		list_init(&hosts->shards[i].hosts);
		hosts->shards[i].old = true;
	}
	list_for_each (link, &hosts->all) {
		struct host *host = container_of(link, struct host, in_all);

		list_init(&host->in_shard);
		list_add_last(&shard_of(hosts, name_of(host))->hosts, &host->in_shard);
	}
}

bool hosts_are_old(const struct hosts *hosts)
{
	for (uint32_t i = 0; i < hosts->shard_count; i++)
		if (hosts->shards[i].old)
			return true;
	return false;
}
