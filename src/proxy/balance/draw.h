/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints drawn by weight, and what is to be avoided. For the algorithms. */
#pragma once

#include "proxy/balance/balance.h"
#include "proxy/load.h"

/* One pick in so many goes to the first drawn, however busy it seems: what is known of an endpoint may be wrong, and
 * would stay so if nobody asked it any more. */
enum { DRAW_EXPLORE = 256 };

/* Two of the endpoints: the first is what chance and weights alone would have taken. Where all weights are equal they
 * are two, if there are two; else the second may be the first again, for only so do equal loads lead to the weights. */
struct draw {
	uint32_t first;
	uint32_t second;
	bool explores;
};

/* The state of an upstream, new or not. A new one begins at random. */
struct balance_upstream *balance_know(struct balance *balance, uint32_t upstream);

struct draw draw_two(struct balance *balance, const struct balance_choice *choice);

static inline bool draw_avoids(const struct balance_choice *choice, uint32_t index)
{
	return balance_avoids(choice, &choice->endpoints[index]);
}

/* The first from there on, around the end, that is not avoided; that one where all are. */
uint32_t draw_other(const struct balance_choice *choice, uint32_t from);

/* Whose share a point lies in: by halves, and the halves by multiplication, since nobody could predict the branches
 * that the compiler makes of a condition. */
static inline uint32_t draw_at(const struct balance_choice *choice, uint32_t point)
{
	const uint32_t *ends = choice->shares;
	uint32_t left = choice->count;

	if (ends == NULL)
		return (uint32_t)((uint64_t)point * left >> 32);
	while (left > 1) {
		uint32_t half = left / 2;

		ends += half * (uint32_t)(ends[half - 1] < point);
		left -= half;
	}
	return (uint32_t)(ends - choice->shares);
}

/* Of all that the endpoints get, by weight; above 0. All of them have 1 where weights do not differ: it is in units of
 * what one would have then. */
static inline float draw_weight(const struct balance_choice *choice, uint32_t index)
{
	uint32_t begin;
	uint32_t width;

	if (choice->shares == NULL)
		return 1;
	begin = index == 0 ? 0 : choice->shares[index - 1];
	width = choice->shares[index] - begin;
	return (float)(width > 0 ? width : 1) * (float)choice->count / 4294967296.0f;
}

static inline struct load draw_load(const struct balance *balance,
				    const struct balance_choice *choice, uint32_t index)
{
	const struct endpoint_record *endpoint = &choice->endpoints[index];

	return load_read(balance->stats, (struct load_key){endpoint->slot, endpoint->incarnation},
			 choice->now_ns);
}
