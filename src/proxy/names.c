/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/names.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"

enum {
	NAME_BYTES_MAX = 253,
	NAMES_MAX = 10000, /* more than a table should hold; beyond it nothing new is resolved */
	TTL_MIN_S = 1,
	TTL_MAX_S = 300,
	NEGATIVE_S = 5, /* security spec, 7.1 */
	UNUSED_S = 600, /* names that were not wanted for so long may be forgotten */
	STALE_S = 3600, /* for how long old addresses serve while no server answers */
};

static const uint64_t ns_per_s = 1000000000;

struct name {
	struct map_entry by_key;
	struct names *owner;
	bool asking;
	bool known;       /* endpoints are from an answer */
	uint64_t used_ns; /* by a request, last */
	uint64_t fresh_until_ns;
	uint64_t stale_until_ns; /* with known */
	struct list waiters;     /* struct name_waiter */
	uint32_t count;
	struct endpoint_record endpoints[RESOLVER_ADDRESSES_MAX];
	uint16_t port;
	char text[NAME_BYTES_MAX + 1];
	char key[NAME_BYTES_MAX + 8];
};

void name_waiter_init(struct name_waiter *waiter)
{
	list_init(&waiter->link);
}

void name_waiter_cancel(struct name_waiter *waiter)
{
	list_remove(&waiter->link);
}

void names_init(struct names *names, struct loop *loop, struct resolver *resolver,
		struct worker_counters *counters)
{
	*names = (struct names){.loop = loop, .resolver = resolver, .counters = counters};
	map_init(&names->by_key);
}

void names_fini(struct names *names)
{
	struct map_entry *entry;

	if (names->resolver != NULL)
		resolver_free(names->resolver);
	while ((entry = map_next(&names->by_key, NULL)) != NULL) {
		map_remove(&names->by_key, entry);
		free(container_of(entry, struct name, by_key));
	}
	map_fini(&names->by_key);
}

/* Names that no request wanted for a while make room; they may have left the table long ago. */
static void forget_unused(struct names *names)
{
	uint64_t now_ns = loop_now_ns(names->loop);
	struct map_entry *entry = map_next(&names->by_key, NULL);

	while (entry != NULL) {
		struct name *name = container_of(entry, struct name, by_key);

		entry = map_next(&names->by_key, entry);
		if (name->asking || now_ns - name->used_ns < UNUSED_S * ns_per_s)
			continue;
		map_remove(&names->by_key, &name->by_key);
		free(name);
		names->count--;
	}
}

static struct name *find_or_add(struct names *names, struct span text, uint16_t port)
{
	char key[NAME_BYTES_MAX + 8];
	int length = snprintf(key, sizeof(key), "%.*s:%u", (int)text.len, text.ptr, port);
	struct map_entry *entry = map_find(&names->by_key, span_make(key, (size_t)length));
	struct name *name;

	if (entry != NULL)
		return container_of(entry, struct name, by_key);
	if (names->count == NAMES_MAX)
		forget_unused(names);
	if (names->count == NAMES_MAX)
		return NULL;
	names->count++;
	name = memory_new(sizeof(*name));
	name->owner = names;
	name->port = port;
	list_init(&name->waiters);
	memcpy(name->text, text.ptr, text.len);
	memcpy(name->key, key, sizeof(key));
	name->by_key.key = span_make(name->key, (size_t)length);
	map_add(&names->by_key, &name->by_key);
	return name;
}

static void set_endpoint(struct name *name, const struct ip *ip)
{
	name->endpoints[name->count++] = (struct endpoint_record){
		.ip = *ip,
		.port = name->port,
		.weight = 1,
		.slot = TABLE_NONE,
	};
}

static void take_answer(struct name *name, const struct resolver_answer *answer)
{
	uint64_t now_ns = loop_now_ns(name->owner->loop);
	uint64_t ttl_s = answer->ttl_s;

	if (ttl_s < TTL_MIN_S)
		ttl_s = TTL_MIN_S;
	if (ttl_s > TTL_MAX_S)
		ttl_s = TTL_MAX_S;
	name->known = true;
	name->count = 0;
	for (uint32_t i = 0; i < answer->count; i++)
		set_endpoint(name, &answer->ips[i]);
	name->fresh_until_ns = now_ns + ttl_s * ns_per_s;
	name->stale_until_ns = now_ns + STALE_S * ns_per_s;
}

static void wake_waiters(struct name *name)
{
	struct list waiting;

	/* who is woken may wait again */
	list_init(&waiting);
	while (!list_is_empty(&name->waiters)) {
		struct list *link = name->waiters.next;

		list_remove(link);
		list_add_last(&waiting, link);
	}
	while (!list_is_empty(&waiting)) {
		struct name_waiter *waiter = container_of(waiting.next, struct name_waiter, link);

		list_remove(&waiter->link);
		waiter->on_known(waiter);
	}
}

static void on_answer(void *owner, const struct resolver_answer *answer)
{
	struct name *name = owner;
	struct worker_counters *counters = name->owner->counters;
	uint64_t now_ns = loop_now_ns(name->owner->loop);

	name->asking = false;
	if (answer->status == RESOLVER_OK) {
		counters->names_resolved++;
		take_answer(name, answer);
	} else {
		counters->names_failed++;
		name->fresh_until_ns = now_ns + NEGATIVE_S * ns_per_s;
		if (answer->status == RESOLVER_ABSENT || now_ns >= name->stale_until_ns)
			name->known = false;
	}
	wake_waiters(name);
}

/* The name is its own answer, or is being asked for. */
static void begin(struct name *name)
{
	struct ip ip;

	if (ip_parse(span_from(name->text), &ip)) {
		name->known = true;
		name->count = 0;
		set_endpoint(name, &ip);
		name->fresh_until_ns = UINT64_MAX;
		name->stale_until_ns = UINT64_MAX;
		return;
	}
	if (name->owner->resolver == NULL) {
		name->fresh_until_ns = UINT64_MAX;
		return;
	}
	name->asking = true;
	resolver_ask(name->owner->resolver, name->text, on_answer, name);
}

enum names_status names_find(struct names *names, struct span text, uint16_t port,
			     struct name_waiter *waiter,
			     void (*on_known)(struct name_waiter *waiter),
			     struct balance_choice *choice)
{
	struct name *name;

	BUG_ON(text.len > NAME_BYTES_MAX);
	name = find_or_add(names, text, port);
	if (name == NULL)
		return NAMES_FAILED;
	name->used_ns = loop_now_ns(names->loop);
	if (!name->asking && loop_now_ns(names->loop) >= name->fresh_until_ns)
		begin(name);
	/* addresses from long ago may be somebody else's by now */
	if (name->known && loop_now_ns(names->loop) < name->stale_until_ns) {
		choice->endpoints = name->endpoints;
		choice->count = name->count;
		return NAMES_KNOWN;
	}
	if (!name->asking)
		return NAMES_FAILED;
	waiter->on_known = on_known;
	list_add_last(&name->waiters, &waiter->link);
	return NAMES_ASKED;
}
