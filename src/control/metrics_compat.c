/* SPDX-License-Identifier: Apache-2.0 */
/* nginx_ingress_controller_*: the names, labels and buckets that dashboards of ingress-nginx read (compat
 * spec, 25).
 *
 * Durations and sizes are counted by rule and not by status and method as well, so these two labels are missing in
 * the histograms; sums over them, which dashboards make, come out the same.
 */
#include "control/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "control/process.h"
#include "observe/exposition.h"
#include "stats/read.h"

#define NAME(name) "nginx_ingress_controller_" name

enum { CONTROLLER_LABELS = 3, ROW_LABELS = 6, LABELS_ROOM = 12 };

static void add_label(struct labels *labels, struct label *room, const char *name,
		      struct span value)
{
	room[labels->count++] = (struct label){name, value};
	labels->items = room;
}

static struct labels controller_labels(const struct metrics *metrics,
				       struct label room[static LABELS_ROOM])
{
	struct labels labels = {0};

	add_label(&labels, room, "controller_namespace", metrics->controller_namespace);
	add_label(&labels, room, "controller_class", metrics->controller_class);
	add_label(&labels, room, "controller_pod", metrics->controller_pod);
	return labels;
}

static struct labels row_labels(const struct metrics *metrics, const struct traffic_row *row,
				struct label room[static LABELS_ROOM])
{
	struct labels labels = controller_labels(metrics, room);

	add_label(&labels, room, "host", row->host);
	add_label(&labels, room, "path", row->path);
	add_label(&labels, room, "namespace", row->namespace);
	add_label(&labels, room, "ingress", row->ingress);
	add_label(&labels, room, "service", row->service);
	add_label(&labels, room, "canary", S(""));
	return labels;
}

/* Requests that no Ingress asked for are not in these metrics (25.1). */
static bool is_of_ingress(const struct traffic_row *row)
{
	return row->ingress.len > 0;
}

/* The labels of one request series: cells that agree in them are one. */
struct series {
	char status[WORD_STATUS_SIZE];
	const char *method;
	uint64_t count;
};

static struct series *find_series(struct series *all, uint32_t count, const struct series *one)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(all[i].status, one->status) == 0 &&
		    strcmp(all[i].method, one->method) == 0)
			return &all[i];
	return NULL;
}

static struct series series_of(const struct metrics *metrics, const struct traffic_cell *cell)
{
	struct series series = {.method = word_method(cell->method), .count = cell->count};
	char text[WORD_STATUS_SIZE];

	snprintf(series.status, sizeof(series.status), "%s",
		 word_status(text, cell->status, metrics->status_form));
	return series;
}

static void write_requests_of(const struct metrics *metrics, const struct traffic_row *row,
			      struct buf *out)
{
	struct series *all = memory_new_array((size_t)row->cell_count + 1, sizeof(*all));
	uint32_t count = 0;

	for (uint32_t i = 0; i < row->cell_count; i++) {
		struct series one = series_of(metrics, &row->cells[i]);
		struct series *same = find_series(all, count, &one);

		if (same != NULL)
			same->count += one.count;
		else
			all[count++] = one;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct label room[LABELS_ROOM];
		struct labels labels = row_labels(metrics, row, room);

		add_label(&labels, room, "status", span_from(all[i].status));
		add_label(&labels, room, "method", span_from(all[i].method));
		exposition_count(out, NAME("requests"), labels, all[i].count);
	}
	free(all);
}

static void write_requests(const struct metrics *metrics, const struct traffic *traffic,
			   struct buf *out)
{
	exposition_family(out, NAME("requests"), EXPOSITION_COUNTER, "Client requests");
	for (uint32_t i = 0; i < traffic->count; i++)
		if (is_of_ingress(&traffic->rows[i]))
			write_requests_of(metrics, &traffic->rows[i], out);
}

static struct exposition_histogram durations(const struct traffic_row *row)
{
	return (struct exposition_histogram){
		.bounds = metrics_duration_bounds,
		.buckets = row->duration_buckets,
		.count = STATS_DURATION_BUCKETS,
		.sum = (double)row->duration_sum_us / 1e6,
	};
}

