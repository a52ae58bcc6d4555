/* SPDX-License-Identifier: Apache-2.0 */
/* What one Ingress wants: which hosts it names, and where their paths lead. Made from the Ingress and from the
 * Services that it names, and thrown away when one of them changes. Private to model/.
 */
#pragma once

#include "kube/object/ingress.h"
#include "model/build.h"

struct host;
struct intent;

/* A path of a host and where it leads. */
struct claim {
	struct span path; /* in match form */
	enum model_path_type type;
	uint32_t index; /* of the path in its rule */
	struct target target;
};

enum mention_kind {
	MENTION_CATCH_ALL, /* spec.defaultBackend of an Ingress without rules: wins whatever the ages */
	MENTION_RULE,
};

/* A rule names a host. */
struct mention {
	struct list of_host; /* who comes first wins (host.c) */
	struct intent *intent;
	struct host *host;
	enum mention_kind kind;
	uint32_t rule; /* index in the Ingress */
	struct claim *claims;
	uint32_t claim_count;
};

/* A backend names a Service, which may be there or not. */
struct service_use {
	struct list of_service; /* in build.intents_by_service */
	struct intent *intent;
	struct span service; /* "namespace/name" */
};

struct intent {
	struct map_entry by_name;
	const struct ingress *ingress; /* in the store; it goes when that does */
	bool is_served;
	bool denied;                  /* an annotation guards and is not obeyed */
	bool has_default;             /* its spec.defaultBackend can be used */
	struct target default_target; /* of that */
	struct mention *mentions;
	uint32_t mention_count;
	struct service_use *uses;
	uint32_t use_count;
	struct upstream **held;
	uint32_t held_count;
	struct list of_miss;             /* in build.intents_by_miss, where a Service is missing */
	struct span missed_in;           /* the namespace, where it is in that */
	struct diagnostics *diagnostics; /* NULL: nothing is wrong */
	struct arena arena;              /* owns what the above need */
	_Alignas(16) char first[];       /* of the arena */
};

/* Room for what an Ingress can need at most, for intent_new. */
struct intent_room {
	uint32_t mentions;
	uint32_t backends;
	size_t text;
};

/* Known by the name of the Ingress from now on. room: NULL: it is not served. */
struct intent *intent_new(struct build *build, const struct ingress *ingress,
			  const struct intent_room *room);

/* With all that it holds; the hosts that it names are old. */
void intent_free(struct build *build, struct intent *intent);

/* NULL: the Ingress of that name is not looked at. */
struct intent *intent_find(const struct build *build, struct span name);

/* Its target depends on that Service from now on. */
void intent_use_service(struct build *build, struct intent *intent, struct span service);

/* A Service that it names is not there; others with nearly its name are reported. */
void intent_miss_service(struct build *build, struct intent *intent);

/* The upstream stays as long as the intent. */
void intent_hold(struct intent *intent, struct upstream *upstream);
