/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/balance/hash.h"

#include "base/bug.h"
#include "proxy/balance/draw.h"
#include "table/hash.h"

enum {
	WALK_MAX = 64,      /* points that are looked at before one is taken anyway */
	SUM_PICKS_PART = 8, /* the sum is made anew after that part of the endpoints was picked */
	ARC_HALF = 32,      /* points on each side of a guess that are looked at */
};

/* Points of a ring. */
struct arc {
	uint32_t first;
	uint32_t count;
};

/* Points lie evenly, as hashes do, so that one can tell about where a hash is, and from what lies there better still.
 * Only a guess: nothing but time depends on it. */
static uint32_t guess_point(const struct balance_choice *choice, uint32_t hash)
{
	int64_t count = choice->point_count;
	int64_t near = (int64_t)hash * count >> 32;
	int64_t off = (int64_t)hash - choice->ring[near].hash;
	int64_t better = near + off * count / (INT64_C(1) << 32);

	return (uint32_t)(better < 0 ? 0 : better < count ? better : count - 1);
}

/* A part of the ring around the guess, if what is looked for lies in there; else all of it. A search of the whole
 * would wait for memory at nearly every step where rings are large. */
static struct arc narrow(const struct balance_choice *choice, uint32_t hash)
{
	uint32_t count = choice->point_count;
	uint32_t guess = guess_point(choice, hash);
	uint32_t first = guess > ARC_HALF ? guess - ARC_HALF : 0;
	uint32_t end = count - guess > ARC_HALF ? guess + ARC_HALF : count;

	if ((first > 0 && choice->ring[first].hash >= hash) ||
	    (end < count && choice->ring[end - 1].hash < hash))
		return (struct arc){0, count};
	return (struct arc){first, end - first};
}

/* The first point that does not lie before the hash. */
static uint32_t find_point(const struct balance_choice *choice, uint32_t hash)
{
	struct arc arc = narrow(choice, hash);
	const struct ring_point *at = &choice->ring[arc.first];

	while (arc.count > 1) {
		uint32_t half = arc.count / 2;

		at += half * (uint32_t)(at[half - 1].hash < hash);
		arc.count -= half;
	}
	return at->hash < hash ? 0 : (uint32_t)(at - choice->ring);
}

static uint32_t next_point(const struct balance_choice *choice, uint32_t point)
{
	return point + 1 < choice->point_count ? point + 1 : 0;
}

/* Highest random weight: for the few addresses of a name, which have no ring. */
static uint32_t pick_without_ring(const struct balance_choice *choice, uint64_t key)
{
	uint64_t highest = 0;
	uint32_t best = TABLE_NONE;

	for (uint32_t i = 0; i < choice->count; i++) {
		const struct endpoint_record *endpoint = &choice->endpoints[i];
		struct span address = {(const char *)&endpoint->ip, sizeof(endpoint->ip)};
		uint64_t hash = table_hash(address, key ^ endpoint->port);

		if (draw_avoids(choice, i) || (best != TABLE_NONE && hash <= highest))
			continue;
		highest = hash;
		best = i;
	}
	return best == TABLE_NONE ? (uint32_t)(key % choice->count) : best;
}

/* The endpoint of a point, or where it is to be avoided that of the next. */
static uint32_t pick_next(const struct balance_choice *choice, uint32_t point)
{
	for (unsigned i = 0; i < WALK_MAX; i++, point = next_point(choice, point))
		if (!draw_avoids(choice, choice->ring[point].node))
			return choice->ring[point].node;
	return draw_other(choice, choice->ring[point].node);
}

/*
 * Bounded loads
 */

static uint64_t in_flight_of(const struct balance *balance, const struct balance_choice *choice,
			     uint32_t index)
{
	return (uint64_t)draw_load(balance, choice, index).in_flight;
}

