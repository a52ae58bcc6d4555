/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to endpoints by endpoint, per worker: those of HTTP/1.1 while they idle, those of HTTP/2 as long as they
 * live, for one that is in use has room for more. The one that was used last is used next; the one that idled
 * longest goes when there are too many that do. Each is watched: whatever happens on one of HTTP/1.1 that idles ends it
 * (security spec, U8).
 */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "table/endpoints.h"

struct tls_context;
struct upstream;

struct conn_pool {
	struct list lru;  /* that idle, oldest first */
	struct list busy; /* of HTTP/2 */
	uint32_t count;   /* that idle */
	uint32_t slot_count;
	struct upstream **by_slot;  /* the latest of each endpoint slot */
	struct upstream *unslotted; /* those to addresses of resolved names */
};

void conn_pool_init(struct conn_pool *pool, uint32_t slot_count);
void conn_pool_fini(struct conn_pool *pool);

/* One that leads to that endpoint under that context of TLS (NULL: plain) and that serves; or NULL. It stays where it
 * is. serves: whether it can; may close it. */
struct upstream *conn_pool_find(struct conn_pool *pool, const struct endpoint_record *endpoint,
				const struct tls_context *tls,
				bool (*serves)(struct upstream *upstream));

/* One of HTTP/2 that is busy from now on. */
void conn_pool_add(struct conn_pool *pool, struct upstream *upstream);

/* For upstream.c: it begins to idle; it does so no more, and one of HTTP/1.1 leaves. */
void conn_pool_rest(struct conn_pool *pool, struct upstream *upstream);
void conn_pool_wake(struct conn_pool *pool, struct upstream *upstream);

/* One of HTTP/2 is dead, and found no more; it stays until it is closed. */
void conn_pool_hide(struct upstream *upstream);

/* Out of the pool, wherever in it, if it is there at all. */
void conn_pool_remove(struct conn_pool *pool, struct upstream *upstream);

/* Those to an endpoint that is gone from the table: closes what idles, and nothing new begins on what does not. */
void conn_pool_leave(struct conn_pool *pool, const struct endpoint_record *endpoint);

/* Closes the one that idled longest. False: there is none. */
bool conn_pool_give_up(struct conn_pool *pool);

/* All that idle. */
void conn_pool_close_idle(struct conn_pool *pool);

/* All; nothing is in progress on any. */
void conn_pool_close_all(struct conn_pool *pool);
