/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of an upstream that is chosen from by hash. Private to compile/. */
#pragma once

#include "table/builder.h"
#include "table/endpoints.h"

/* Adds the points of the record's endpoints, or subsets, and notes in it where they are. Which points an endpoint has
 * depends on its address, port and weight beside the least one, as long as there are no more than RING_POINTS_MAX in
 * all: so others that come and go move only what comes to them or was theirs. */
void ring_add(struct builder *builder, const struct endpoint_record *records,
	      struct upstream_record *record);

/* A ring of more nodes than these many points allow has fewer of each. */
enum { RING_NODE_POINTS = 160, RING_POINTS_MAX = 1 << 18 };
