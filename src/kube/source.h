/* SPDX-License-Identifier: Apache-2.0 */
/* Where objects come from. One interface, two implementations: a directory of manifests (source_dir), and
 * later the Kubernetes API. Both deliver the same: upserts, deletes, and "everything was listed once".
 */
#pragma once

#include "kube/diagnostic.h"
#include "kube/object/object.h"

/* What a source calls. All calls come from the loop of the process, never from within source_start. */
struct source_sink {
	void *owner;

	/* A new object or a new version; the sink takes it. */
	void (*on_upsert)(void *owner, struct object *object);

	/* It is gone. Names are borrowed. */
	void (*on_delete)(void *owner, enum object_kind kind, struct span namespace,
			  struct span name);

	/* What came before is the whole: called once after the first complete list, also when it is empty. */
	void (*on_listed)(void *owner);

	/* A batch of changes is complete: now is the time to act on them. diagnostics: all that the source has to
	 * say at present about documents, borrowed until the next call. */
	void (*on_settled)(void *owner, const struct diagnostics *diagnostics);
};
