/* SPDX-License-Identifier: Apache-2.0 */
/* One manifest file as text, and what it holds: objects, in the order of the text, lists taken apart; the
 * kinds that Ingot does not read; and what is wrong. A pure function of the text.
 */
#pragma once

#include <stdbool.h>

#include "kube/diagnostic.h"
#include "kube/document.h"
#include "kube/object/object.h"

/* An object of the file. */
struct manifest_entry {
	enum object_kind kind;
	struct span namespace; /* in the arena of the manifest, as the name is */
	struct span name;
	struct object *
		object; /* owned by the manifest until somebody sets it to NULL; NULL: it was refused */
	uint64_t digest; /* of its content, wherever it stands in the file */
};

/* A kind that is not read, once a kind. */
struct manifest_unknown {
	struct span kind; /* as messages name it: kind "Deployment" of "apps/v1" */
	uint32_t count;
	uint32_t line; /* of the first */
	uint32_t column;
};

struct manifest {
	struct manifest_entry *entries;
	size_t count;
	struct manifest_unknown *unknown;
	size_t unknown_count;
	bool well_formed; /* every document parsed, and not all was wrong; otherwise entries are those
			   * before the fault */
	bool nameless; /* an object without a usable name was refused: nobody knows which it was */
	struct diagnostics diagnostics;
	size_t capacity;            /* private to manifest.c: room in entries */
	size_t unknown_capacity;    /* private: room in unknown */
	struct map unknown_by_kind; /* private */
	struct arena arena;         /* private: names */
};

/* file: the name for diagnostics; borrowed, as the text is. */
void manifest_parse(struct manifest *manifest, struct span file, struct span text,
		    enum document_format format);

/* Frees the objects that are still its own, too. */
void manifest_fini(struct manifest *manifest);
