/* SPDX-License-Identifier: Apache-2.0 */
/* ingot_requests_total and what else is told apart by the names of objects. */
#include "control/metrics.h"

#include <stdlib.h>

#include "base/memory.h"
#include "observe/exposition.h"

static struct labels service_labels(const struct traffic_row *row, struct label labels[static 3])
{
	labels[0] = (struct label){"namespace", row->namespace};
	labels[1] = (struct label){"ingress", row->ingress};
	labels[2] = (struct label){"service", row->service};
	return (struct labels){labels, 3};
}

/* Two cells of one series: they differ only in what the labels do not say. */
static bool is_one_series(const struct metrics *metrics, const struct traffic_cell *a,
			  const struct traffic_cell *b)
{
	char status_a[WORD_STATUS_SIZE];
	char status_b[WORD_STATUS_SIZE];

	return span_equals(span_from(word_status(status_a, a->status, metrics->status_form)),
			   span_from(word_status(status_b, b->status, metrics->status_form))) &&
	       span_equals(span_from(word_method(a->method)), span_from(word_method(b->method))) &&
	       span_equals(span_from(word_protocol(a->protocol)),
			   span_from(word_protocol(b->protocol)));
}

static int compare_cells(const void *left, const void *right)
{
	const struct traffic_cell *a = left;
	const struct traffic_cell *b = right;

	if (a->status != b->status)
		return a->status < b->status ? -1 : 1;
	if (a->method != b->method)
		return a->method < b->method ? -1 : 1;
	return (int)a->protocol - (int)b->protocol;
}

static void write_requests_of(const struct metrics *metrics, const struct traffic_row *row,
			      const char *name, struct buf *out)
{
	char status[WORD_STATUS_SIZE];

	for (uint32_t i = 0; i < row->cell_count; i++) {
		const struct traffic_cell *cell = &row->cells[i];
		struct label labels[7];
		uint64_t count = cell->count;
		bool is_first = true;

		for (uint32_t j = 0; j < i; j++)
			is_first &= !is_one_series(metrics, cell, &row->cells[j]);
		if (!is_first)
			continue;
		for (uint32_t j = i + 1; j < row->cell_count; j++)
			if (is_one_series(metrics, cell, &row->cells[j]))
				count += row->cells[j].count;
		service_labels(row, labels);
		labels[3] = (struct label){"host", row->host};
		labels[4] = (struct label){"status", span_from(word_status(status, cell->status,
									   metrics->status_form))};
		labels[5] = (struct label){"method", span_from(word_method(cell->method))};
		labels[6] = (struct label){"protocol", span_from(word_protocol(cell->protocol))};
		exposition_count(out, name, (struct labels){labels, 7}, count);
	}
}

static void write_requests(const struct metrics *metrics, const struct traffic *traffic,
			   struct buf *out)
{
	static const char name[] = "ingot_requests_total";

	exposition_family(out, name, EXPOSITION_COUNTER, "Requests answered");
	for (uint32_t i = 0; i < traffic->count; i++) {
		qsort(traffic->rows[i].cells, traffic->rows[i].cell_count,
		      sizeof(struct traffic_cell), compare_cells);
		write_requests_of(metrics, &traffic->rows[i], name, out);
	}
}

static void write_durations(const struct traffic *traffic, struct buf *out)
{
	static const char name[] = "ingot_request_duration_seconds";
	uint32_t rows;

	exposition_family(out, name, EXPOSITION_HISTOGRAM,
			  "Time from the first byte of a request to the last of its response");
	for (uint32_t i = 0; i < traffic->count; i += rows) {
		struct traffic_row sum;
		struct label labels[3];
		struct exposition_histogram histogram;

		rows = traffic_same_service(traffic, i);
		sum = traffic_sum(&traffic->rows[i], rows);
		histogram = (struct exposition_histogram){
			.bounds = metrics_duration_bounds,
			.buckets = sum.duration_buckets,
			.count = STATS_DURATION_BUCKETS,
			.sum = (double)sum.duration_sum_us / 1e6,
		};
		exposition_histogram(out, name, service_labels(&sum, labels), &histogram);
	}
}

enum direction { REQUESTS, RESPONSES };

static void write_bytes(const struct traffic *traffic, const char *name, const char *help,
			enum direction direction, struct buf *out)
{
	uint32_t rows;

	exposition_family(out, name, EXPOSITION_COUNTER, help);
	for (uint32_t i = 0; i < traffic->count; i += rows) {
		struct traffic_row sum;
		struct label labels[3];

		rows = traffic_same_service(traffic, i);
		sum = traffic_sum(&traffic->rows[i], rows);
		exposition_count(out, name, service_labels(&sum, labels),
				 direction == REQUESTS ? sum.request_bytes : sum.response_bytes);
	}
}

