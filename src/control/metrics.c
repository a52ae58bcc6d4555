/* SPDX-License-Identifier: Apache-2.0 */
#include "control/metrics.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "observe/exposition.h"
#include "stats/read.h"
#include "table/layout.h"

enum { NUMBER_SIZE = 24 };

/* Series of a row besides its cells: a histogram with sum and count, and two totals; in the compatible
 * family two histograms more, and three of sizes. */
enum {
	SERIES_OF_ROW = STATS_DURATION_BUCKETS + 2 + 2,
	SERIES_OF_ROW_COMPAT = STATS_DURATION_BUCKETS + 2 + 2 * (STATS_SIZE_BUCKETS + 2) + 3,
};

double metrics_duration_bounds[STATS_DURATION_BUCKETS - 1];
double metrics_size_bounds[STATS_SIZE_BUCKETS - 1];

static void prepare_bounds(void)
{
	for (unsigned i = 0; i < STATS_DURATION_BUCKETS - 1; i++)
		metrics_duration_bounds[i] = stats_duration_bounds_us[i] / 1e6;
	for (unsigned i = 0; i < STATS_SIZE_BUCKETS - 1; i++)
		metrics_size_bounds[i] = stats_size_bounds[i];
}

static struct span kind_name(unsigned kind)
{
	return span_from(table_layouts[kind].name);
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
	exposition_family(out, name, EXPOSITION_COUNTER, help);
	exposition_count(out, name, LABELS_NONE, value);
}

static void gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
	exposition_family(out, name, EXPOSITION_GAUGE, help);
	exposition_count(out, name, LABELS_NONE, value);
}

/* One gauge for each of two states. */
static void states(struct buf *out, const char *name, const char *help, uint64_t active,
		   uint64_t idle)
{
	exposition_family(out, name, EXPOSITION_GAUGE, help);
	exposition_count(out, name, LABELS({"state", S("active")}), active);
	exposition_count(out, name, LABELS({"state", S("idle")}), idle);
}

static void write_build(struct buf *out)
{
	static const char name[] = "ingot_build_info";

	exposition_family(out, name, EXPOSITION_GAUGE, "What this program was built from");
	exposition_count(out, name,
			 LABELS({"version", S(INGOT_VERSION)}, {"revision", S(INGOT_REVISION)},
				{"tls_library", span_from(OpenSSL_version(OPENSSL_VERSION))}),
			 1);
}

static void write_downstream(const struct worker_counters *sum, struct buf *out)
{
	states(out, "ingot_downstream_connections",
	       "Client connections: with a request in progress, or between requests",
	       sum->downstream_active_now, sum->downstream_idle_now);
	counter(out, "ingot_downstream_connections_total", "Client connections accepted",
		sum->downstream_accepted);
	counter(out, "ingot_downstream_connections_refused_total",
		"Client connections closed at once for want of descriptors or memory",
		sum->downstream_refused);
	counter(out, "ingot_request_heads_total", "Requests whose head was read whole",
		sum->requests);
	counter(out, "ingot_downstream_received_bytes_total", "Bytes received from clients",
		sum->downstream_bytes_in);
	counter(out, "ingot_downstream_sent_bytes_total", "Bytes sent to clients",
		sum->downstream_bytes_out);
}

static void write_passthrough(const struct worker_counters *sum, struct buf *out)
{
	counter(out, "ingot_passthroughs_total",
		"Client connections of TLS that were passed on as they are", sum->passthroughs);
	gauge(out, "ingot_passthroughs", "Those of them that are open", sum->passthroughs_now);
	counter(out, "ingot_passthrough_received_bytes_total", "Bytes received from their clients",
		sum->passthrough_bytes_in);
	counter(out, "ingot_passthrough_sent_bytes_total", "Bytes sent to their clients",
		sum->passthrough_bytes_out);
}

static void write_upstream(const struct worker_counters *sum, struct buf *out)
{
	states(out, "ingot_upstream_connections",
	       "Connections to endpoints: with a request in progress, or pooled",
	       sum->upstream_active_now, sum->upstream_idle_now);
	counter(out, "ingot_upstream_connections_total", "Connections to endpoints begun",
		sum->upstream_connects);
	counter(out, "ingot_upstream_connection_failures_total",
		"Connections to endpoints that failed", sum->upstream_connect_failures);
	counter(out, "ingot_upstream_connection_reuses_total",
		"Requests sent over a pooled connection", sum->upstream_reused);
	counter(out, "ingot_attempts_total", "Attempts at endpoints", sum->attempts);
	counter(out, "ingot_retries_total", "Attempts after the first of an exchange",
		sum->retries);
	counter(out, "ingot_upstream_received_bytes_total", "Bytes received from endpoints",
		sum->upstream_bytes_in);
	counter(out, "ingot_upstream_sent_bytes_total", "Bytes sent to endpoints",
		sum->upstream_bytes_out);
	counter(out, "ingot_tunnels_total", "Upgraded connections", sum->tunnels);
	gauge(out, "ingot_tunnels", "Upgraded connections that are open", sum->tunnels_now);
	write_passthrough(sum, out);
	counter(out, "ingot_names_resolved_total",
		"Look-ups of ExternalName hosts that gave addresses", sum->names_resolved);
	counter(out, "ingot_names_failed_total", "Look-ups of ExternalName hosts that failed",
		sum->names_failed);
}

