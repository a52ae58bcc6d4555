/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of manifests as a source: YAML and JSON files, several documents a file, kind: List,
 * subdirectories; watched by inotify.
 *
 * A file that does not parse keeps its last good objects and gets a diagnostic. Files are looked at when
 * they are closed after writing, or renamed into place; editors' swap and backup files are passed over. A
 * directory that vanishes and comes back is found again.
 */
#pragma once

#include "base/error.h"
#include "io/loop.h"
#include "kube/source.h"

struct source_dir;

enum { SOURCE_DIR_FILE_MAX = 16 << 20 }; /* bytes of one file */

/* Lists the directory once after the loop runs, then follows it. sink is kept until source_dir_stop.
 * NULL with the reason when inotify is not to be had. A path that is no directory at present is a
 * diagnostic, not an error; nothing is listed before it is one. */
struct source_dir *source_dir_start(struct loop *loop, const char *path,
				    const struct source_sink *sink, struct error *err);

/* Reads everything again now (SIGHUP). */
void source_dir_reread(struct source_dir *source);

void source_dir_stop(struct source_dir *source);

/* Reads files and directories once, without a loop (ingot check): decoded objects go to the sink, which is
 * told on_listed and on_settled at the end. paths: files, directories, or "-" for standard input. */
void source_dir_read_once(const char *const *paths, size_t count, const struct source_sink *sink);
