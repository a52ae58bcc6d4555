/* SPDX-License-Identifier: Apache-2.0 */
/* Where the access log goes: run opens it, workers only write to what they are handed. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* path: "-" is standard output, "off" is nowhere, all else a file, made where it is missing. *fd: the
 * descriptor, close-on-exec, which the caller closes; -1: off. Writing to it never waits where it is a
 * pipe or terminal. 0 or -1. */
int log_target_open(const char *path, int *fd, struct error *err);

/* Whether opening it again, after somebody renamed it, leads to another file. */
bool log_target_is_file(const char *path);
