/* SPDX-License-Identifier: Apache-2.0 */
/* What every Kubernetes object has, in compact decoded form. Each object owns one arena, in which it lies
 * itself with all its text and lists; nobody changes it once it is in the store. Kinds that Ingot does
 * not read have no struct.
 */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/span.h"
#include "kube/object/position.h"

/* KIND(id, kind as in manifests, plural as in URLs, API group, namespaced) */
#define OBJECT_KINDS                                                                   \
	KIND(INGRESS, "Ingress", "ingresses", "networking.k8s.io", 1)                  \
	KIND(INGRESS_CLASS, "IngressClass", "ingressclasses", "networking.k8s.io", 0)  \
	KIND(SERVICE, "Service", "services", "", 1)                                    \
	KIND(ENDPOINT_SLICE, "EndpointSlice", "endpointslices", "discovery.k8s.io", 1) \
	KIND(SECRET, "Secret", "secrets", "", 1)                                       \
	KIND(CONFIG_MAP, "ConfigMap", "configmaps", "", 1)                             \
	KIND(NAMESPACE, "Namespace", "namespaces", "", 0)

enum object_kind {
#define KIND(id, kind, plural, group, namespaced) OBJECT_##id,
	OBJECT_KINDS
#undef KIND
		OBJECT_KIND_COUNT
};

/* A string → string map of the object (labels, annotations, data), in the order of the document. */
struct pair {
	struct span key;
	struct span value;
};

struct pairs {
	const struct pair *items;
	uint32_t count;
};

/* Where an object was read: for diagnostics of a manifest directory. file is empty for the API. */
struct origin {
	struct span file; /* path relative to the directory, or as given */
	uint32_t line;    /* of the document's first line, from 1; 0: unknown */
};

struct object {
	struct map_entry
		by_name; /* in the store; key is "namespace/name", or "name" without namespace */
	enum object_kind kind;
	struct span namespace; /* empty for cluster-wide kinds */
	struct span name;
	struct span uid; /* may be empty */
	struct span resource_version;
	int64_t created; /* creationTimestamp, seconds since 1970; INT64_MAX: none is given */
	struct pairs labels;
	struct pairs annotations;
	struct origin origin;
	struct span positions; /* where its fields are (position.h); empty for the API */
	struct arena arena;
};

/* Facts of OBJECT_KINDS. */
const char *object_kind_name(enum object_kind kind);
bool object_kind_is_namespaced(enum object_kind kind);

/* A zeroed object of a kind, in an arena of its own: `size` bytes, of which struct object is the first
 * field. The caller owns it. */
void *object_new(enum object_kind kind, size_t size);

/* Appends the name of a field to a path as kubectl prints it: ".rules", or "[app.example/tier]" where
 * dots or slashes would mislead. Without the dot at the beginning of a path. */
void field_path_add(struct buf *path, struct span key);

/* The value of a key, or {NULL, 0}. A present but empty value has a pointer. */
struct span pairs_find(const struct pairs *pairs, struct span key);

/* Older first: created, then "namespace/name" in byte order. <0, 0, >0 */
int object_compare_age(const struct object *a, const struct object *b);

/* Line and column of a field or of the nearest parent that has one; of the document's start otherwise. */
struct position object_position(const struct object *object, struct span path);

/* Gives the object and all it owns back. */
void object_free(struct object *object);
