/* SPDX-License-Identifier: Apache-2.0 */
/* The page /metrics: what Prometheus reads. Two families: ingot_* (user-experience spec, 8), and, where asked for,
 * nginx_ingress_controller_* under the names that dashboards know (compat spec, 25).
 *
 * The order is constant. Label values are from objects and closed lists, never from a client or a worker.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "control/publish.h"
#include "control/reconcile.h"
#include "control/state.h"
#include "control/traffic.h"
#include "stats/stats.h"

/* What the page is made of; all is borrowed. */
struct metrics {
	const struct publisher *publisher;
	const struct reconcile *reconcile;
	const struct stats_map *stats;
	const struct traffic_meanings *meanings;
	const struct state *state; /* NULL: nothing is stored */
	enum word_status_form status_form;
	bool compat; /* nginx_ingress_controller_* as well */
	struct span controller_class;
	struct span controller_namespace;
	struct span controller_pod;
	pid_t run_pid;
};

void metrics_write(const struct metrics *metrics, struct buf *out);

/* Parts of the page, for metrics.c alone. */
void metrics_write_traffic(const struct metrics *metrics, const struct traffic *traffic,
			   struct buf *out);
void metrics_write_processes(const struct metrics *metrics, struct buf *out);
void metrics_write_compat(const struct metrics *metrics, const struct traffic *traffic,
			  struct buf *out);

size_t metrics_count_routes(const struct shards *routes);

/* Bounds of the live figures' histograms as the page has them. */
extern double metrics_duration_bounds[STATS_DURATION_BUCKETS - 1];
extern double metrics_size_bounds[STATS_SIZE_BUCKETS - 1];
