/* SPDX-License-Identifier: Apache-2.0 */
/* Idle connections to endpoints, per worker. The one that was used last is used next; the one that idled
 * longest goes when there are too many. Each is watched: whatever happens on one ends it (security
 * spec, U8).
 */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "table/endpoints.h"

struct tls_context;
struct upstream;

struct conn_pool {
	struct list lru; /* oldest first */
	uint32_t count;
	uint32_t slot_count;
	struct upstream **by_slot;  /* the latest of each endpoint slot */
	struct upstream *unslotted; /* those to addresses of resolved names */
};

void conn_pool_init(struct conn_pool *pool, uint32_t slot_count);
void conn_pool_fini(struct conn_pool *pool);

/* Takes an idle connection to that endpoint out, or NULL: one under that context of TLS; NULL: plain. The kernel is
 * asked once more: one on which anything has come meanwhile is closed and never given (security spec, U8). */
struct upstream *conn_pool_take(struct conn_pool *pool, const struct endpoint_record *endpoint,
				const struct tls_context *tls);

void conn_pool_put(struct conn_pool *pool, struct upstream *upstream);

/* Out of the pool, wherever in it. */
void conn_pool_remove(struct conn_pool *pool, struct upstream *upstream);

/* Closes those to an endpoint that is gone from the table. */
void conn_pool_leave(struct conn_pool *pool, const struct endpoint_record *endpoint);

/* Closes the one that idled longest. False: there is none. */
bool conn_pool_give_up(struct conn_pool *pool);

void conn_pool_close_all(struct conn_pool *pool);
