/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_abuse.h"

#include "base/bug.h"

enum {
	BUDGET = 200,
	REFILL_PER_SECOND = 5,
	MILLI = 1000,
	UNEASY_BELOW = BUDGET / 4,
	SMALL_DATA_BYTES = 5, /* an empty message of gRPC has as many */
	SMALL_DATA_FREE = 64, /* in a second */
	LATE_PER_STREAM = 4,
	LATE_MAX = 512,
	PRIORITIES_PER_STREAM = 2,
	PRIORITIES_MAX = 256,
	UPDATES_PER_DATA = 2,
	UPDATES_PER_STREAM = 2, /* gRPC asks for its first message before there is any */
	UPDATES_MAX = 256,
};

#define SECOND_NS UINT64_C(1000000000)

static const uint8_t costs[H2_GLITCH_COUNT] = {
	[H2_GLITCH_RESET_RECEIVED] = 2, [H2_GLITCH_RESET_SENT] = 2,
	[H2_GLITCH_EMPTY_DATA] = 1,     [H2_GLITCH_SMALL_DATA] = 1,
	[H2_GLITCH_SETTINGS] = 5,       [H2_GLITCH_PING] = 1,
	[H2_GLITCH_PRIORITY] = 1,       [H2_GLITCH_SMALL_WINDOW_UPDATE] = 1,
	[H2_GLITCH_UNKNOWN_FRAME] = 1,  [H2_GLITCH_CLOSED_STREAM] = 1,
	[H2_GLITCH_MALFORMED] = 5,
};

void h2_abuse_init(struct h2_abuse *abuse, uint64_t now_ns)
{
	*abuse = (struct h2_abuse){
		.filled_ns = now_ns,
		.small_since_ns = now_ns,
		.level_milli = BUDGET * MILLI,
	};
}

static void refill(struct h2_abuse *abuse, uint64_t now_ns)
{
	const uint64_t step_ns = SECOND_NS / (REFILL_PER_SECOND * MILLI);
	uint64_t steps = (now_ns - abuse->filled_ns) / step_ns;
	uint64_t room = BUDGET * MILLI - abuse->level_milli;

	/* by whole steps, so that what is less than one is not lost */
	abuse->filled_ns += steps * step_ns;
	abuse->level_milli += (uint32_t)(steps < room ? steps : room);
}

static enum h2_mood mood(const struct h2_abuse *abuse)
{
	if (abuse->level_milli == 0)
		return H2_ANGRY;
	return abuse->level_milli <= UNEASY_BELOW * MILLI ? H2_UNEASY : H2_CALM;
}

static bool take_one(uint16_t *credit)
{
	if (*credit == 0)
		return false;
	(*credit)--;
	return true;
}

/* Whether this one follows something useful. */
static bool is_free(struct h2_abuse *abuse, enum h2_glitch glitch)
{
	if (glitch == H2_GLITCH_PING && !abuse->pinged) {
		abuse->pinged = true;
		return true;
	}
	if (glitch == H2_GLITCH_PRIORITY)
		return take_one(&abuse->priorities);
	if (glitch == H2_GLITCH_SMALL_WINDOW_UPDATE)
		return take_one(&abuse->updates);
	return glitch == H2_GLITCH_CLOSED_STREAM && take_one(&abuse->late);
}

enum h2_mood h2_abuse_add(struct h2_abuse *abuse, enum h2_glitch glitch, uint64_t now_ns)
{
	uint32_t cost;

	BUG_ON((unsigned)glitch >= H2_GLITCH_COUNT);
	refill(abuse, now_ns);
	if (is_free(abuse, glitch))
		return mood(abuse);
	cost = costs[glitch] * (uint32_t)MILLI;
	abuse->level_milli -= cost < abuse->level_milli ? cost : abuse->level_milli;
	return mood(abuse);
}

enum h2_mood h2_abuse_data(struct h2_abuse *abuse, uint32_t bytes, uint64_t now_ns)
{
	if (bytes == 0)
		return h2_abuse_add(abuse, H2_GLITCH_EMPTY_DATA, now_ns);
	if (bytes >= SMALL_DATA_BYTES)
		return mood(abuse);
	if (now_ns - abuse->small_since_ns >= SECOND_NS) {
		abuse->small_since_ns = now_ns;
		abuse->small = 0;
	}
	if (abuse->small < SMALL_DATA_FREE) {
		abuse->small++;
		return mood(abuse);
	}
	return h2_abuse_add(abuse, H2_GLITCH_SMALL_DATA, now_ns);
}

void h2_abuse_sent(struct h2_abuse *abuse)
{
	abuse->pinged = false;
}

void h2_abuse_sent_within_windows(struct h2_abuse *abuse)
{
	if (abuse->updates <= UPDATES_MAX - UPDATES_PER_DATA)
		abuse->updates += UPDATES_PER_DATA;
}

void h2_abuse_stream_begun(struct h2_abuse *abuse)
{
	if (abuse->priorities <= PRIORITIES_MAX - PRIORITIES_PER_STREAM)
		abuse->priorities += PRIORITIES_PER_STREAM;
	if (abuse->updates <= UPDATES_MAX - UPDATES_PER_STREAM)
		abuse->updates += UPDATES_PER_STREAM;
}

void h2_abuse_stream_ended(struct h2_abuse *abuse)
{
	if (abuse->late <= LATE_MAX - LATE_PER_STREAM)
		abuse->late += LATE_PER_STREAM;
}

uint32_t h2_abuse_left(const struct h2_abuse *abuse)
{
	return abuse->level_milli / MILLI;
}
