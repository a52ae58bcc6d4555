/* SPDX-License-Identifier: Apache-2.0 */
/* One server of HTTP/2 and the bytes of a client that plays by no rules. */
#pragma once

#include "given_h2.h"

/* too large for the stack */
static struct given_side server;
static struct raw raw;

static inline void given_server_with(const struct h2_options *options)
{
	given_start(&server, options);
	raw.length = 0;
	raw_hello(&raw);
	given_feed_raw(&server, &raw, SIZE_MAX);
	given_pull(&server, 16384);
}

static inline void given_server(void)
{
	struct h2_options options = h2_options_usual(H2_SERVER);

	given_server_with(&options);
}

static inline void feed(void)
{
	given_feed_raw(&server, &raw, SIZE_MAX);
}

static inline void feed_and_pull(void)
{
	feed();
	given_pull(&server, 16384);
}

static inline struct given_stream *stream(unsigned n)
{
	assert_true(n < server.count);
	return &server.streams[n];
}