static void write_faults(const struct metrics *metrics, struct buf *out)
{
	static const char name[] = "ingot_local_responses_total";
	uint64_t faults[STATS_FAULTS_MAX];
	char status[WORD_STATUS_SIZE];

	stats_sum_faults(metrics->stats, faults);
	exposition_family(out, name, EXPOSITION_COUNTER,
			  "Requests that Ingot answered or ended itself, by reason");
	for (unsigned i = 1; i < word_fault_count() && i < STATS_FAULTS_MAX; i++)
		exposition_count(
			out, name,
			LABELS({"reason", span_from(word_fault(i))},
			       {"status", span_from(word_status(status, word_fault_status(i),
								metrics->status_form))}),
			faults[i]);
}

static void write_generations(const struct metrics *metrics, struct buf *out)
{
	static const char name[] = "ingot_table_generation";
	static const char in_effect[] = "ingot_worker_table_generation";
	char worker[NUMBER_SIZE];

	exposition_family(out, name, EXPOSITION_GAUGE, "Generation of the present segment");
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		exposition_count(out, name, LABELS({"segment", kind_name(kind)}),
				 publisher_generation(metrics->publisher, kind));
	exposition_family(out, in_effect, EXPOSITION_GAUGE,
			  "Generation that a worker obeys, 0 while it has none");
	for (uint32_t i = 0; i < publisher_worker_count(metrics->publisher); i++) {
		const struct peer_state *peer = publisher_worker(metrics->publisher, i);

		snprintf(worker, sizeof(worker), "%u", i);
		for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
			exposition_count(
				out, in_effect,
				LABELS({"worker", span_from(worker)}, {"segment", kind_name(kind)}),
				peer->in_effect[kind]);
	}
}

size_t metrics_count_routes(const struct shards *routes)
{
	size_t count = 0;

	for (uint32_t i = 0; i < routes->count; i++)
		count += routes->at[i]->routes.route_count;
	return count;
}

/* What the present shards hold. */
struct entries {
	uint64_t hosts, routes, upstreams, endpoints, certificates;
	uint64_t bytes[TABLE_KIND_COUNT];
};

static struct entries count_entries(const struct publisher *publisher)
{
	const struct shards *routes = publisher_table(publisher, TABLE_ROUTES);
	const struct shards *endpoints = publisher_table(publisher, TABLE_ENDPOINTS);
	const struct shards *certificates = publisher_table(publisher, TABLE_CERTIFICATES);
	struct entries entries = {0};

	for (uint32_t i = 0; certificates != NULL && i < certificates->count; i++)
		entries.certificates += certificates->at[i]->certificates.count;
	for (uint32_t i = 0; routes != NULL && i < routes->count; i++) {
		entries.hosts += routes->at[i]->routes.host_count;
		entries.routes += routes->at[i]->routes.route_count;
	}
	for (uint32_t i = 0; endpoints != NULL && i < endpoints->count; i++) {
		entries.upstreams += endpoints->at[i]->endpoints.upstream_count;
		entries.endpoints += endpoints->at[i]->endpoints.endpoint_count;
	}
	entries.bytes[TABLE_ROUTES] = routes == NULL ? 0 : routes->bytes;
	entries.bytes[TABLE_ENDPOINTS] = endpoints == NULL ? 0 : endpoints->bytes;
	entries.bytes[TABLE_CERTIFICATES] = certificates == NULL ? 0 : certificates->bytes;
	return entries;
}

static void write_entries(const struct metrics *metrics, struct buf *out)
{
	static const char bytes[] = "ingot_table_bytes";
	static const char name[] = "ingot_table_entries";
	struct entries entries = count_entries(metrics->publisher);

	exposition_family(out, bytes, EXPOSITION_GAUGE, "Size of the present segments");
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		exposition_count(out, bytes, LABELS({"segment", kind_name(kind)}),
				 entries.bytes[kind]);
	exposition_family(out, name, EXPOSITION_GAUGE, "What the present segments hold");
	exposition_count(out, name, LABELS({"kind", S("hosts")}), entries.hosts);
	exposition_count(out, name, LABELS({"kind", S("routes")}), entries.routes);
	exposition_count(out, name, LABELS({"kind", S("upstreams")}), entries.upstreams);
	exposition_count(out, name, LABELS({"kind", S("endpoints")}), entries.endpoints);
	exposition_count(out, name, LABELS({"kind", S("certificates")}), entries.certificates);
}

