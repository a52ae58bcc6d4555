/* SPDX-License-Identifier: Apache-2.0 */
/* Whether another attempt may follow one that failed (security spec, 7.5; compat spec, 16): nothing has gone to
 * the client, the body can be sent again, and acting on the request twice does no harm or cannot happen.
 */
#pragma once

#include <stdbool.h>

#include "http/fault.h"

struct exchange;

/* The attempt failed; its connection, if there was one, is still the exchange's. */
bool retry_may_follow_fault(const struct exchange *exchange, enum fault fault);

/* The endpoint answered, and exchange->response is its head. */
bool retry_may_follow_status(const struct exchange *exchange);
