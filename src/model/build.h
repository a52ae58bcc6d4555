/* SPDX-License-Identifier: Apache-2.0 */
/* A model in the making. Private to model/. */
#pragma once

#include <stdbool.h>

#include "model/model.h"

struct build {
	struct model *model;
	const struct store *store;
	const struct model_options *options;
	struct diagnostics *diagnostics;
	const struct model_policy *policy; /* of every route so far; in the arena of the model */
	struct arena arena;                /* goes with the build */
	struct map refused; /* upstreams that cannot be: reported once (upstream.c) */
	struct map routes;  /* made routes by host, type and path (route.c) */
	bool denied; /* a global guard is not obeyed: routes to Services answer 503 (settings.c) */
	unsigned compared; /* names that a missing one was compared with: bounded */
};

/* Parts one behind the other, NUL-terminated: what printf does too, but keys are made by the ten thousand. */
struct span build_join(struct arena *arena, const struct span *parts, size_t count);

/* From the Ingresses of the store (from_ingress.c). */
void build_from_ingresses(struct build *build);
