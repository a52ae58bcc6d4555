/* SPDX-License-Identifier: Apache-2.0 */
/* One after the other. Each worker begins at a place of its own, so that N workers do not all send their
 * first request to the same pod.
 *
 * Where weights differ, turns are places on a line that all endpoints have their shares of. Each turn is a golden
 * section further than the one before, around the end: however many turns there have been, they lie as evenly as points
 * can, so that each endpoint has had its share to within a few turns, and those of a heavy one do not come in a row.
 */
#pragma once

#include "proxy/balance/balance.h"

/* The index of the endpoint. */
uint32_t round_robin_pick(struct balance *balance, const struct balance_choice *choice);
