/* SPDX-License-Identifier: Apache-2.0 */
#include "run/restart.h"

static const uint32_t delays_ms[RESTART_STEPS] = {0, 100, 500, 2000, 5000};
static const uint64_t forgiven_ns = RESTART_FORGIVEN_S * UINT64_C(1000000000);

void restart_on_start(struct restart *restart, uint64_t now_ns)
{
	restart->started_ns = now_ns;
}

/* Roles that died of the same cause must not all come back in the same moment. */
static uint32_t jittered(uint32_t delay_ms, struct random *random)
{
	uint32_t spread_ms = delay_ms * RESTART_JITTER_PERCENT / 100;

	return delay_ms - spread_ms + random_below(random, 2 * spread_ms + 1);
}

uint32_t restart_on_death(struct restart *restart, uint64_t now_ns, struct random *random)
{
	uint32_t delay_ms;

	if (now_ns - restart->started_ns >= forgiven_ns)
		restart->step = 0;
	delay_ms = delays_ms[restart->step];
	if (restart->step + 1 < RESTART_STEPS)
		restart->step++;
	restart->deaths++;
	return jittered(delay_ms, random);
}