static struct exposition_histogram response_sizes(const struct traffic_row *row)
{
	return (struct exposition_histogram){
		.bounds = metrics_size_bounds,
		.buckets = row->response_size_buckets,
		.count = STATS_SIZE_BUCKETS,
		.sum = (double)row->response_bytes,
	};
}

static void write_histogram(const struct metrics *metrics, const struct traffic *traffic,
			    const char *name, const char *help,
			    struct exposition_histogram (*of)(const struct traffic_row *row),
			    struct buf *out)
{
	exposition_family(out, name, EXPOSITION_HISTOGRAM, help);
	for (uint32_t i = 0; i < traffic->count; i++) {
		struct label room[LABELS_ROOM];
		struct exposition_histogram histogram;

		if (!is_of_ingress(&traffic->rows[i]))
			continue;
		histogram = of(&traffic->rows[i]);
		exposition_histogram(out, name, row_labels(metrics, &traffic->rows[i], room),
				     &histogram);
	}
}

/* Sizes of requests are only summed: one bucket has them all. */
static void write_request_sizes(const struct metrics *metrics, const struct traffic *traffic,
				struct buf *out)
{
	exposition_family(out, NAME("request_size"), EXPOSITION_HISTOGRAM,
			  "Bytes of requests, heads included");
	for (uint32_t i = 0; i < traffic->count; i++) {
		const struct traffic_row *row = &traffic->rows[i];
		struct label room[LABELS_ROOM];
		struct exposition_histogram histogram = {.count = 1,
							 .sum = (double)row->request_bytes};
		uint64_t count = 0;

		if (!is_of_ingress(row))
			continue;
		for (uint32_t j = 0; j < row->cell_count; j++)
			count += row->cells[j].count;
		histogram.buckets = &count;
		exposition_histogram(out, NAME("request_size"), row_labels(metrics, row, room),
				     &histogram);
	}
}

static void write_one(const struct metrics *metrics, const char *name, enum exposition_type type,
		      const char *help, double value, struct buf *out)
{
	struct label room[LABELS_ROOM];

	exposition_family(out, name, type, help);
	exposition_number(out, name, controller_labels(metrics, room), value);
}

static void write_state_of(const struct metrics *metrics, const char *name, const char *state,
			   uint64_t value, struct buf *out)
{
	struct label room[LABELS_ROOM];
	struct labels labels = controller_labels(metrics, room);

	add_label(&labels, room, "state", span_from(state));
	exposition_count(out, name, labels, value);
}

static void write_connections(const struct metrics *metrics, struct buf *out)
{
	struct worker_counters sum;

	stats_sum_counters(metrics->stats, &sum);
	exposition_family(out, NAME("nginx_process_connections"), EXPOSITION_GAUGE,
			  "Client connections by state");
	write_state_of(metrics, NAME("nginx_process_connections"), "active",
		       sum.downstream_active_now + sum.downstream_idle_now, out);
	write_state_of(metrics, NAME("nginx_process_connections"), "reading", 0, out);
	write_state_of(metrics, NAME("nginx_process_connections"), "writing",
		       sum.downstream_active_now, out);
	write_state_of(metrics, NAME("nginx_process_connections"), "waiting",
		       sum.downstream_idle_now, out);
	exposition_family(out, NAME("nginx_process_connections_total"), EXPOSITION_COUNTER,
			  "Client connections so far");
	write_state_of(metrics, NAME("nginx_process_connections_total"), "accepted",
		       sum.downstream_accepted, out);
	write_state_of(metrics, NAME("nginx_process_connections_total"), "handled",
		       sum.downstream_accepted - (sum.downstream_refused < sum.downstream_accepted
							  ? sum.downstream_refused
							  : sum.downstream_accepted),
		       out);
	write_one(metrics, NAME("nginx_process_requests_total"), EXPOSITION_COUNTER,
		  "Client requests", (double)sum.requests, out);
}

