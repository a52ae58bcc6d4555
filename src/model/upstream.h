/* SPDX-License-Identifier: Apache-2.0 */
/* From the backend of a rule to the upstream that serves it (compat spec, 5.1 and 5.4). Private to model/. */
#pragma once

#include "kube/object/ingress.h"
#include "model/build.h"

/* Where requests go, and what was written. */
struct target {
	enum model_answer answer; /* MODEL_PROXY, MODEL_NO_SERVICE or MODEL_NOT_FOUND */
	const struct model_upstream *upstream; /* with MODEL_PROXY */
	struct span service;
	struct span port;
};

/* False: the backend is none (neither or both of service and resource, a bad port, a resource), and its path is
 * to be left out. path: the field of the path that it is the backend of, borrowed; empty: it is the defaultBackend.
 * What is wrong is reported on it. */
bool upstream_resolve(struct build *build, const struct ingress *ingress,
		      const struct ingress_backend *backend, struct span path,
		      struct target *target);

/* Where requests go that no rule takes: --default-backend-service, or a 404. */
struct target upstream_default(struct build *build);
