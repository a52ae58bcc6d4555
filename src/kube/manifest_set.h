/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest files of a source and who of them says what about which object.
 *
 * Files are put, fail and go; manifest_set_settle then tells the sink what that means for the objects: an
 * object that stands in two files is that of the first by name, and when it goes there the second one's takes
 * its place. A file that does not parse, or an object that is refused, keeps its last good form. What did not change
 * is not delivered again. Nothing here reads a file or waits.
 */
#pragma once

#include <stdbool.h>

#include "kube/document.h"
#include "kube/source.h"

struct manifest_set;

/* Where the set asks for a file's content again: an object that it gave away long ago must be given anew. It puts
 * the file, or removes it. */
typedef void manifest_set_read(void *owner, struct span name);

/* sink: kept, as owner is. */
struct manifest_set *manifest_set_new(const struct source_sink *sink, manifest_set_read *read,
				      void *owner);

/* The sink is told nothing. */
void manifest_set_free(struct manifest_set *set);

/* The content of a file; name and text are borrowed. */
void manifest_set_put(struct manifest_set *set, struct span name, struct span text,
		      enum document_format format);

/* A file or directory that cannot be read: what it said last still holds. why: complete as it is. */
void manifest_set_fail(struct manifest_set *set, struct span name, const char *why);

/* It is gone, with all that it said. Harmless for a name that is not there. */
void manifest_set_remove(struct manifest_set *set, struct span name);

/* Delivers upserts and deletes; true when there was any, or when the diagnostics are others. */
bool manifest_set_settle(struct manifest_set *set);

/* All there is to say about files at present, by file name; valid until the next settle. */
const struct diagnostics *manifest_set_diagnostics(const struct manifest_set *set);
