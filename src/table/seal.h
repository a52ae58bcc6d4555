/* SPDX-License-Identifier: Apache-2.0 */
/* Segments as descriptors: a memfd that nobody can write, grow or shrink any more, and its mapping. */
#pragma once

#include "base/error.h"
#include "base/span.h"

/* A memfd with that content, sealed against write, grow, shrink and further seals; close-on-exec. name
 * is for /proc only. The caller closes it. -1 with the reason. */
int seal_new(const char *name, struct span content, struct error *err);

/* Maps a segment that arrived from another process, read-only. Refuses a descriptor that is not sealed,
 * is empty, or larger than TABLE_SEGMENT_MAX. The descriptor may be closed afterwards. 0 or -1. */
int seal_map(int fd, struct span *segment, struct error *err);

void seal_unmap(struct span segment);

/* A mapping with keys: in no core dump, in no child (security spec, K2). */
void seal_hide(struct span segment);
