/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/build.h"
#include "model/settings.h"

static struct model *model_new(void)
{
	struct model *model = memory_new(sizeof(*model));

	arena_init(&model->arena, NULL, 0, SIZE_MAX);
	map_init(&model->hosts_by_name);
	map_init(&model->upstreams_by_key);
	model->last_host = &model->first_host;
	model->last_upstream = &model->first_upstream;
	return model;
}

struct span build_join(struct arena *arena, const struct span *parts, size_t count)
{
	size_t length = 0;
	char *text;
	char *at;

	for (size_t i = 0; i < count; i++)
		length += parts[i].len;
	text = at = arena_take_bytes(arena, length + 1);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len > 0)
			memcpy(at, parts[i].ptr, parts[i].len);
		at += parts[i].len;
	}
	*at = '\0';
	return span_make(text, length);
}

static void read_config(struct build *build)
{
	struct arena *arena = &build->model->arena;
	struct config *config = arena_take_zero(arena, sizeof(*config));
	struct span name = build->options->config_map;
	struct span namespace = span_cut(&name, '/');
	const struct config_map *map = store_find_config_map(build->store, namespace, name);

	settings_default(config, arena);
	if (map != NULL)
		settings_read(build, map, config);
	build->model->settings = config->settings;
	build->policy = &config->policy;
}

struct model *model_build(const struct store *store, const struct model_options *options,
			  struct diagnostics *diagnostics)
{
	struct build build = {
		.model = model_new(),
		.store = store,
		.options = options,
		.diagnostics = diagnostics,
	};

	arena_init(&build.arena, NULL, 0, SIZE_MAX);
	map_init(&build.refused);
	map_init(&build.routes);
	read_config(&build);
	build_from_ingresses(&build);
	map_fini(&build.refused);
	map_fini(&build.routes);
	arena_fini(&build.arena);
	return build.model;
}

void model_free(struct model *model)
{
	if (model == NULL)
		return;
	map_fini(&model->hosts_by_name);
	map_fini(&model->upstreams_by_key);
	arena_fini(&model->arena);
	free(model);
}
