/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: read with a limit, written so that a reader sees the old or the new one. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

/* Appends the content of a regular file to *into. Refuses one larger than max_bytes. 0 or -1. */
int file_read(const char *path, size_t max_bytes, struct buf *into, struct error *err);

/* The same of a file with a secret in it: refuses one that belongs to us and that others may use, as ssh does with its
 * keys. Memory that *into grows out of is not wiped: reserve before. */
int file_read_secret(const char *path, size_t max_bytes, struct buf *into, struct error *err);

/* Writes PATH.tmp, syncs it, renames it to PATH and syncs the directory. mode: as of open(2). 0 or -1. */
int file_replace(const char *path, struct span content, unsigned mode, struct error *err);
