/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/balance/ewma.h"

#include "proxy/balance/draw.h"

/* What is faster than that is equally fast: the difference is noise of network and scheduler. */
static const float noise_us = 1000;

static float latency_of(const struct load *load)
{
	return load->latency_us > noise_us ? load->latency_us : noise_us;
}

uint32_t ewma_pick(struct balance *balance, const struct balance_choice *choice)
{
	struct draw draw = draw_two(balance, choice);
	struct load first;
	struct load second;
	float first_cost;
	float second_cost;

	if (draw.first == draw.second || draw.explores)
		return draw.first;
	first = draw_load(balance, choice, draw.first);
	second = draw_load(balance, choice, draw.second);
	first_cost = first.in_flight / draw_weight(choice, draw.first) + first.strain;
	second_cost = second.in_flight / draw_weight(choice, draw.second) + second.strain;
	if (first.latency_us > 0 && second.latency_us > 0) {
		first_cost *= latency_of(&first);
		second_cost *= latency_of(&second);
	}
	return second_cost < first_cost ? draw.second : draw.first;
}
