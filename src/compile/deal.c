/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/deal.h"

#include <stdlib.h>

#include "base/memory.h"
#include "compile/compiler.h"

void deal_init(struct deal *deal, uint32_t (*shard_of)(const struct deal *deal, struct span name))
{
	*deal = (struct deal){.shard_of = shard_of};
	map_init(&deal->by_name);
	list_init(&deal->all);
	deal_out(deal, 1, 0, 0);
}

static void free_thing(struct dealt *thing)
{
	free(thing->rows);
	free(thing);
}

void deal_fini(struct deal *deal)
{
	list_for_each_safe (link, &deal->all)
		free_thing(container_of(link, struct dealt, in_all));
	map_fini(&deal->by_name);
	free(deal->shards);
}

static struct deal_shard *shard_of(const struct deal *deal, const struct dealt *thing)
{
	return &deal->shards[deal->shard_of(deal, thing->by_name.key)];
}

void deal_begin(struct deal *deal)
{
	deal->round++;
}

static struct dealt *add(struct deal *deal, struct span name)
{
	struct dealt *thing = memory_new(sizeof(*thing) + name.len);

	if (name.len > 0)
		memcpy(thing->name, name.ptr, name.len);
	thing->by_name.key = span_make(thing->name, name.len);
	map_add(&deal->by_name, &thing->by_name);
	list_add_last(&deal->all, &thing->in_all);
	list_add_last(&shard_of(deal, thing)->things, &thing->in_shard);
	return thing;
}

void deal_note(struct deal *deal, struct span name)
{
	struct dealt *thing = deal_find(deal, name);

	if (thing == NULL)
		thing = add(deal, name);
	thing->round = deal->round;
	shard_of(deal, thing)->old = true;
}

struct dealt *deal_find_left(const struct deal *deal, const struct dealt *last)
{
	const struct list *link = last == NULL ? deal->all.next : last->in_all.next;

	for (; link != &deal->all; link = link->next) {
		struct dealt *thing = container_of(link, struct dealt, in_all);

		if (thing->round != deal->round)
			return thing;
	}
	return NULL;
}

struct dealt *deal_find(const struct deal *deal, struct span name)
{
	struct map_entry *entry = map_find(&deal->by_name, name);

	return entry == NULL ? NULL : container_of(entry, struct dealt, by_name);
}

void deal_remove(struct deal *deal, struct dealt *thing)
{
	shard_of(deal, thing)->old = true;
	map_remove(&deal->by_name, &thing->by_name);
	list_remove(&thing->in_all);
	list_remove(&thing->in_shard);
	free_thing(thing);
}

void deal_out(struct deal *deal, uint32_t shard_count, uint32_t seed, uint64_t set)
{
	free(deal->shards);
	deal->shards = memory_new_array(shard_count, sizeof(*deal->shards));
	deal->shard_count = shard_count;
	deal->seed = seed;
	deal->set = set;
	for (uint32_t i = 0; i < shard_count; i++) {
		list_init(&deal->shards[i].things);
		deal->shards[i].old = true;
	}
	list_for_each (link, &deal->all) {
		struct dealt *thing = container_of(link, struct dealt, in_all);

		list_init(&thing->in_shard);
		list_add_last(&shard_of(deal, thing)->things, &thing->in_shard);
	}
}

void deal_adapt(struct deal *deal, uint64_t set)
{
	uint32_t present = deal->set == 0 ? 0 : deal->shard_count;
	uint32_t count = compiler_shard_count(present, (uint32_t)deal->by_name.count);

	if (count != present)
		deal_out(deal, count, deal->seed, set);
}

bool deal_is_old(const struct deal *deal)
{
	for (uint32_t i = 0; i < deal->shard_count; i++)
		if (deal->shards[i].old)
			return true;
	return false;
}
