/* SPDX-License-Identifier: Apache-2.0 */
/* Annotations of ingress-nginx on an Ingress (compat spec, 33.1): what each means is in annotation.def. Private
 * to model/. */
#pragma once

#include <stdbool.h>

#include "kube/object/ingress.h"
#include "model/build.h"

struct annotation_verdict {
	bool denied;       /* something guards and is not obeyed: the routes answer 503 */
	bool canary;       /* an addition to another Ingress: not served at all */
	bool ssl_redirect; /* over what the ConfigMap says */
	bool force_ssl_redirect;
};

/* A diagnostic for each that is not obeyed. */
struct annotation_verdict annotation_read(struct build *build, const struct ingress *ingress);
