/* SPDX-License-Identifier: Apache-2.0 */
/* Weights of endpoints become shares of a line, so that a worker finds by one number whose turn it is. Private to
 * compile/. */
#pragma once

#include "table/builder.h"
#include "table/endpoints.h"

/* Adds the shares of an upstream's endpoints; where they begin. TABLE_NONE: all weights are equal, and there are
 * none. */
uint32_t shares_add(struct builder *builder, const struct endpoint_record *records, uint32_t count);
