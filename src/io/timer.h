/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines by the million: a hierarchical wheel of intrusive lists.
 *
 * Starting, moving and stopping cost a few instructions. A deadline that moves later, as those of busy
 * connections do with every request, is only written down; the wheel looks at it when the old one is due. Precision
 * is TIMER_TICK_MS, and a timer never fires early. Time is the loop's: it stands still while the process
 * was stopped, so that no storm of expired timers follows (security spec, R22).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum { TIMER_TICK_MS = 4, TIMER_LEVELS = 4, TIMER_SLOTS = 256 };

struct timer {
	struct list link;  /* private to timer.c */
	uint32_t deadline; /* private; ticks */
	uint32_t queued;   /* private; ticks: where in the wheel it lies */
	void (*on_expired)(struct timer *timer);
};

struct timers {
	struct list slots[TIMER_LEVELS][TIMER_SLOTS]; /* private to timer.c */
	uint64_t
		filled[TIMER_SLOTS / 64]; /* private: bit n: slot n of level 0 may hold something */
	uint64_t now_ms;                  /* private */
	uint32_t tick;                    /* private: everything before it is done */
	uint32_t count;                   /* timers that are in the wheel */
};

void timers_init(struct timers *timers, uint64_t now_ms);

void timer_init(struct timer *timer, void (*on_expired)(struct timer *timer));

/* Fires in delay_ms or up to two ticks later; a running timer is moved. At most 24 days. */
void timer_start(struct timers *timers, struct timer *timer, uint32_t delay_ms);

/* Harmless when it does not run. Must be called before the struct around it goes. */
void timer_stop(struct timers *timers, struct timer *timer);

bool timer_is_running(const struct timer *timer);

/* The time from which delays count until the next call of this or of timers_advance. Fires nothing: what was
 * received meanwhile is looked at first. */
void timers_set_now(struct timers *timers, uint64_t now_ms);

/* Fires what is due. on_expired may start and stop any timer. */
void timers_advance(struct timers *timers, uint64_t now_ms);

/* Milliseconds until something may be due, at most max_ms. */
int timers_wait_ms(struct timers *timers, int max_ms);