/* All workers together, as nginx's worker processes were. */
static uint32_t sum_workers(const struct metrics *metrics, struct process_figures *sum)
{
	uint32_t count = 0;

	*sum = (struct process_figures){0};
	for (uint32_t i = 0; i < publisher_worker_count(metrics->publisher); i++) {
		struct process_figures one;
		pid_t pid = publisher_worker(metrics->publisher, i)->pid;

		if (pid <= 0 || !process_read(pid, &one))
			continue;
		sum->cpu_seconds += one.cpu_seconds;
		sum->resident_bytes += one.resident_bytes;
		sum->virtual_bytes += one.virtual_bytes;
		sum->read_bytes += one.read_bytes;
		sum->written_bytes += one.written_bytes;
		if (count == 0 || one.start_seconds < sum->start_seconds)
			sum->start_seconds = one.start_seconds;
		count++;
	}
	return count;
}

static void write_process(const struct metrics *metrics, struct buf *out)
{
	struct process_figures sum;
	uint32_t count = sum_workers(metrics, &sum);

	write_one(metrics, NAME("nginx_process_num_procs"), EXPOSITION_GAUGE, "Worker processes",
		  count, out);
	write_one(metrics, NAME("nginx_process_cpu_seconds_total"), EXPOSITION_COUNTER,
		  "CPU time of the workers that run", sum.cpu_seconds, out);
	write_one(metrics, NAME("nginx_process_resident_memory_bytes"), EXPOSITION_GAUGE,
		  "Memory of the workers, shared included", (double)sum.resident_bytes, out);
	write_one(metrics, NAME("nginx_process_virtual_memory_bytes"), EXPOSITION_GAUGE,
		  "Address space of the workers", (double)sum.virtual_bytes, out);
	write_one(metrics, NAME("nginx_process_read_bytes_total"), EXPOSITION_COUNTER,
		  "Bytes that the workers read from storage", (double)sum.read_bytes, out);
	write_one(metrics, NAME("nginx_process_write_bytes_total"), EXPOSITION_COUNTER,
		  "Bytes that the workers wrote to storage", (double)sum.written_bytes, out);
	write_one(metrics, NAME("nginx_process_oldest_start_time_seconds"), EXPOSITION_GAUGE,
		  "When the oldest worker started, since 1970", sum.start_seconds, out);
}

static void write_build(const struct metrics *metrics, struct buf *out)
{
	struct label room[LABELS_ROOM];
	struct labels labels = controller_labels(metrics, room);

	add_label(&labels, room, "release", S(INGOT_VERSION));
	add_label(&labels, room, "build", S(INGOT_REVISION));
	add_label(&labels, room, "repository", S("ingot"));
	exposition_family(out, NAME("build_info"), EXPOSITION_GAUGE,
			  "What this program was built from");
	exposition_count(out, NAME("build_info"), labels, 1);
}

static bool is_last_good(const struct publisher *publisher)
{
	for (uint32_t i = 0; i < publisher_worker_count(publisher); i++)
		for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
			if (publisher_generation(publisher, kind) != 0 &&
			    publisher_worker(publisher, i)->refused[kind] ==
				    publisher_generation(publisher, kind))
				return false;
	return publisher_generation(publisher, TABLE_ROUTES) != 0;
}

static void write_reloads(const struct metrics *metrics, struct buf *out)
{
	const struct publisher *publisher = metrics->publisher;
	const struct shards *routes = publisher_table(publisher, TABLE_ROUTES);

	write_one(metrics, NAME("config_last_reload_successful"), EXPOSITION_GAUGE,
		  "Whether the last table is in effect", is_last_good(publisher), out);
	write_one(metrics, NAME("config_last_reload_successful_timestamp_seconds"),
		  EXPOSITION_GAUGE, "When the present routes were built, since 1970",
		  routes == NULL ? 0 : (double)shards_built_wall_ns(routes) / 1e9, out);
	write_one(metrics, NAME("config_hash"), EXPOSITION_GAUGE, "Checksum of the present routes",
		  routes == NULL ? 0 : (double)(shards_checksum(routes) >> 12), out);
	write_one(metrics, NAME("success"), EXPOSITION_COUNTER, "Tables published",
		  (double)publisher_published_count(publisher, TABLE_ROUTES), out);
	write_one(metrics, NAME("errors"), EXPOSITION_COUNTER, "Tables that did not verify",
		  (double)publisher_refused_count(publisher, TABLE_ROUTES), out);
}

/* An Ingress and what its routes lack. */
struct orphan {
	struct span namespace;
	struct span ingress;
	bool no_service;
	bool no_endpoint;
};

