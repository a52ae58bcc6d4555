/* SPDX-License-Identifier: Apache-2.0 */
/* Says each diagnostic once: when it appears, and when it is gone. */
#pragma once

#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "kube/diagnostic.h"

/* So many lines are logged at once; how many more there are is one line more. */
enum { DIAGNOSTIC_LOG_LINES_MAX = 1000 };

struct diagnostic_log {
	struct map lines;    /* private to diagnostic_log.c, by text */
	struct list changed; /* private: lines that came or went since the last time */
	uint32_t counts[DIAGNOSTIC_COUNT]; /* by id, each line once */
};

void diagnostic_log_init(struct diagnostic_log *log);
void diagnostic_log_fini(struct diagnostic_log *log);

/* The list is there from now on; it is borrowed. Nothing is logged yet. */
void diagnostic_log_add(struct diagnostic_log *log, const struct diagnostics *list);

/* A list that was added, unchanged, is there no more. */
void diagnostic_log_remove(struct diagnostic_log *log, const struct diagnostics *list);

/* Logs what is new and what is gone since the last call. Cost: that of the lines that came or went. */
void diagnostic_log_say(struct diagnostic_log *log);