static void write_propagation(const struct metrics *metrics, struct buf *out)
{
	static const char name[] = "ingot_table_propagation_seconds";

	exposition_family(out, name, EXPOSITION_HISTOGRAM,
			  "Time from a change being seen to the last worker that obeys it");
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++) {
		const struct propagation *propagation = publisher_propagation(metrics->publisher,
									      kind);
		struct exposition_histogram histogram = {
			.bounds = propagation_bounds,
			.buckets = propagation->buckets,
			.count = PROPAGATION_BUCKETS,
			.sum = propagation->sum,
		};

		exposition_histogram(out, name, LABELS({"segment", kind_name(kind)}), &histogram);
	}
}

static void write_by_segment(const struct metrics *metrics, const char *name, const char *help,
			     uint64_t (*value)(const struct publisher *, enum table_kind),
			     struct buf *out)
{
	exposition_family(out, name, EXPOSITION_COUNTER, help);
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		exposition_count(out, name, LABELS({"segment", kind_name(kind)}),
				 value(metrics->publisher, kind));
}

static void write_table(const struct metrics *metrics, const struct worker_counters *sum,
			struct buf *out)
{
	write_generations(metrics, out);
	write_entries(metrics, out);
	write_by_segment(metrics, "ingot_table_published_total", "Segments published",
			 publisher_published_count, out);
	write_by_segment(metrics, "ingot_table_refused_total",
			 "Segments that did not verify, here or in a worker; must stay 0",
			 publisher_refused_count, out);
	write_propagation(metrics, out);
	gauge(out, "ingot_table_segments_mapped",
	      "Segments that workers map, old ones in use by requests included",
	      sum->segments_mapped_now);
}

static void write_state(const struct metrics *metrics, struct buf *out)
{
	struct state_figures figures = {0};

	if (metrics->state != NULL)
		figures = state_figures(metrics->state);
	counter(out, "ingot_state_writes_total", "Segments written to the state directory",
		figures.written);
	counter(out, "ingot_state_write_failures_total",
		"Attempts to write to the state directory that failed", figures.failures);
}

static void write_diagnostics(const struct metrics *metrics, struct buf *out)
{
	static const char name[] = "ingot_diagnostics";
	const uint32_t *counts = reconcile_diagnostic_counts(metrics->reconcile);
	char code[NUMBER_SIZE];

	exposition_family(out, name, EXPOSITION_GAUGE, "What is wrong with objects at present");
	for (unsigned id = 0; id < DIAGNOSTIC_COUNT; id++) {
		snprintf(code, sizeof(code), "IGT%04u", diagnostic_code(id));
		exposition_count(
			out, name,
			LABELS({"level", span_from(diagnostic_level_name(diagnostic_level(id)))},
			       {"code", span_from(code)}),
			counts[id]);
	}
}

static void write_objects(const struct metrics *metrics, struct buf *out)
{
	static const char name[] = "ingot_objects";
	const struct store *store = reconcile_store(metrics->reconcile);

	exposition_family(out, name, EXPOSITION_GAUGE, "Objects known, by kind");
	for (unsigned kind = 0; kind < OBJECT_KIND_COUNT; kind++)
		exposition_count(out, name, LABELS({"kind", span_from(object_kind_name(kind))}),
				 store_count(store, kind));
}

static void write_logs(const struct worker_counters *sum, struct buf *out)
{
	counter(out, "ingot_access_log_lines_total", "Access log lines written", sum->log_lines);
	counter(out, "ingot_access_log_lines_dropped_total",
		"Access log lines dropped because the log could not take them",
		sum->log_lines_dropped);
	counter(out, "ingot_writer_check_failures_total",
		"Values that did not pass the writer's own check; must stay 0",
		sum->writer_check_failures);
}

void metrics_write(const struct metrics *metrics, struct buf *out)
{
	struct worker_counters sum;
	struct traffic traffic;
	struct arena arena;

	prepare_bounds();
	arena_init(&arena, NULL, 0, SIZE_MAX);
	stats_sum_counters(metrics->stats, &sum);
	traffic_collect(metrics->meanings, metrics->stats,
			publisher_table(metrics->publisher, TABLE_ROUTES),
			metrics->compat ? SERIES_OF_ROW + SERIES_OF_ROW_COMPAT : SERIES_OF_ROW,
			&arena, &traffic);
	write_build(out);
	metrics_write_traffic(metrics, &traffic, out);
	write_faults(metrics, out);
	write_downstream(&sum, out);
	write_upstream(&sum, out);
	write_table(metrics, &sum, out);
	write_state(metrics, out);
	write_diagnostics(metrics, out);
	write_objects(metrics, out);
	write_logs(&sum, out);
	metrics_write_processes(metrics, out);
	if (metrics->compat)
		metrics_write_compat(metrics, &traffic, out);
	arena_fini(&arena);
}
