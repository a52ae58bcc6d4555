/* SPDX-License-Identifier: Apache-2.0 */
/* The glitch budget of one HTTP/2 connection (security spec, 5.1): what a peer may do without use before it is
 * asked to leave. Each useless frame takes from a bucket that fills slowly; that is the answer to rapid
 * reset and MadeYouReset (CVE-2023-44487, CVE-2025-8671) and to the floods of CVE-2019-9511 to 9518.
 *
 * Four kinds of frames are free as long as they follow useful ones, because honest peers send them in
 * numbers: a PING after we sent HEADERS or DATA (gRPC measures with one for each batch), two small
 * WINDOW_UPDATE for each DATA that no window cut short (gRPC gives back what each small message took, for
 * stream and connection; who makes windows small to get small DATA earns none), two PRIORITY or
 * PRIORITY_UPDATE for each stream (browsers sort their images), and frames that were under way when their
 * stream ended.
 *
 * No clock: time comes in, in nanoseconds, and never runs backwards.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "http/h2_frames.h"

enum h2_glitch {
	H2_GLITCH_RESET_RECEIVED, /* before the response was complete */
	H2_GLITCH_RESET_SENT,     /* because of the peer */
	H2_GLITCH_EMPTY_DATA,     /* and no end of the stream */
	H2_GLITCH_SMALL_DATA, /* less than the least message of gRPC, beyond 64 of them in a second */
	H2_GLITCH_SETTINGS,
	H2_GLITCH_PING,
	H2_GLITCH_PRIORITY,
	H2_GLITCH_SMALL_WINDOW_UPDATE, /* of less than 1 KiB */
	H2_GLITCH_UNKNOWN_FRAME,
	H2_GLITCH_CLOSED_STREAM, /* a frame for a stream that is gone */
	H2_GLITCH_MALFORMED,     /* request or response */
	H2_GLITCH_COUNT
};

enum h2_mood {
	H2_CALM,
	H2_UNEASY, /* three quarters are spent: ask the peer to open another connection */
	H2_ANGRY,  /* all is spent: ENHANCE_YOUR_CALM */
};

struct h2_abuse {
	uint64_t filled_ns; /* private to h2_abuse.c, like all: when the bucket was filled last */
	uint64_t small_since_ns; /* begin of the second in which small DATA is counted */
	uint32_t level_milli;    /* thousandths of a glitch that are left */
	uint16_t small;          /* small DATA in that second */
	uint16_t late;           /* frames for closed streams that are still free */
	uint16_t priorities;     /* the same of PRIORITY */
	uint16_t updates;        /* and of small WINDOW_UPDATE */
	bool pinged;             /* since we sent something */
};

void h2_abuse_init(struct h2_abuse *abuse, uint64_t now_ns);

enum h2_mood h2_abuse_add(struct h2_abuse *abuse, enum h2_glitch glitch, uint64_t now_ns);

/* DATA with that many bytes besides padding, and no end of the stream. */
enum h2_mood h2_abuse_data(struct h2_abuse *abuse, uint32_t bytes, uint64_t now_ns);

/* HEADERS or DATA were sent: the next PING is free. */
void h2_abuse_sent(struct h2_abuse *abuse);

/* It was DATA, and both windows had room for more. */
void h2_abuse_sent_within_windows(struct h2_abuse *abuse);

void h2_abuse_stream_begun(struct h2_abuse *abuse);

/* A stream ended, and not by a fault of the peer: frames for it may be under way. */
void h2_abuse_stream_ended(struct h2_abuse *abuse);

/* Glitches that are left, rounded down. */
uint32_t h2_abuse_left(const struct h2_abuse *abuse);
