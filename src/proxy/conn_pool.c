/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/conn_pool.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"
#include "proxy/upstream.h"

void conn_pool_init(struct conn_pool *pool, uint32_t slot_count)
{
	*pool = (struct conn_pool){.slot_count = slot_count};
	list_init(&pool->lru);
	list_init(&pool->busy);
	/* cleared pages that nobody touches cost nothing */
	pool->by_slot = memory_new_array(slot_count, sizeof(struct upstream *));
}

void conn_pool_fini(struct conn_pool *pool)
{
	BUG_ON(pool->count != 0 || !list_is_empty(&pool->busy));
	free(pool->by_slot);
}

static struct upstream **head_of(struct conn_pool *pool, uint32_t slot)
{
	return slot < pool->slot_count ? &pool->by_slot[slot] : &pool->unslotted;
}

static void chain(struct conn_pool *pool, struct upstream *upstream)
{
	struct upstream **head = head_of(pool, upstream->slot);

	upstream->next = *head;
	upstream->link = head;
	if (*head != NULL)
		(*head)->link = &upstream->next;
	*head = upstream;
}

static void unchain(struct upstream *upstream)
{
	if (upstream->link == NULL)
		return;
	*upstream->link = upstream->next;
	if (upstream->next != NULL)
		upstream->next->link = upstream->link;
	upstream->next = NULL;
	upstream->link = NULL;
}

void conn_pool_add(struct conn_pool *pool, struct upstream *upstream)
{
	chain(pool, upstream);
	list_add_last(&pool->busy, &upstream->lru);
}

void conn_pool_rest(struct conn_pool *pool, struct upstream *upstream)
{
	if (upstream->link == NULL)
		chain(pool, upstream);
	list_remove(&upstream->lru);
	list_add_last(&pool->lru, &upstream->lru);
	pool->count++;
}

void conn_pool_wake(struct conn_pool *pool, struct upstream *upstream)
{
	list_remove(&upstream->lru);
	pool->count--;
	if (upstream->h2 != NULL)
		list_add_last(&pool->busy, &upstream->lru);
	else
		unchain(upstream);
}

void conn_pool_hide(struct upstream *upstream)
{
	unchain(upstream);
}

void conn_pool_remove(struct conn_pool *pool, struct upstream *upstream)
{
	if (upstream->idle)
		pool->count--;
	list_remove(&upstream->lru);
	unchain(upstream);
}

static bool leads_to(const struct upstream *upstream, const struct endpoint_record *endpoint,
		     const struct tls_context *tls)
{
	return upstream->tls == tls && upstream->incarnation == endpoint->incarnation &&
	       upstream->at.port == endpoint->port && ip_equals(&upstream->at.ip, &endpoint->ip);
}

struct upstream *conn_pool_find(struct conn_pool *pool, const struct endpoint_record *endpoint,
				const struct tls_context *tls,
				bool (*serves)(struct upstream *upstream))
{
	struct upstream *upstream = *head_of(pool, endpoint->slot);

	while (upstream != NULL) {
		struct upstream *next = upstream->next;

		if (leads_to(upstream, endpoint, tls) && serves(upstream))
			return upstream;
		upstream = next;
	}
	return NULL;
}

void conn_pool_leave(struct conn_pool *pool, const struct endpoint_record *endpoint)
{
	struct upstream *upstream = *head_of(pool, endpoint->slot);

	while (upstream != NULL) {
		struct upstream *next = upstream->next;

		if (upstream->slot == endpoint->slot &&
		    upstream->incarnation == endpoint->incarnation)
			upstream_leave(upstream);
		upstream = next;
	}
}

bool conn_pool_give_up(struct conn_pool *pool)
{
	struct list *oldest = list_first(&pool->lru);

	if (oldest == NULL)
		return false;
	upstream_give_up(container_of(oldest, struct upstream, lru));
	return true;
}

void conn_pool_close_idle(struct conn_pool *pool)
{
	while (conn_pool_give_up(pool)) {
	}
}

void conn_pool_close_all(struct conn_pool *pool)
{
	struct list *link;

	conn_pool_close_idle(pool);
	while ((link = list_first(&pool->busy)) != NULL)
		upstream_give_up(container_of(link, struct upstream, lru));
}
