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
	/* cleared pages that nobody touches cost nothing */
	pool->by_slot = memory_new_array(slot_count, sizeof(struct upstream *));
}

void conn_pool_fini(struct conn_pool *pool)
{
	BUG_ON(pool->count != 0);
	free(pool->by_slot);
}

static struct upstream **head_of(struct conn_pool *pool, uint32_t slot)
{
	return slot < pool->slot_count ? &pool->by_slot[slot] : &pool->unslotted;
}

void conn_pool_remove(struct conn_pool *pool, struct upstream *upstream)
{
	*upstream->link = upstream->next;
	if (upstream->next != NULL)
		upstream->next->link = upstream->link;
	upstream->next = NULL;
	upstream->link = NULL;
	list_remove(&upstream->lru);
	pool->count--;
}

void conn_pool_put(struct conn_pool *pool, struct upstream *upstream)
{
	struct upstream **head = head_of(pool, upstream->slot);

	upstream->next = *head;
	upstream->link = head;
	if (*head != NULL)
		(*head)->link = &upstream->next;
	*head = upstream;
	list_add_last(&pool->lru, &upstream->lru);
	pool->count++;
}

static bool leads_to(const struct upstream *upstream, const struct endpoint_record *endpoint,
		     const struct tls_context *tls)
{
	return upstream->tls == tls && upstream->incarnation == endpoint->incarnation &&
	       upstream->at.port == endpoint->port && ip_equals(&upstream->at.ip, &endpoint->ip);
}

struct upstream *conn_pool_take(struct conn_pool *pool, const struct endpoint_record *endpoint,
				const struct tls_context *tls)
{
	struct upstream *upstream = *head_of(pool, endpoint->slot);

	while (upstream != NULL) {
		struct upstream *next = upstream->next;

		if (leads_to(upstream, endpoint, tls)) {
			if (!transport_has_news(&upstream->transport)) {
				conn_pool_remove(pool, upstream);
				return upstream;
			}
			upstream_close(upstream);
		}
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
			upstream_close(upstream);
		upstream = next;
	}
}

bool conn_pool_give_up(struct conn_pool *pool)
{
	struct list *oldest = list_first(&pool->lru);

	if (oldest == NULL)
		return false;
	upstream_close(container_of(oldest, struct upstream, lru));
	return true;
}

void conn_pool_close_all(struct conn_pool *pool)
{
	list_for_each_safe (link, &pool->lru)
		upstream_close(container_of(link, struct upstream, lru));
}
