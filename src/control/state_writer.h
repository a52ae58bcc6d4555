/* SPDX-License-Identifier: Apache-2.0 */
/* A child process that writes tables to the state directory, one job at a time.
 *
 * fsync may take seconds on a sick disk, and the loop must not wait for it. A process and not a thread: nothing of ours
 * is shared between threads, and a child that hangs in the kernel can be left behind. It is forked and does
 * not execute anything anew: it closes every descriptor but its own, writes what its parent had at that moment,
 * and ends.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "control/state.h"
#include "io/loop.h"

struct state_writer {
	/* failure: why it could not be written, borrowed; NULL: it was. The writer is idle again. */
	void (*on_written)(struct state_writer *writer, const char *failure);
	/* private to state_writer.c */
	struct loop_source child; /* its pid descriptor */
	struct loop *loop;
	pid_t pid; /* 0: idle */
	int words; /* what the child has to say, read end */
};

void state_writer_init(struct state_writer *writer,
		       void (*on_written)(struct state_writer *writer, const char *failure));

/* Writes the tables of those kinds to DIRECTORY/KIND.segment; the one that is there becomes
 * KIND.segment.previous once the new one is whole and on disk. What is secret is sealed with the key, which may be NULL
 * where nothing is. directory is borrowed until on_written. Must be idle. 0, or -1 with the reason: then on_written
 * is not called. */
int state_writer_start(struct state_writer *writer, struct loop *loop, const char *directory,
		       const bool kinds[static TABLE_KIND_COUNT],
		       const struct state_content *content, const struct state_key *key,
		       struct error *err);

bool state_writer_is_busy(const struct state_writer *writer);

/* Waits for the end of the job, if there is one, for that long at most, and reports it. false: the child takes
 * longer and is left to itself, without report. */
bool state_writer_finish(struct state_writer *writer, int timeout_ms);
