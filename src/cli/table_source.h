/* SPDX-License-Identifier: Apache-2.0 */
/* Where `ingot table` gets segments from; verified before anything is shown of them. */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "table/endpoints.h"
#include "table/routes.h"

struct table_source {
	bool has_routes;
	bool has_endpoints;
	struct routes routes;
	struct endpoints endpoints;
	/* private to table_source.c: the bytes, mapped or in memory of our own */
	struct span mapped[TABLE_KIND_COUNT];
	struct buf bytes[TABLE_KIND_COUNT];
};

/* The present segments of the instance that runs with that state directory; where none runs, the stored ones. Each
 * returns 0, or -1 with the reason and nothing to close. */
int table_source_open_state(struct table_source *source, const char *directory, struct error *err);

/* One segment; its own magic says which kind. */
int table_source_open_file(struct table_source *source, const char *path, struct error *err);

/* What `ingot run` would make of a directory of manifests. */
int table_source_open_manifests(struct table_source *source, const char *directory,
				const char *ingress_class, struct error *err);

void table_source_close(struct table_source *source);
