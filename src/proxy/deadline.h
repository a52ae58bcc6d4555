/* SPDX-License-Identifier: Apache-2.0 */
/* What the timer of one side of an exchange was started for. A timer that ends acts only on what is still
 * awaited, and it is started anew only when the wait begins or enough has come of what is awaited; so
 * neither an old deadline nor a drop now and then decides (security spec, 7.1).
 */
#pragma once

#include "io/timer.h"

enum await {
	AWAIT_NOTHING,
	AWAIT_CONNECT, /* the endpoint accepts the connection */
	AWAIT_HEAD,    /* the response head comes */
	AWAIT_BODY,    /* more of a body comes */
	AWAIT_TAKE,    /* this side takes what it is sent */
	AWAIT_TUNNEL,  /* anything passes, either way */
};

struct deadline {
	enum await what;
	uint64_t mark; /* progress when the timer was started */
};

static inline void deadline_clear(struct deadline *deadline)
{
	deadline->what = AWAIT_NOTHING;
}

/* progress: a number that grows with what is awaited; enough: by how much until the time begins anew. */
static inline void deadline_set(struct deadline *deadline, struct timers *timers,
				struct timer *timer, enum await what, uint64_t progress,
				uint64_t enough, uint32_t delay_ms)
{
	if (deadline->what == what && progress - deadline->mark < enough && timer_is_running(timer))
		return;
	*deadline = (struct deadline){.what = what, .mark = progress};
	timer_start(timers, timer, delay_ms);
}
