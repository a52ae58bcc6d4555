/* SPDX-License-Identifier: Apache-2.0 */
/* The same key to the same endpoint: consistent hashing on a ring that compile has made, so that of N endpoints one
 * that comes or goes moves about one key in N.
 *
 * With subsets the key leads to a few endpoints, among which chance and weights decide (compat spec, 8). With a bound
 * an endpoint that has more than its share of all requests under way, by that factor, passes them on to the next of the
 * ring (consistent hashing with bounded loads: Mirrokni, Thorup, Zadimoghaddam, 2018).
 */
#pragma once

#include "proxy/balance/balance.h"

/* The index of the endpoint. */
uint32_t hash_pick(struct balance *balance, const struct balance_choice *choice, uint64_t key);
