/* SPDX-License-Identifier: Apache-2.0 */
/* A world made of words: models by hand, and endpoints that model_endpoints (here, not model's) finds for them. What is
 * compiled from it is verified, always.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/error.h"
#include "compile/compile.h"
#include "table/shards.h"

/* One route a line: "shop.example Prefix /cart -> cart:80". Host "-": every other host, which is there in any
 * case. Type: Exact, Prefix, or Root for an implicit Prefix. Services lie in the namespace shop, the rules in its
 * Ingress web. Instead of a service: "404", "503", "denied", or with Root "built-in" for a 404 of no Ingress. */
struct model *given_model(const char *text);
void given_model_end(struct model *model);

/* That of "cart:80", to be changed. */
struct model_upstream *given_upstream(struct model *model, const char *backend);

/* What model_endpoints finds from now on: one upstream a line, "cart:80 10.0.0.1:80 !10.0.0.2:80"; '!':
 * terminating. Others have none. text must live as long. */
void given_endpoints(const char *text);

/* Whether model_endpoints has something to tell about every upstream. */
extern bool given_faults;

struct compiled {
	struct buf routes_bytes;
	struct buf endpoints_bytes;
	struct shards routes_table;
	struct shards endpoints_table;
	struct routes routes;       /* shard 0 */
	struct endpoints endpoints; /* shard 0 */
};

/* Both tables of a model under that generation of routes, verified; everything is made anew. */
struct compiled *compiled(struct compiler *compiler, const struct model *model,
			  uint64_t generation);
void compiled_end(struct compiled *compiled);

/* Both tables become what the compiler makes of these changes. */
void compiled_update(struct compiled *compiled, struct compiler *compiler,
		     const struct model *model, const struct model_changes *changes,
		     uint64_t generation);

/* The upstream that a route leads to; NULL: it is not in the table. */
const struct upstream_record *upstream_of_route(const struct compiled *compiled,
						const struct route *route);

/* The route for a host and a path, which must be there. */
const struct route *compiled_route(const struct compiled *compiled, const char *host,
				   const char *path);

/* The upstream of it, which the endpoints segment must have. */
const struct upstream_record *compiled_upstream(const struct compiled *compiled, const char *host,
						const char *path);

/* "10.0.0.1:80#0 10.0.0.2:80#1": the endpoints with their slots. */
void assert_endpoints(const struct compiled *compiled, const char *host, const char *path,
		      const char *text);

void assert_text(struct span found, const char *expected);
