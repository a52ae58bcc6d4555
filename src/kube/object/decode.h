/* SPDX-License-Identifier: Apache-2.0 */
/* From a tree of JSON values to an object. The same for manifests and for what the Kubernetes API sends.
 *
 * Only shapes are checked, as the API server would: a list is a list, a number a number, a name a name. What is
 * wrong becomes a diagnostic, and an object that cannot be understood as its kind is refused as a
 * whole; where a part stands on its own (an endpoint, a key of a ConfigMap), only that part is left out.
 */
#pragma once

#include <jansson.h>

#include "kube/diagnostic.h"
#include "kube/document.h"
#include "kube/object/object.h"

/* Where the tree was read. nodes: of its document, from the object's own node on; NULL for the API. */
struct decode_place {
	struct span file;
	const struct document_node *nodes; /* nodes[0] is the object */
	const struct document_node *base;  /* what `end` of nodes counts from */
};

/* Which kind a document is of. */
enum object_sort {
	OBJECT_SORT_KNOWN,
	OBJECT_SORT_UNKNOWN,     /* a kind that Ingot does not read */
	OBJECT_SORT_UNSUPPORTED, /* a kind that it reads, in a version that it does not */
};
enum object_sort object_sort_of(struct span api_version, struct span kind, enum object_kind *known);

/* What an object is called, as far as that can be told even of one that is refused. */
struct object_name {
	struct span namespace;
	struct span name; /* empty: it has no usable one. Borrowed from the tree */
};
struct object_name object_name_of(enum object_kind kind, const json_t *json);

/* The object, which the caller owns, or NULL when it is refused; then diagnostics say why. */
struct object *object_decode(enum object_kind kind, const json_t *json,
			     const struct decode_place *place, struct diagnostics *diagnostics);
