/* SPDX-License-Identifier: Apache-2.0 */
/* Says each diagnostic once: when it appears, and when it is gone. */
#pragma once

#include <stdint.h>

#include "base/map.h"
#include "kube/diagnostic.h"

/* So many lines are logged for one update; how many more there are is one line more. */
enum { DIAGNOSTIC_LOG_LINES_MAX = 1000 };

struct diagnostic_log {
	struct map lines;                  /* private to diagnostic_log.c: what was there last */
	uint64_t update;                   /* private */
	uint32_t counts[DIAGNOSTIC_COUNT]; /* by id, each line once: as of the last update */
};

void diagnostic_log_init(struct diagnostic_log *log);
void diagnostic_log_fini(struct diagnostic_log *log);

/* lists: together all that there is to say now. */
void diagnostic_log_update(struct diagnostic_log *log, const struct diagnostics *const *lists,
			   size_t count);
