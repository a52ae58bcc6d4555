/* SPDX-License-Identifier: Apache-2.0 */
/* What `ingot check` has to say: diagnostics, what would be served, and the sum of it; for people or as
 * JSON.
 */
#pragma once

#include "base/buf.h"
#include "kube/diagnostic.h"
#include "kube/store.h"
#include "model/model.h"

struct check_route {
	const struct model_host *host;
	const struct model_route *route;
	uint32_t endpoints; /* of its upstream */
};

/* All is borrowed; the lists are those of check_report_make. */
struct check_report {
	const struct store *store;
	const struct model *model;
	const struct diagnostic **diagnostics; /* by file and line */
	uint32_t diagnostic_count;
	uint32_t counts[3];         /* by level, those that are not shown included */
	struct check_route *routes; /* those that a user wrote: no implicit roots */
	uint32_t route_count;
	uint32_t host_count; /* with at least one such route */
	uint32_t object_count;
};

struct check_report_options {
	enum diagnostic_level min_level; /* what is less grave is counted and not shown */
	struct span ignored;             /* codes, apart by commas: neither counted nor shown */
};

/* Endpoints are looked up as they would be served; what is wrong with them comes behind of_endpoints. The lists
 * lie in the arena. */
void check_report_make(struct check_report *report, const struct store *store,
		       const struct model *model, const struct model_options *model_options,
		       const struct diagnostics *of_objects, struct diagnostics *of_endpoints,
		       const struct check_report_options *options, struct arena *arena);

void check_report_write_text(const struct check_report *report, struct buf *out);
void check_report_write_json(const struct check_report *report, struct buf *out);
