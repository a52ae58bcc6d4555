/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of HTTP/2 without a session: what a reader or a sender sees of one. */
#pragma once

#include "http/h2.h"

static struct h2_stream h2_stream;

static inline void given_h2_stream(void)
{
	h2_stream = (struct h2_stream){0};
}
