/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of one of our processes, from /proc. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* has_…: that file could be read; without, its fields are 0. A process that nobody may look into (our roles make
 * themselves so) tells its descriptors only to itself, and to whoever may trace it. */
struct process_figures {
	double cpu_seconds;   /* user and system */
	double start_seconds; /* since 1970 */
	uint64_t virtual_bytes;
	uint64_t resident_bytes;
	/* of its own, shared with nobody; where that is not told: all but files and shared memory */
	uint64_t private_bytes;
	bool has_descriptors;
	uint64_t descriptors;
	uint64_t descriptors_max; /* 0: without limit or not known */
	uint64_t read_bytes;      /* from storage; 0 where it may not be asked */
	uint64_t written_bytes;
};

/* false: there is no such process. */
bool process_read(pid_t pid, struct process_figures *figures);
