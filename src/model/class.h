/* SPDX-License-Identifier: Apache-2.0 */
/* Which Ingresses are ours (compat spec, 3; Kubernetes API spec, 2). Private to model/. */
#pragma once

#include "kube/object/ingress.h"
#include "model/build.h"

/* What the IngressClasses say, looked at once. */
struct classes {
	bool has_own_default; /* one with our controller is marked default */
	bool has_default;     /* one of anybody's is */
	struct span names;    /* "nginx, nginx2", for messages */
};

/* Lies in the lasting arena. */
const struct classes *class_read(struct build *build);

/* Whether we obey it. Where nobody does, a diagnostic says so. */
bool class_is_ours(struct build *build, const struct ingress *ingress);
