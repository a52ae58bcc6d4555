/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/balance/balance.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"
#include "proxy/balance/draw.h"
#include "proxy/balance/ewma.h"
#include "proxy/balance/hash.h"
#include "proxy/balance/least_requests.h"
#include "proxy/balance/round_robin.h"

enum { UPSTREAMS_FIRST = 64 };

void balance_init(struct balance *balance, const struct stats_map *stats, uint64_t seed)
{
	*balance = (struct balance){.stats = stats};
	random_seed(&balance->random, seed);
}

void balance_fini(struct balance *balance)
{
	free(balance->upstreams);
}

static void know_up_to(struct balance *balance, uint32_t upstream)
{
	uint32_t count = balance->upstream_count == 0 ? UPSTREAMS_FIRST : balance->upstream_count;

	while (count <= upstream)
		count *= 2;
	balance->upstreams = memory_resize(balance->upstreams,
					   count * sizeof(balance->upstreams[0]));
	for (uint32_t i = balance->upstream_count; i < count; i++)
		balance->upstreams[i] = (struct balance_upstream){
			.turn = (uint32_t)random_next(&balance->random)};
	balance->upstream_count = count;
}

struct balance_upstream *balance_know(struct balance *balance, uint32_t upstream)
{
	if (upstream >= balance->upstream_count)
		know_up_to(balance, upstream);
	return &balance->upstreams[upstream];
}

void balance_offer(struct balance_choice *choice, const struct upstream_match *match)
{
	const struct upstream_record *upstream = match->upstream;
	const struct endpoints *endpoints = match->endpoints;

	choice->algorithm = upstream->algorithm;
	choice->endpoints = &endpoints->endpoints[upstream->first_endpoint];
	choice->count = upstream->endpoint_count;
	choice->shares = upstream->first_share == TABLE_NONE
				 ? NULL
				 : &endpoints->shares[upstream->first_share];
	choice->ring = &endpoints->ring[upstream->first_point];
	choice->point_count = upstream->point_count;
	choice->subset_size = upstream->subset_size;
	choice->bound_percent = upstream->bound_percent;
}

const struct endpoint_record *balance_pick(struct balance *balance,
					   const struct balance_choice *choice, uint64_t key)
{
	uint32_t index = 0;

	switch ((enum upstream_algorithm)choice->algorithm) {
	case UPSTREAM_ROUND_ROBIN:
		index = round_robin_pick(balance, choice);
		break;
	case UPSTREAM_EWMA:
		index = ewma_pick(balance, choice);
		break;
	case UPSTREAM_LEAST_REQUESTS:
		index = least_requests_pick(balance, choice);
		break;
	case UPSTREAM_HASH:
		index = hash_pick(balance, choice, key);
		break;
	case UPSTREAM_ALGORITHM_COUNT:
		BUG_ON(true); /* verify refuses it */
	}
	return &choice->endpoints[index];
}