static int compare_orphans(const void *left, const void *right)
{
	const struct orphan *a = left;
	const struct orphan *b = right;
	int order = span_compare(a->namespace, b->namespace);

	return order != 0 ? order : span_compare(a->ingress, b->ingress);
}

static struct orphan orphan_of(const struct routes *routes, const struct shards *endpoints,
			       const struct route *route)
{
	const struct route_object *object = &routes->objects[route->object];
	const struct upstream_record *upstream =
		endpoints_find(endpoints, route->upstream, route->upstream_incarnation).upstream;

	return (struct orphan){
		.namespace = routes_text(routes, object->namespace),
		.ingress = routes_text(routes, object->ingress),
		.no_service = route->answer == ROUTE_NO_SERVICE,
		.no_endpoint = route->answer == ROUTE_PROXY && upstream != NULL &&
			       upstream->endpoint_count == 0 && upstream->external_name.len == 0,
	};
}

/* One for each route of an object, sorted. */
static uint32_t list_orphans(const struct shards *shards, const struct shards *endpoints,
			     struct orphan *orphans)
{
	uint32_t count = 0;

	for (uint32_t n = 0; n < shards->count; n++) {
		const struct routes *routes = &shards->at[n]->routes;

		for (uint32_t i = 0; i < routes->route_count; i++)
			if (routes->routes[i].object != TABLE_NONE)
				orphans[count++] = orphan_of(routes, endpoints, &routes->routes[i]);
	}
	qsort(orphans, count, sizeof(orphans[0]), compare_orphans);
	return count;
}

/* One for each Ingress. */
static uint32_t merge_orphans(struct orphan *orphans, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (kept == 0 || compare_orphans(&orphans[kept - 1], &orphans[i]) != 0) {
			orphans[kept++] = orphans[i];
			continue;
		}
		orphans[kept - 1].no_service |= orphans[i].no_service;
		orphans[kept - 1].no_endpoint |= orphans[i].no_endpoint;
	}
	return kept;
}

static void write_orphan(const struct metrics *metrics, const struct orphan *orphan,
			 const char *type, bool is_one, struct buf *out)
{
	struct label room[LABELS_ROOM];
	struct labels labels = controller_labels(metrics, room);

	add_label(&labels, room, "namespace", orphan->namespace);
	add_label(&labels, room, "ingress", orphan->ingress);
	add_label(&labels, room, "type", span_from(type));
	exposition_count(out, NAME("orphan_ingress"), labels, is_one);
}

static void write_orphans(const struct metrics *metrics, struct buf *out)
{
	const struct shards *routes = publisher_table(metrics->publisher, TABLE_ROUTES);
	const struct shards *endpoints = publisher_table(metrics->publisher, TABLE_ENDPOINTS);
	struct orphan *orphans;
	uint32_t count;

	exposition_family(
		out, NAME("orphan_ingress"), EXPOSITION_GAUGE,
		"Whether an Ingress leads to a Service that is missing or has no endpoint");
	if (routes == NULL || endpoints == NULL)
		return;
	orphans = memory_new_array(metrics_count_routes(routes) + 1, sizeof(orphans[0]));
	count = merge_orphans(orphans, list_orphans(routes, endpoints, orphans));
	for (uint32_t i = 0; i < count && i < TRAFFIC_SERIES_MAX / 2; i++) {
		write_orphan(metrics, &orphans[i], "no-service", orphans[i].no_service, out);
		write_orphan(metrics, &orphans[i], "no-endpoint", orphans[i].no_endpoint, out);
	}
	free(orphans);
}

void metrics_write_compat(const struct metrics *metrics, const struct traffic *traffic,
			  struct buf *out)
{
	write_build(metrics, out);
	write_reloads(metrics, out);
	write_orphans(metrics, out);
	write_requests(metrics, traffic, out);
	write_histogram(metrics, traffic, NAME("request_duration_seconds"), "Time of requests",
			durations, out);
	write_histogram(metrics, traffic, NAME("response_size"),
			"Bytes of responses, heads included", response_sizes, out);
	write_histogram(metrics, traffic, NAME("bytes_sent"),
			"Bytes of responses, heads included (deprecated)", response_sizes, out);
	write_request_sizes(metrics, traffic, out);
	write_connections(metrics, out);
	write_process(metrics, out);
}
