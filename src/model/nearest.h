/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the known name that a misspelt one is nearest to. */
#pragma once

#include "base/span.h"

struct nearest {
	struct span wanted;
	struct span best;  /* {NULL, 0}: none is near enough */
	unsigned distance; /* edits between the two */
};

/* wanted is borrowed while names are offered. */
struct nearest nearest_to(struct span wanted);

/* How many names may be compared while one model is built: what nobody knows is reported in any case, but a tenant
 * with a million misspelt names gets no million walks. */
enum { NEAREST_BUDGET = 50000 };

/* name is kept in `best` when it is the nearest so far. */
void nearest_offer(struct nearest *nearest, struct span name);
