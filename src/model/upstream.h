/* SPDX-License-Identifier: Apache-2.0 */
/* From the backend of a rule to the upstream that serves it (compat spec, 5.1 and 5.4). Private to model/. */
#pragma once

#include "model/intent.h"

/* A Service port as spelled. It stays while somebody holds it and its Service does not change. */
struct upstream {
	struct model_upstream model; /* first */
	struct list of_service;      /* in build.upstreams_by_service */
	struct list unheld;          /* in build.unheld; in build.gone_upstreams when it is gone */
	struct list holds;           /* struct hold: of the intents that lead to it */
	struct list undecided;       /* in build.undecided: who leads to it has changed */
	uint32_t holders;            /* these, and the default backend */
	char *hash_by;               /* text of model.balance; NULL: empty */
	bool is_refused; /* it cannot be, and diagnostics say why; it is none of the model's */
	struct diagnostics *diagnostics; /* NULL: nothing is wrong */
	char text[];                     /* all that model points to */
};

/* False: the backend is none (neither or both of service and resource, a bad port, a resource), and its path is
 * to be left out. path: the field of the path that it is the backend of, borrowed; empty: it is the defaultBackend.
 * What is wrong is reported on it. The intent holds the upstream and is noted for the Service. */
bool upstream_resolve(struct build *build, struct intent *intent,
		      const struct ingress_backend *backend, struct span path,
		      struct target *target);

/* Where requests go that no rule takes: --default-backend-service, or a 404. It is held. */
struct target upstream_default(struct build *build);

/* hold: of an intent, kept until it is released; NULL: the default backend's. */
void upstream_hold(struct build *build, struct upstream *upstream, struct hold *hold);
void upstream_release(struct build *build, struct upstream *upstream, struct hold *hold);

/* How endpoints are chosen is decided for those that others lead to than before. */
void upstream_decide(struct build *build);

/* The Service changed: upstreams of it, which nobody holds any more, go. */
void upstream_forget_service(struct build *build, struct span service);

/* Those that nobody holds go. */
void upstream_forget_unheld(struct build *build);

/* All of them go, whoever holds them. */
void upstream_free_all(struct build *build);

/* Those that are gone are not named any more. */
void upstream_free_gone(struct build *build);
