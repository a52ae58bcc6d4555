/* SPDX-License-Identifier: Apache-2.0 */
/* The one of two, drawn by weight, that has fewer requests under way for its weight, over all workers. */
#pragma once

#include "proxy/balance/balance.h"

/* The index of the endpoint. */
uint32_t least_requests_pick(struct balance *balance, const struct balance_choice *choice);
