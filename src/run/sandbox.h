/* SPDX-License-Identifier: Apache-2.0 */
/* What a process gives up before the first byte of input (security spec, 2.2). Nothing of it can be taken back.
 * A build with sanitizers keeps what they need: core dumps by ptrace, and all system calls.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* For every role, first of all: no new privileges, no core dumps, no reading of its memory by others, death with
 * its parent, and no descriptor but 0, 1, 2 and the fd_count from SPAWN_FIRST_FD on, which must all be
 * open. 0 or -1. */
int sandbox_enter_role(uint32_t fd_count, struct error *err);

/* For a worker, when all is set up that needs a file: from then on a system call that is not on the list ends the
 * process. It cannot open files, start programs or threads, or make memory executable. 0 or -1. */
int sandbox_enter_proxy(struct error *err);

/* As many descriptors as may be had. 0 or -1. */
int sandbox_raise_descriptors(uint64_t *limit, struct error *err);