/* Endpoints of one Service by state, as routes lead to it. */
struct service_endpoints {
	struct span namespace;
	struct span service;
	uint32_t upstream;
	struct upstream_match match;
	uint64_t by_state[ENDPOINT_STATE_COUNT];
};

static int compare_services(const void *left, const void *right)
{
	const struct service_endpoints *a = left;
	const struct service_endpoints *b = right;
	int order = span_compare(a->namespace, b->namespace);

	if (order == 0)
		order = span_compare(a->service, b->service);
	if (order == 0)
		order = a->upstream < b->upstream ? -1 : a->upstream > b->upstream;
	return order;
}

static void count_endpoints(struct service_endpoints *service)
{
	const struct endpoints *endpoints = service->match.endpoints;
	const struct upstream_record *upstream = service->match.upstream;

	for (uint32_t i = 0; i < upstream->endpoint_count; i++)
		service->by_state[endpoints->endpoints[upstream->first_endpoint + i].state]++;
}

/* Those of one shard, behind the count that there are; how many there are then. */
static uint32_t add_services(const struct routes *routes, const struct shards *endpoints,
			     struct service_endpoints *services, uint32_t count)
{
	for (uint32_t i = 0; i < routes->route_count; i++) {
		const struct route *route = &routes->routes[i];
		const struct route_object *object;
		struct upstream_match match;

		if (route->answer != ROUTE_PROXY || route->object == TABLE_NONE)
			continue;
		match = endpoints_find(endpoints, route->upstream, route->upstream_incarnation);
		if (match.upstream == NULL)
			continue;
		object = &routes->objects[route->object];
		services[count++] = (struct service_endpoints){
			.namespace = routes_text(routes, object->namespace),
			.service = routes_text(routes, object->service),
			.upstream = route->upstream,
			.match = match,
		};
	}
	return count;
}

/* One element for each route that leads to an upstream. */
static uint32_t list_services(const struct shards *routes, const struct shards *endpoints,
			      struct service_endpoints *services)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < routes->count; i++)
		count = add_services(&routes->at[i]->routes, endpoints, services, count);
	qsort(services, count, sizeof(services[0]), compare_services);
	return count;
}

/* Several upstreams of a Service (its ports) are one set of labels; several routes to one upstream count once. */
static uint32_t merge_services(struct service_endpoints *services, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct service_endpoints *last = kept == 0 ? NULL : &services[kept - 1];

		if (last != NULL && compare_services(last, &services[i]) == 0)
			continue;
		count_endpoints(&services[i]);
		if (last == NULL || !span_equals(last->namespace, services[i].namespace) ||
		    !span_equals(last->service, services[i].service)) {
			services[kept++] = services[i];
			continue;
		}
		for (unsigned state = 0; state < ENDPOINT_STATE_COUNT; state++)
			last->by_state[state] += services[i].by_state[state];
		last->upstream = services[i].upstream;
	}
	return kept;
}

static void write_endpoints(const struct metrics *metrics, struct buf *out)
{
	static const char name[] = "ingot_endpoints";
	static const char *const states[ENDPOINT_STATE_COUNT] = {
		[ENDPOINT_READY] = "ready", [ENDPOINT_TERMINATING] = "draining"};
	const struct shards *routes = publisher_table(metrics->publisher, TABLE_ROUTES);
	const struct shards *endpoints = publisher_table(metrics->publisher, TABLE_ENDPOINTS);
	struct service_endpoints *services;
	uint32_t count;

	exposition_family(out, name, EXPOSITION_GAUGE,
			  "Endpoints that may get requests, of Services that routes lead to");
	if (routes == NULL || endpoints == NULL)
		return;
	services = memory_new_array(metrics_count_routes(routes) + 1, sizeof(services[0]));
	count = merge_services(services, list_services(routes, endpoints, services));
	for (uint32_t i = 0; i < count && i < TRAFFIC_SERIES_MAX / ENDPOINT_STATE_COUNT; i++)
		for (unsigned state = 0; state < ENDPOINT_STATE_COUNT; state++)
			exposition_count(out, name,
					 LABELS({"namespace", services[i].namespace},
						{"service", services[i].service},
						{"state", span_from(states[state])}),
					 services[i].by_state[state]);
	free(services);
}

void metrics_write_traffic(const struct metrics *metrics, const struct traffic *traffic,
			   struct buf *out)
{
	static const char overflow[] = "ingot_metrics_overflowed_series";

	write_requests(metrics, traffic, out);
	write_durations(traffic, out);
	write_bytes(traffic, "ingot_request_bytes_total", "Bytes of requests, heads included",
		    REQUESTS, out);
	write_bytes(traffic, "ingot_response_bytes_total", "Bytes of responses, heads included",
		    RESPONSES, out);
	exposition_family(out, overflow, EXPOSITION_GAUGE,
			  "Series that are summed under the name overflow");
	exposition_count(out, overflow, LABELS_NONE, traffic->overflowed);
	write_endpoints(metrics, out);
}
