/* SPDX-License-Identifier: Apache-2.0 */
/* The one of two, drawn by weight, from which an answer can be expected sooner: mean latency × (requests under way and
 * this one), over all workers.
 *
 * Latencies below a millisecond count as one, so that the requests under way decide between endpoints that are all
 * fast.
 *
 * Where nothing is known of how long one of them takes, since it is new or was idle for long, the number of requests
 * under way decides alone, as if both were equally fast: a new pod gets what others have and no more, however many
 * workers find it at the same moment, for what they send it is counted before it answers. One that fails looks busier
 * with each failure (load.h), and its quick errors are no latencies.
 */
#pragma once

#include "proxy/balance/balance.h"

/* The index of the endpoint. */
uint32_t ewma_pick(struct balance *balance, const struct balance_choice *choice);
