/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/balance/draw.h"

#include "base/bug.h"

/* Draws until one is found that is not avoided; then it is looked for. */
enum { DRAWS_MAX = 8 };

uint32_t draw_other(const struct balance_choice *choice, uint32_t from)
{
	uint32_t at = from;

	for (uint32_t i = 0; i < choice->count; i++) {
		if (!draw_avoids(choice, at))
			return at;
		at = at + 1 < choice->count ? at + 1 : 0;
	}
	return from;
}

static uint32_t draw_one_other(struct balance *balance, const struct balance_choice *choice)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < DRAWS_MAX; i++) {
		at = draw_at(choice, (uint32_t)(random_next(&balance->random) >> 32));
		if (!draw_avoids(choice, at))
			return at;
	}
	return draw_other(choice, at);
}

struct draw draw_two(struct balance *balance, const struct balance_choice *choice)
{
	struct draw draw = {0};
	uint64_t random;

	BUG_ON(choice->count == 0);
	if (choice->count == 1)
		return draw;
	random = random_next(&balance->random);
	draw.explores = random % DRAW_EXPLORE == 0;
	if (choice->avoided_count > 0) {
		draw.first = draw_one_other(balance, choice);
		draw.second = draw_one_other(balance, choice);
		return draw;
	}
	draw.first = draw_at(choice, (uint32_t)(random >> 32));
	if (choice->shares != NULL) {
		draw.second = draw_at(choice, (uint32_t)(random_next(&balance->random) >> 32));
		return draw;
	}
	draw.second = (uint32_t)((uint64_t)(uint32_t)random * (choice->count - 1) >> 32);
	draw.second += draw.second >= draw.first;
	return draw;
}
