/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/balance/round_robin.h"

#include "base/bug.h"
#include "proxy/balance/draw.h"

/* 2^32 over the golden ratio, odd: 2^32 turns are at as many places. */
static const uint32_t golden_section = 0x9e3779b9;

/* Turns that are passed over because their endpoint is avoided; then another one is looked for. */
enum { PASSES_MAX = 16 };

static uint32_t pick_by_share(uint32_t *turn, const struct balance_choice *choice)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < PASSES_MAX; i++) {
		at = draw_at(choice, (*turn)++ * golden_section);
		if (!draw_avoids(choice, at))
			return at;
	}
	return draw_other(choice, at);
}

uint32_t round_robin_pick(struct balance *balance, const struct balance_choice *choice)
{
	uint32_t *turn = &balance_know(balance, choice->upstream)->turn;
	uint32_t begin;
	uint32_t at;

	BUG_ON(choice->count == 0);
	if (choice->shares != NULL)
		return pick_by_share(turn, choice);
	begin = *turn % choice->count;
	at = draw_other(choice, begin);
	/* where all are avoided, the first one has its turn after all */
	*turn += (at >= begin ? at - begin : at + choice->count - begin) + 1;
	return at;
}
