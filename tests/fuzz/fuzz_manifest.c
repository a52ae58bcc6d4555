/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a manifest: taken apart, decoded, stored, modelled, asked for endpoints. Nothing may crash, leak or take
 * long, and what is said must be text that can be written.
 */
#include <stdlib.h>

#include "kube/manifest.h"
#include "model/model.h"

enum { NOW_S = 1790000000 }; /* in 2026 */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void store_all(struct store *store, struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++) {
		if (manifest->entries[i].object != NULL)
			store_upsert(store, manifest->entries[i].object);
		manifest->entries[i].object = NULL;
	}
}

static void write_all(const struct diagnostics *diagnostics)
{
	struct buf text = {0};

	for (const struct diagnostic *at = diagnostics->first; at != NULL; at = at->next) {
		buf_clear(&text);
		diagnostic_write(at, &text);
	}
	buf_fini(&text);
}

static void model_all(const struct store *store)
{
	const struct model_options options = {
		.ingress_class = S("nginx"),
		.controller_class = S("k8s.io/ingress-nginx"),
		.config_map = S("default/settings"),
		.default_backend = S("default/web"),
		.watch_without_class = true,
		.allow_external_name = true,
	};
	struct diagnostics diagnostics;
	struct model *model;
	struct arena arena;

	diagnostics_init(&diagnostics);
	arena_init(&arena, NULL, 0, SIZE_MAX);
	model = model_build(store, &options, NOW_S, &diagnostics);
	list_for_each (link, &model->upstreams) {
		const struct model_endpoint *endpoints;

		model_endpoints(store, &options, container_of(link, struct model_upstream, link),
				&arena, &endpoints, &diagnostics);
	}
	write_all(&diagnostics);
	model_free(model);
	arena_fini(&arena);
	diagnostics_fini(&diagnostics);
}

static void run(struct span text, enum document_format format)
{
	struct manifest manifest;
	struct store store;

	manifest_parse(&manifest, S("fuzz.yaml"), text, format);
	write_all(&manifest.diagnostics);
	store_init(&store);
	store_all(&store, &manifest);
	model_all(&store);
	store_fini(&store);
	manifest_fini(&manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	/* a copy of just that size, so that a read behind it is seen */
	char *copy = malloc(size == 0 ? 1 : size);

	if (size > 0)
		memcpy(copy, bytes, size);
	run(span_make(copy, size), DOCUMENT_ANY);
	run(span_make(copy, size), DOCUMENT_JSON);
	free(copy);
	return 0;
}
