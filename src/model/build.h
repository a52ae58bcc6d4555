/* SPDX-License-Identifier: Apache-2.0 */
/* A model and what is needed to keep it in step with its store. Private to model/.
 *
 * Each Ingress has an intent (intent.h): what it wants, made from it and from the Services that it names. Each host is
 * made from the intents that name it (host.h). A changed object makes anew the intents that depend on it, these
 * the hosts that they name, and nothing else. What everything depends on (settings, classes, the default backend)
 * makes everything anew.
 */
#pragma once

#include <stdbool.h>

#include "base/list_map.h"
#include "model/model.h"

struct classes;
struct cipher_judge;
struct certificate;
struct upstream;

/* Where requests go, and what was written. */
struct target {
	enum model_answer answer;  /* MODEL_PROXY, MODEL_NO_SERVICE or MODEL_NOT_FOUND */
	struct upstream *upstream; /* with MODEL_PROXY */
	struct span service;
	struct span port;
};

struct build {
	struct model model; /* first: what others see */
	const struct store *store;
	const struct model_options *options;
	const struct diagnostic_sink *sink; /* NULL: nobody is told */
	struct cipher_judge *judge;

	/* what everything depends on; remade with everything */
	struct arena lasting;              /* owns what those below need */
	const struct model_policy *policy; /* of every route so far */
	const struct classes *classes;
	struct target default_target;
	struct certificate *default_certificates[MODEL_KEY_KIND_COUNT]; /* held; NULL: none */
	struct span dh_secret; /* "namespace/name" that the settings depend on; empty: none */
	bool denied; /* a global guard is not obeyed: routes to Services answer 503 (settings.c) */
	struct diagnostics *general; /* NULL: nothing is wrong */

	struct map intents; /* struct intent by_name: of all Ingresses that are looked at */
	struct list_map intents_by_service; /* struct object_use by "namespace/name" */
	struct list_map
		intents_by_miss; /* struct intent that names a missing Service, by namespace */
	struct list_map upstreams_by_service; /* struct upstream by "namespace/name" */
	struct map refused;                /* struct upstream by_key: that cannot be (upstream.c) */
	struct list_map intents_by_secret; /* struct object_use by "namespace/name" */
	struct map certificates; /* struct certificate by_name: also those that cannot be used */
	struct list unheld_certificates;
	struct list unheld;    /* upstreams that no intent leads to */
	struct list undecided; /* upstreams that other intents lead to than before (balance.c) */
	struct list old_hosts; /* to be made anew */

	/* of one update */
	struct arena arena;              /* goes with it */
	struct diagnostics *diagnostics; /* what is found goes here */
	int64_t now_s;
	unsigned compared; /* names that a missing one was compared with: bounded */
	struct model_changes changes;
	struct list gone_hosts;     /* that changes names; go with the next update */
	struct list gone_upstreams; /* likewise */
	struct list gone_certificates;
	size_t host_room, upstream_room, certificate_room;
};

/* Parts one behind the other, NUL-terminated: what printf does too, but keys are made by the ten thousand. */
struct span build_join(struct arena *arena, const struct span *parts, size_t count);

/* Notes for the changes of this update. name: lives until the next. */
void build_note_host(struct build *build, struct span name);
void build_note_upstream(struct build *build, struct span key);
void build_note_certificate(struct build *build, struct span name);
