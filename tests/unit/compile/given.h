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
#include "table/endpoints.h"
#include "table/routes.h"

/* One route a line: "shop.example Prefix /cart -> cart:80". Host "-": every other host, which is there in any
 * case. Type: Exact, Prefix, or Root for an implicit Prefix. Services lie in the namespace shop, the rules in its
 * Ingress web. Instead of a service: "404", "503" or "denied". */
struct model *given_model(const char *text);
void given_model_end(struct model *model);

/* What model_endpoints finds from now on: one upstream a line, "cart:80 10.0.0.1:80 !10.0.0.2:80"; '!':
 * terminating. Others have none. text must live as long. */
void given_endpoints(const char *text);

/* How often model_endpoints was asked with diagnostics that are not those of the caller of compile_endpoints. */
extern unsigned given_unheard;

struct compiled {
	struct buf routes_bytes;
	struct buf endpoints_bytes;
	struct routes routes;
	struct endpoints endpoints;
};

/* Both segments of a model under that generation of routes, verified. */
struct compiled *compiled(struct ids *ids, const struct model *model, uint64_t generation);
void compiled_end(struct compiled *compiled);

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