/* Over all endpoints; from a few picks ago where they are many, so that the walk is spread over those. */
static uint64_t in_flight_sum(struct balance *balance, const struct balance_choice *choice)
{
	struct balance_upstream *upstream = balance_know(balance, choice->upstream);

	if (upstream->sum_picks > 0 && upstream->sum_count == choice->count) {
		upstream->sum_picks--;
		return upstream->in_flight_sum;
	}
	upstream->in_flight_sum = 0;
	for (uint32_t i = 0; i < choice->count; i++)
		upstream->in_flight_sum += in_flight_of(balance, choice, i);
	upstream->sum_picks = choice->count / SUM_PICKS_PART;
	upstream->sum_count = choice->count;
	return upstream->in_flight_sum;
}

static bool has_room(const struct balance *balance, const struct balance_choice *choice,
		     uint32_t index, float bound)
{
	return !draw_avoids(choice, index) &&
	       draw_load(balance, choice, index).in_flight / draw_weight(choice, index) < bound;
}

/* In the neighbourhood of the point; where that is full, anywhere: by a bound of c at least 1 - 1/c of all endpoints
 * have room. TABLE_NONE: none has. */
static uint32_t find_room(const struct balance *balance, const struct balance_choice *choice,
			  uint32_t point, float bound)
{
	uint32_t index = 0;

	for (unsigned i = 0; i < WALK_MAX; i++, point = next_point(choice, point)) {
		index = choice->ring[point].node;
		if (has_room(balance, choice, index, bound))
			return index;
	}
	for (uint32_t i = 0; i < choice->count; i++) {
		index = index + 1 < choice->count ? index + 1 : 0;
		if (has_room(balance, choice, index, bound))
			return index;
	}
	return TABLE_NONE;
}

static float bound_of(struct balance *balance, const struct balance_choice *choice)
{
	return (float)(in_flight_sum(balance, choice) + 1) * (float)choice->bound_percent /
	       (100.0f * (float)choice->count);
}

static uint32_t pick_bounded(struct balance *balance, const struct balance_choice *choice,
			     uint32_t point)
{
	uint32_t index = find_room(balance, choice, point, bound_of(balance, choice));

	if (index != TABLE_NONE)
		return index;
	/* load has grown since the sum was made */
	balance_know(balance, choice->upstream)->sum_picks = 0;
	index = find_room(balance, choice, point, bound_of(balance, choice));
	return index != TABLE_NONE ? index : pick_next(choice, point);
}

/*
 * Subsets
 */

/* So far from its beginning, around the end. */
static uint32_t of_subset(const struct balance_choice *choice, uint32_t subset, uint32_t index)
{
	return (uint32_t)(((uint64_t)subset * choice->subset_size + index) % choice->count);
}

/* One of them by chance and weights; others than those to be avoided, while there are. */
static uint32_t pick_of_subset(struct balance *balance, const struct balance_choice *choice,
			       uint32_t subset)
{
	uint32_t size = choice->subset_size < choice->count ? choice->subset_size : choice->count;
	uint32_t best = of_subset(choice, subset, random_below(&balance->random, size));
	float sum = 0;

	if (choice->shares == NULL && !draw_avoids(choice, best))
		return best;
	/* each takes the place of those before it with the chance that its weight gives it */
	for (uint32_t i = 0; i < size; i++) {
		uint32_t index = of_subset(choice, subset, i);
		float weight = draw_weight(choice, index);

		if (draw_avoids(choice, index))
			continue;
		sum += weight;
		if ((float)(random_next(&balance->random) >> 40) * sum <
		    weight * (float)(UINT32_C(1) << 24))
			best = index;
	}
	return sum > 0 ? best : draw_other(choice, best);
}

uint32_t hash_pick(struct balance *balance, const struct balance_choice *choice, uint64_t key)
{
	uint32_t point;

	BUG_ON(choice->count == 0);
	if (choice->point_count == 0)
		return pick_without_ring(choice, key);
	point = find_point(choice, (uint32_t)(key >> 32));
	if (choice->subset_size > 0)
		return pick_of_subset(balance, choice, choice->ring[point].node);
	if (choice->bound_percent > 0)
		return pick_bounded(balance, choice, point);
	return pick_next(choice, point);
}
