/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/balance/round_robin.h"

#include "base/bug.h"
#include "base/memory.h"

/* An upstream that was not seen before begins at random. */
static void know_upstream(struct balance *balance, uint32_t upstream)
{
	uint32_t count = balance->turn_count == 0 ? 64 : balance->turn_count;

	if (upstream < balance->turn_count)
		return;
	while (count <= upstream)
		count *= 2;
	balance->turns = memory_resize(balance->turns, count * sizeof(balance->turns[0]));
	for (uint32_t i = balance->turn_count; i < count; i++)
		balance->turns[i] = (uint32_t)random_next(&balance->random);
	balance->turn_count = count;
}

const struct endpoint_record *round_robin_pick(struct balance *balance,
					       const struct balance_choice *choice)
{
	uint32_t skipped = 0;
	uint32_t *turn;
	uint32_t at;

	BUG_ON(choice->count == 0);
	know_upstream(balance, choice->upstream);
	turn = &balance->turns[choice->upstream];
	at = *turn % choice->count;
	while (skipped < choice->count && balance_avoids(choice, &choice->endpoints[at])) {
		at = at + 1 < choice->count ? at + 1 : 0;
		skipped++;
	}
	/* where all are avoided, the first one has its turn after all */
	*turn += skipped < choice->count ? skipped + 1 : 1;
	return &choice->endpoints[at];
}
