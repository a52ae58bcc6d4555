/* SPDX-License-Identifier: Apache-2.0 */
/* The upstreams of each Service: whose endpoints change with its slices. For compile alone. */
#pragma once

#include "base/list_map.h"
#include "compile/ids.h"

struct services {
	struct list_map upstreams; /* private to services.c; by "namespace/name" */
	struct buf name;           /* private: in the making */
};

void services_init(struct services *services);

/* Upstreams that are still in it are the caller's. */
void services_fini(struct services *services);

/* The upstream is in it already, or is added. Until it goes with services_remove. */
void services_add(struct services *services, struct ids_upstream *upstream);

/* Harmless for one that is not in it. */
void services_remove(struct services *services, struct ids_upstream *upstream);

/* List of ids_upstream by of_service; NULL: the Service has none. */
const struct list *services_find(struct services *services, struct span namespace,
				 struct span service);
