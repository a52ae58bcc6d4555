/* SPDX-License-Identifier: Apache-2.0 */
/* Where `ingot table` gets tables from; verified before anything is shown of them. */
#pragma once

#include "base/error.h"
#include "table/shards.h"

struct table_source {
	struct shards tables[TABLE_KIND_COUNT];
};

static inline bool table_source_has(const struct table_source *source, enum table_kind kind)
{
	return source->tables[kind].count > 0;
}

/* The present tables of the instance that runs with that state directory; where none runs, the stored ones. Each
 * returns 0, or -1 with the reason and nothing to close. */
int table_source_open_state(struct table_source *source, const char *directory, struct error *err);

/* One table; its own magic says which kind. */
int table_source_open_file(struct table_source *source, const char *path, struct error *err);

/* What `ingot run` would make of a directory of manifests. */
int table_source_open_manifests(struct table_source *source, const char *directory,
				const char *ingress_class, struct error *err);

void table_source_close(struct table_source *source);
