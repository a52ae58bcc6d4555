/* SPDX-License-Identifier: Apache-2.0 */
/* A field of a head that a benchmark's own programs wrote: no folding, no trick. */
#pragma once

#include "base/span.h"

/* The value of the field of that name, which is given with its colon; empty without one. */
struct span head_field(struct span head, struct span name);
