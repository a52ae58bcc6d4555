/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 load from one thread.
 *
 * Closed loop: every connection always has one request out, which finds the highest rate. Open loop: request
 * i is due at start + i / rate whatever the server does, waits for a free connection if there is none, and
 * its latency counts from when it was due: a stall is charged to every request that it held up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

struct load_options {
	const char *host;
	const char *target;
	double rate;         /* requests a second, open loop; 0: closed loop */
	double warm_seconds; /* before latencies are counted */
	double seconds;      /* after that; 0: until load_stop */
	uint32_t connections;
	uint32_t sources; /* addresses that connections come from, in turn */
	uint16_t port;
	bool one_request; /* a connection for each request */
	bool gate; /* after the warm-up: rest, say "warm", and wait for a byte on standard input */
};

struct load_result {
	uint64_t
		requests; /* answered, warm-up included: what the server's CPU time is divided by */
	uint64_t gated;   /* of these, answered after the gate */
	uint64_t bytes;   /* received */
	uint64_t cut;     /* connections that ended with a request out */
	uint64_t refused; /* connections that were not to be had */
	uint64_t unexpected;      /* answers other than 200, or none at all by their form */
	uint64_t reconnects;      /* connections that ended in order, between requests */
	double seconds;           /* measured */
	struct histogram latency; /* of requests answered in the measured time */
};

/* result is zeroed by the caller: it is large. */
void load_run(const struct load_options *options, struct load_result *result);

/* Ends the run soon. For signal handlers. */
void load_stop(void);
