/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that dumps and look-ups share; private to dump_routes.c, dump_endpoints.c and lookup.c. */
#pragma once

#include "table/dump.h"
#include "table/json.h"

/* Kind, version and, with DUMP_ALL, what differs from build to build. */
void dump_header(struct json *json, const struct shards *shards, enum dump_detail detail);

/* As Ingresses spell it: "*.shop.example"; "**.shop.example" for many labels; "" for every other host. */
void dump_host_name(struct json *json, const char *key, const struct routes *routes,
		    const struct host_record *host);

/* On one line. policy: the number that stands for its policy in the dump; TABLE_NONE: it is shown by itself. */
void dump_route(struct json *json, const char *key, const struct routes *routes,
		const struct route *route, uint32_t policy);
void dump_policy(struct json *json, const char *key, const struct route_policy *policy);
void dump_upstream(struct json *json, const char *key, const struct shards *endpoints, uint32_t id,
		   uint32_t incarnation);
