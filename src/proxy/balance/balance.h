/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoint gets the next request: pick(upstream, key). One file an algorithm, this in front of them. */
#pragma once

#include <stdbool.h>

#include "base/ip.h"
#include "base/random.h"
#include "table/endpoints.h"

/* The endpoints one may choose from, in a verified segment or of a resolved name. */
struct balance_choice {
	uint32_t upstream; /* id */
	const struct endpoint_record *endpoints;
	uint32_t count;    /* at least 1 */
	uint8_t algorithm; /* enum upstream_algorithm */
	uint32_t avoided_count;
	const struct ip_port *avoided; /* not to be picked while there is another one */
};

/* State that a worker keeps between picks. */
struct balance {
	struct random random;
	uint32_t *turns; /* round robin: next index, by upstream id */
	uint32_t turn_count;
};

void balance_init(struct balance *balance, uint64_t seed);
void balance_fini(struct balance *balance);

static inline bool balance_avoids(const struct balance_choice *choice,
				  const struct endpoint_record *endpoint)
{
	for (uint32_t i = 0; i < choice->avoided_count; i++)
		if (choice->avoided[i].port == endpoint->port &&
		    ip_equals(&choice->avoided[i].ip, &endpoint->ip))
			return true;
	return false;
}

/* key: what sticky algorithms go by; 0 where there is none. The result is borrowed from the choice. Never NULL. */
const struct endpoint_record *balance_pick(struct balance *balance,
					   const struct balance_choice *choice, uint64_t key);
