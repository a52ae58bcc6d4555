/* SPDX-License-Identifier: Apache-2.0 */
#include "io/timer.h"

#include <stddef.h>
#include <string.h>

/*
 * Level 0 has a slot for each of the next 256 ticks; a slot of level n holds 256^n ticks. When level 0 has
 * gone round, the next slot of level 1 is spread over it, and so on. Ticks are 32 bits wide and
 * wrap after 198 days; only differences below 2^31 are ever compared.
 */

enum { LEVEL_BITS = 8, SLOT_MASK = TIMER_SLOTS - 1, DELAY_MAX_MS = 24 * 86400 * 1000 };

static bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static uint32_t tick_of(uint64_t ms)
{
	return (uint32_t)(ms / TIMER_TICK_MS);
}

void timers_init(struct timers *timers, uint64_t now_ms)
{
	for (unsigned level = 0; level < TIMER_LEVELS; level++)
		for (unsigned slot = 0; slot < TIMER_SLOTS; slot++)
			list_init(&timers->slots[level][slot]);
	memset(timers->filled, 0, sizeof(timers->filled));
	timers->now_ms = now_ms;
	timers->tick = tick_of(now_ms);
	timers->count = 0;
}

void timer_init(struct timer *timer, void (*on_expired)(struct timer *timer))
{
	list_init(&timer->link);
	timer->on_expired = on_expired;
}

bool timer_is_running(const struct timer *timer)
{
	return !list_is_empty(&timer->link);
}

static void put_in_wheel(struct timers *timers, struct timer *timer)
{
	uint32_t when = is_before(timer->deadline, timers->tick) ? timers->tick : timer->deadline;
	uint32_t distance = when - timers->tick;
	unsigned level = 0;
	uint32_t slot;

	while (level + 1 < TIMER_LEVELS && distance >= 1U << (LEVEL_BITS * (level + 1)))
		level++;
	timer->queued = when;
	slot = when >> (LEVEL_BITS * level) & SLOT_MASK;
	list_add_last(&timers->slots[level][slot], &timer->link);
	if (level == 0)
		timers->filled[slot / 64] |= UINT64_C(1) << slot % 64;
}

void timer_start(struct timers *timers, struct timer *timer, uint32_t delay_ms)
{
	uint32_t delay = delay_ms > DELAY_MAX_MS ? DELAY_MAX_MS : delay_ms;

	/* one tick more than the quotient: never early */
	timer->deadline = tick_of(timers->now_ms + delay) + 1;
	if (timer_is_running(timer)) {
		if (!is_before(timer->deadline, timer->queued))
			return;
		list_remove(&timer->link);
		timers->count--;
	}
	put_in_wheel(timers, timer);
	timers->count++;
}

void timer_stop(struct timers *timers, struct timer *timer)
{
	if (!timer_is_running(timer))
		return;
	list_remove(&timer->link);
	timers->count--;
}

/* Moves a whole list, so that what on_expired adds to the slot is not met in the same walk. */
static void take_slot(struct list *from, struct list *to)
{
	list_init(to);
	if (list_is_empty(from))
		return;
	*to = *from;
	to->next->prev = to;
	to->prev->next = to;
	list_init(from);
}

static void spread(struct timers *timers, unsigned level)
{
	struct list due;
	unsigned slot = timers->tick >> (LEVEL_BITS * level) & SLOT_MASK;

	if (level + 1 < TIMER_LEVELS && slot == 0)
		spread(timers, level + 1);
	take_slot(&timers->slots[level][slot], &due);
	while (!list_is_empty(&due)) {
		struct timer *timer = container_of(due.next, struct timer, link);

		list_remove(&timer->link);
		put_in_wheel(timers, timer);
	}
}

static void fire(struct timers *timers)
{
	struct list due;

	take_slot(&timers->slots[0][timers->tick & SLOT_MASK], &due);
	timers->tick++;
	while (!list_is_empty(&due)) {
		struct timer *timer = container_of(due.next, struct timer, link);

		list_remove(&timer->link);
		if (is_before(timers->tick - 1, timer->deadline)) {
			put_in_wheel(timers, timer);
			continue;
		}
		timers->count--;
		timer->on_expired(timer);
	}
}

void timers_set_now(struct timers *timers, uint64_t now_ms)
{
	timers->now_ms = now_ms;
}

void timers_advance(struct timers *timers, uint64_t now_ms)
{
	uint32_t target = tick_of(now_ms);

	timers->now_ms = now_ms;
	if (timers->count == 0 && is_before(timers->tick, target))
		timers->tick = target;
	while (!is_before(target, timers->tick)) {
		if ((timers->tick & SLOT_MASK) == 0)
			spread(timers, 1);
		fire(timers);
	}
}

/* Ticks to the next slot of level 0 that holds something, or to where the next level is spread. */
static uint32_t ticks_to_next(struct timers *timers)
{
	uint32_t first = timers->tick & SLOT_MASK;
	uint32_t slot = first;

	if (first == 0)
		return 0;
	while (slot < TIMER_SLOTS) {
		uint64_t left = timers->filled[slot / 64] >> slot % 64;

		if (left == 0) {
			slot = (slot / 64 + 1) * 64;
			continue;
		}
		slot += (uint32_t)__builtin_ctzll(left);
		if (!list_is_empty(&timers->slots[0][slot]))
			break;
		timers->filled[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	}
	return (slot < TIMER_SLOTS ? slot : TIMER_SLOTS) - first;
}

int timers_wait_ms(struct timers *timers, int max_ms)
{
	uint32_t most = (uint32_t)max_ms / TIMER_TICK_MS;
	uint32_t ticks;
	int wait_ms;

	if (timers->count == 0)
		return max_ms;
	ticks = ticks_to_next(timers);
	if (ticks > most)
		ticks = most;
	wait_ms = (int)(ticks * TIMER_TICK_MS) + TIMER_TICK_MS -
		  (int)(timers->now_ms % TIMER_TICK_MS);
	return wait_ms < max_ms ? wait_ms : max_ms;
}
