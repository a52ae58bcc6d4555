/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of a worker: made when they are asked for first, and kept. */
#pragma once

#include "base/pattern.h"

struct pattern_store;

/* So many are kept; the one that was asked for longest ago goes first. */
enum { PATTERNS_MAX = 1024 };

struct pattern_store *pattern_store_new(void);

/* NULL is harmless. */
void pattern_store_free(struct pattern_store *store);

/* Borrowed until the next call. NULL: it is none, which control should have refused. */
const struct pattern *pattern_store_get(struct pattern_store *store, struct span text);
