/* SPDX-License-Identifier: Apache-2.0 */
/* One after the other. Each worker begins at a place of its own, so that N workers do not all send their
 * first request to the same pod. */
#pragma once

#include "proxy/balance/balance.h"

const struct endpoint_record *round_robin_pick(struct balance *balance,
					       const struct balance_choice *choice);
