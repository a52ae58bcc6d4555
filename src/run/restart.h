/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before a role that died is started again: not at all the first time, then longer and
 * longer; forgotten when it has lived for a while (security spec, 2.3).
 */
#pragma once

#include <stdint.h>

#include "base/random.h"

enum { RESTART_STEPS = 5, RESTART_FORGIVEN_S = 60, RESTART_JITTER_PERCENT = 20 };

/* All zero before the first start. */
struct restart {
	uint64_t started_ns; /* private to restart.c; monotonic */
	uint32_t step;       /* private */
	uint32_t deaths;     /* in all */
};

void restart_on_start(struct restart *restart, uint64_t now_ns);

/* The role died now: milliseconds until it is to be started again. */
uint32_t restart_on_death(struct restart *restart, uint64_t now_ns, struct random *random);
