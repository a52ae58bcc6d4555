/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/ring.h"

#include <stdlib.h>

#include "base/memory.h"
#include "table/hash.h"

/* What is on the ring: an endpoint or a subset. */
struct node {
	struct ip_port at; /* of a subset its number, in an address */
	uint32_t weight;
};

struct making {
	struct node *nodes;
	uint32_t count;
	uint64_t *points; /* hash << 32 | node */
	size_t point_count;
};

/* One that no endpoint has: a subset stays where it is whoever is in it. */
static struct node subset_node(uint32_t subset)
{
	struct node node = {.weight = 1};

	memcpy(node.at.ip.bytes, &subset, sizeof(subset));
	return node;
}

static void list_nodes(struct making *making, const struct endpoint_record *records,
		       const struct upstream_record *record)
{
	making->count = record->subset_size == 0 ? record->endpoint_count
						 : upstream_subset_count(record->endpoint_count,
									 record->subset_size);
	making->nodes = memory_new_array(making->count, sizeof(*making->nodes));
	for (uint32_t i = 0; i < making->count; i++)
		making->nodes[i] = record->subset_size > 0
					   ? subset_node(i)
					   : (struct node){.at = {records[i].ip, records[i].port},
							   .weight = records[i].weight};
}

static uint32_t least_weight(const struct making *making)
{
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < making->count; i++)
		if (making->nodes[i].weight < least)
			least = making->nodes[i].weight;
	return least;
}

/* How many points a node has for each unit of the least weight; at least one. Weights that differ by much would make a
 * large ring: they are cut. */
static uint32_t points_of(const struct making *making, uint32_t index, uint32_t least, double scale)
{
	double points = (double)making->nodes[index].weight / least * scale;

	return points < 1 ? 1 : (uint32_t)(points + 0.5);
}

static double scale_of(const struct making *making, uint32_t least)
{
	double all = 0;

	for (uint32_t i = 0; i < making->count; i++)
		all += (double)making->nodes[i].weight / least * RING_NODE_POINTS;
	return all <= RING_POINTS_MAX ? RING_NODE_POINTS
				      : RING_NODE_POINTS * (RING_POINTS_MAX / all);
}

static void add_points(struct making *making, uint32_t index, uint32_t count)
{
	struct span at = {(const char *)&making->nodes[index].at, sizeof(struct ip_port)};

	for (uint32_t i = 0; i < count; i++)
		making->points[making->point_count++] =
			(table_hash(at, i) & ~(uint64_t)UINT32_MAX) | index;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void make_points(struct making *making)
{
	uint32_t least = least_weight(making);
	double scale = scale_of(making, least);
	size_t all = 0;

	for (uint32_t i = 0; i < making->count; i++)
		all += points_of(making, i, least, scale);
	making->points = memory_new_array(all, sizeof(*making->points));
	for (uint32_t i = 0; i < making->count; i++)
		add_points(making, i, points_of(making, i, least, scale));
	qsort(making->points, making->point_count, sizeof(*making->points), compare);
}

void ring_add(struct builder *builder, const struct endpoint_record *records,
	      struct upstream_record *record)
{
	struct making making = {0};

	if (record->endpoint_count == 0)
		return;
	list_nodes(&making, records, record);
	make_points(&making);
	record->first_point = builder_count(builder, ENDPOINTS_RING);
	record->point_count = (uint32_t)making.point_count;
	for (size_t i = 0; i < making.point_count; i++)
		builder_add(builder, ENDPOINTS_RING,
			    &(struct ring_point){.hash = (uint32_t)(making.points[i] >> 32),
						 .node = (uint32_t)making.points[i]});
	free(making.nodes);
	free(making.points);
}
