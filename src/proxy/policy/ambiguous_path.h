/* SPDX-License-Identifier: Apache-2.0 */
/* Route stability (security spec, P5): no backend's reading of a path may carry a request around the
 * policies of the route that it would then belong to. */
#pragma once

#include <stdbool.h>

struct exchange;

/* Whether another reading of the path leads to a route that is treated otherwise. Only for paths with
 * uri.has_readings. */
bool ambiguous_path_is(struct exchange *exchange);
