/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to an endpoint that speaks HTTP/2 (RFC 9113; security spec, 5.1): the codec's session between the
 * transport and the streams (upstream_stream.h), many at a time. It stays in the conn_pool from its opening to its
 * end, and is found there while it has room.
 *
 *   connecting --> open <--> idle
 *        \___________\_________\____> [dead, while responses that came whole go out] --> closed
 *
 * How many streams an endpoint takes is known when its SETTINGS have come. Until then one request goes, the others
 * wait; and those for which there is no room afterwards go over to other connections. So no request is sent to be
 * refused, and a connection to an endpoint that takes only few is not filled with those that nobody serves.
 *
 * A machine that is gone says nothing, and the kernel may need a quarter of an hour to find out. So a connection on
 * which a stream timed out while nothing came is in doubt: it gets a PING and no new streams. Whatever comes clears
 * it; if nothing does it ends, and its streams as with a reset. Where no stream is left, what the kernel cannot get rid
 * of ends it too.
 *
 * It ends when it has idled for long, has served long enough, its endpoint has left or sent GOAWAY: then as soon as no
 * stream is on it. Nothing but the end of the turn, the timer and who takes an idle one out of the pool ends it, so
 * that no exchange can take its connection away under its feet.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "http/fault.h"
#include "proxy/h2_wire.h"
#include "proxy/upstream_way.h"
#include "table/endpoints.h"

struct upstream;

struct upstream_h2 {
	struct h2_wire wire;
	struct upstream *upstream;
	struct list streams;    /* whose request was given to the session */
	struct list waiting;    /* those that may not go yet, the first come first */
	uint32_t waiting_count; /* of these */
	uint32_t
		streams_assumed; /* how many the endpoint takes, before it has said so; at least 1 */
	bool settings_news;      /* SETTINGS came, and act has not looked at them */
	bool dead;               /* there is no session any more, and nobody finds it */
	uint64_t
		received_idle; /* bytes that had come of it when it was idle last; UINT64_MAX: never */
	uint64_t idle_since_ns;
	uint64_t doubted_ns;       /* when it was asked whether it lives; 0: it is not in doubt */
	uint64_t received_doubted; /* bytes that had come of it then */
	uint64_t
		stuck_ns; /* since when no stream is on it, and its last bytes do not go out; 0: not so */
};

/* One to that endpoint that has room for a stream, or a new one, being made. fresh: not one that has been idle and may
 * be dead. NULL: errno says why. */
struct upstream_h2 *upstream_h2_take(struct worker *worker, const struct endpoint_record *endpoint,
				     const struct upstream_way *way, bool fresh);

/* A stream has come or gone: looked at when the turn ends. */
void upstream_h2_count_streams(struct upstream_h2 *connection);

/* A stream has waited in vain, and nothing came of any other: until something comes nothing new begins on it. */
void upstream_h2_doubt(struct upstream_h2 *connection);

/* Whether the request of a stream may go at once. */
bool upstream_h2_is_open(const struct upstream_h2 *connection);

/* No stream is on it: it ends at once, and the endpoint is told if the kernel has room for that. */
void upstream_h2_end(struct upstream *upstream);
