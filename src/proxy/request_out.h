/* SPDX-License-Identifier: Apache-2.0 */
/* The request head as the endpoint gets it: made anew from the parsed one (compat spec, 13.2; security
 * spec, 3.6 and 3.8), as bytes of HTTP/1.1 or for a stream of HTTP/2. */
#pragma once

#include "http/fault.h"

struct exchange;

/* Begins the request at exchange->server: sets to_upstream.sender, behind which the body goes. A fault: it does not
 * fit, a value did not pass the writer's check, or there is no memory for it. */
enum fault request_out_begin(struct exchange *exchange);
