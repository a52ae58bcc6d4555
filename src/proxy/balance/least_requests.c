/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/balance/least_requests.h"

#include "proxy/balance/draw.h"

/* One that fails at once has none under way, which must not attract more: failures count as requests. */
static float cost(const struct balance *balance, const struct balance_choice *choice,
		  uint32_t index)
{
	struct load load = draw_load(balance, choice, index);

	return load.in_flight / draw_weight(choice, index) + load.strain;
}

uint32_t least_requests_pick(struct balance *balance, const struct balance_choice *choice)
{
	struct draw draw = draw_two(balance, choice);

	if (draw.first == draw.second || draw.explores)
		return draw.first;
	return cost(balance, choice, draw.second) < cost(balance, choice, draw.first) ? draw.second
										      : draw.first;
}
