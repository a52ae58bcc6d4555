/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoint gets the next request: pick(upstream, key). One file an algorithm, this in front of them.
 *
 * What all of them hold to: weights count, endpoints to be avoided come last, a pick allocates nothing and, but for
 * rare cases, does not walk over the endpoints; and whatever stands in the live figures, which others write, every
 * endpoint goes on getting requests.
 */
#pragma once

#include <stdbool.h>

#include "base/ip.h"
#include "base/random.h"
#include "stats/stats.h"
#include "table/shards.h"

/* The endpoints one may choose from, in a verified segment or of a resolved name. */
struct balance_choice {
	uint32_t upstream; /* id */
	const struct endpoint_record *endpoints;
	uint32_t count;         /* at least 1 */
	uint8_t algorithm;      /* enum upstream_algorithm */
	const uint32_t *shares; /* as many, see upstream_record; NULL: weights do not differ */
	const struct ring_point *ring; /* for UPSTREAM_HASH */
	uint32_t point_count;          /* 0: there is no ring: the endpoints of a name */
	uint32_t subset_size;          /* 0: none */
	uint32_t bound_percent;        /* 0: none */
	uint64_t now_ns;               /* monotonic */
	uint32_t avoided_count;
	const struct ip_port *avoided; /* not to be picked while there is another one */
};

/* Whether the choice says to avoid it. */
static inline bool balance_avoids(const struct balance_choice *choice,
				  const struct endpoint_record *endpoint)
{
	for (uint32_t i = 0; i < choice->avoided_count; i++)
		if (choice->avoided[i].port == endpoint->port &&
		    ip_equals(&choice->avoided[i].ip, &endpoint->ip))
			return true;
	return false;
}

/* What a worker remembers of an upstream. */
struct balance_upstream {
	uint32_t turn;      /* round robin: which is next */
	uint32_t sum_picks; /* hash: until in_flight_sum is made anew */
	uint32_t sum_count; /* endpoints that it is of */
	uint64_t in_flight_sum;
};

/* State that a worker keeps between picks. */
struct balance {
	const struct stats_map *stats;
	struct random random;
	struct balance_upstream *upstreams; /* by id */
	uint32_t upstream_count;
};

/* stats: kept; written by nobody here. */
void balance_init(struct balance *balance, const struct stats_map *stats, uint64_t seed);
void balance_fini(struct balance *balance);

/* What the table says of the choice: all but upstream, now_ns and what is avoided; of an ExternalName also all but
 * endpoints and count. match: found. */
void balance_offer(struct balance_choice *choice, const struct upstream_match *match);

/* key: what UPSTREAM_HASH goes by; others do not look at it. The result is borrowed from the choice. Never NULL. */
const struct endpoint_record *balance_pick(struct balance *balance,
					   const struct balance_choice *choice, uint64_t key);
