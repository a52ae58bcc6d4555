/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that dumps and look-ups share; private to dump_routes.c, dump_endpoints.c and lookup.c. */
#pragma once

#include "table/dump.h"
#include "table/json.h"

/* Kind, version and, with DUMP_ALL, what differs from build to build. */
void dump_header(struct json *json, const struct table_header *header, enum table_kind kind,
		 enum dump_detail detail);

/* As Ingresses spell it: "*.shop.example"; "**.shop.example" for many labels; "" for every other host. */
void dump_host_name(struct json *json, const char *key, const struct routes *routes,
		    const struct host_record *host);

/* On one line. */
void dump_route(struct json *json, const char *key, const struct routes *routes,
		const struct route *route);
void dump_policy(struct json *json, const char *key, const struct route_policy *policy);
void dump_upstream(struct json *json, const char *key, const struct endpoints *endpoints,
		   uint32_t id);
