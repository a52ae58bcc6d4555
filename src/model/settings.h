/* SPDX-License-Identifier: Apache-2.0 */
/* Global settings: the ConfigMap over the defaults (compat spec, 19). Private to model/. */
#pragma once

#include "model/build.h"

/* What a ConfigMap decides: settings of the worker, and the policy of routes that say nothing else. */
struct config {
	struct model_settings settings;
	struct model_policy policy;
};

/* As they are without a ConfigMap. */
void settings_default(struct config *config, struct arena *arena);

/* Every key of the map: obeyed, or a diagnostic. A value that does not parse leaves the default. */
void settings_read(struct build *build, const struct config_map *map, struct config *config);
