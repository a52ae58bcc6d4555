/* SPDX-License-Identifier: Apache-2.0 */
/* The request head as the endpoint gets it: made anew from the parsed one (compat spec, 13.2; security
 * spec, 3.6 and 3.8). */
#pragma once

#include "base/span.h"

struct exchange;

/* Writes it into the worker's scratch. {NULL, 0}: it does not fit, or a value did not pass the writer's check. */
struct span request_out_write(struct exchange *exchange);
