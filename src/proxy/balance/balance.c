/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/balance/balance.h"

#include <stdlib.h>

#include "base/bug.h"
#include "proxy/balance/round_robin.h"

void balance_init(struct balance *balance, uint64_t seed)
{
	*balance = (struct balance){0};
	random_seed(&balance->random, seed);
}

void balance_fini(struct balance *balance)
{
	free(balance->turns);
}

const struct endpoint_record *balance_pick(struct balance *balance,
					   const struct balance_choice *choice, uint64_t key)
{
	(void)key;
	switch ((enum upstream_algorithm)choice->algorithm) {
	case UPSTREAM_ROUND_ROBIN:
		return round_robin_pick(balance, choice);
	case UPSTREAM_ALGORITHM_COUNT:
		break;
	}
	BUG_ON(true);
	return NULL;
}
