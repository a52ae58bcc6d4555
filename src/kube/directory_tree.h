/* SPDX-License-Identifier: Apache-2.0 */
/* A directory and all below it: which manifest files there are, what was seen of them, and what inotify is to
 * tell. Contents go to a manifest_set. Private to kube/source_dir.c.
 *
 * Passed over are hidden names, and all that do not end in .yaml, .yml or .json (and with them the swap and
 * backup files of editors). Symbolic links are followed, each directory is walked once. The layout of mounted
 * ConfigMaps (files link to ..data/file, and ..data is swapped) is followed too.
 */
#pragma once

#include <stdbool.h>
#include <sys/inotify.h>

#include "kube/manifest_set.h"

struct directory_tree;

enum tree_read {
	TREE_READ_CHANGED, /* files whose inode, size or times differ from what was seen */
	TREE_READ_ALL,
};

/* inotify: descriptor to add watches to, borrowed. set: kept. path need not exist. Nothing is read yet. */
struct directory_tree *directory_tree_new(const char *path, int inotify, struct manifest_set *set);

void directory_tree_free(struct directory_tree *tree);

/* Walks everything. A root that is no directory at present is a fault in the set, and its files stay. */
void directory_tree_scan(struct directory_tree *tree, enum tree_read how);

/* Whether the root was a directory at the last scan. */
bool directory_tree_has_root(const struct directory_tree *tree);

/* Remembers what an event is about; directory_tree_look goes there. */
void directory_tree_note(struct directory_tree *tree, const struct inotify_event *event);
void directory_tree_look(struct directory_tree *tree);

/* Reads one file again, by its name in the set. */
void directory_tree_read(struct directory_tree *tree, struct span name);

/* Reads a file or a directory into the set, and watches nothing. Names in the set begin with path. */
void directory_tree_read_once(const char *path, struct manifest_set *set);
