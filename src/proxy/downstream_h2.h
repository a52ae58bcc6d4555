/* SPDX-License-Identifier: Apache-2.0 */
/* A client's connection that speaks HTTP/2 (RFC 9113; security spec, 4 and 5.1): the codec's session between the
 * transport and the streams (downstream_stream.h).
 */
#pragma once

#include "base/list.h"
#include "proxy/h2_wire.h"

struct downstream;

struct downstream_h2 {
	struct h2_wire wire;
	struct downstream *downstream;
	struct list streams; /* all of them */
	uint64_t idle_since_ns;
};

/* The connection speaks HTTP/2 from its first byte on; what came of it lies in downstream->in. Idle until now. All of
 * these may end the connection. */
void downstream_h2_begin(struct downstream *downstream);

/* Called by downstream.c: edges, the timer. */
void downstream_h2_on_ready(struct downstream *downstream, uint32_t events);
void downstream_h2_on_expired(struct downstream *downstream);

/* It takes no more requests than a client may have sent before it hears of that, and ends when they are answered. */
void downstream_h2_drain(struct downstream *downstream);

/* At once. No stream is open; the client is told, if the kernel has room for that. */
void downstream_h2_end(struct downstream *downstream);

/* At once, whatever is in progress: the worker stops. */
void downstream_h2_cut(struct downstream *downstream);

/* A stream has begun or ended: the connection is busy, or idle. */
void downstream_h2_count_streams(struct downstream_h2 *connection);
