/* SPDX-License-Identifier: Apache-2.0 */
/* Small segments made of words, for tests of table/. Whatever is built here lies read-only at the end of a
 * page with an unreadable one behind it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/error.h"
#include "table/routes_builder.h"
#include "table/shards.h"

/* Bytes at the end of a page. */
struct given_pages {
	void *pages;
	size_t size;
	struct span bytes;
};

struct given_pages given_pages(struct span bytes);
void given_pages_end(struct given_pages *pages);

/* Settings, a policy and everything else that a segment of routes needs besides hosts. */
void given_builder(struct routes_builder *builder);

/* A route to the upstream with the number that service stands for in the text's order; the service is its
 * object's. */
struct route given_route(struct routes_builder *builder, struct span service,
			 enum route_path_type type);

/* One route a line: "shop.example Prefix /cart -> cart". Host "-": every other host, which is there in
 * any case. Type: Exact, Prefix, or Root for an implicit Prefix. Lines of a host need not stand together. */
void given_routes_bytes(const char *text, struct buf *out);

/* The same, dealt out to so many shards: a bundle. */
void given_routes_bundle(const char *text, uint32_t shard_count, struct buf *out);

/* What every segment of a test is stamped with: generation 1, time 2, set 1. */
struct table_stamp given_stamp(uint32_t shard, uint32_t shard_count);

/* The same, verified and in effect. Ends with given_routes_end. */
struct given_routes {
	struct given_pages pages;
	struct shards shards;
	struct routes routes; /* shard 0 */
};

struct given_routes *given_routes(const char *text);
struct given_routes *given_routes_in_shards(const char *text, uint32_t shard_count);

/* Of a bundle of routes; the bytes are copied. */
struct given_routes *given_routes_of(struct span bundle);
void given_routes_end(struct given_routes *given);

/* "cart": the route is there, is no redirect, and its object's service is cart. "cart/": a redirect. "": none. */
void assert_route(const struct given_routes *given, const char *host, const char *path,
		  const char *service);

/* One upstream a line, ids in order: "shop-cart-80 10.0.0.1:80 10.0.0.2:80" or "shop-ext-80
 * @db.example:5432". "-": a free id. */
void given_endpoints_bytes(const char *text, struct buf *out);

/* The same, dealt out to so many shards: a bundle. */
void given_endpoints_bundle(const char *text, uint32_t shard_count, struct buf *out);

struct given_endpoints {
	struct given_pages pages;
	struct shards shards;
	struct endpoints endpoints; /* shard 0 */
};

struct given_endpoints *given_endpoints(const char *text);
struct given_endpoints *given_endpoints_in_shards(const char *text, uint32_t shard_count);
void given_endpoints_end(struct given_endpoints *given);
