/* SPDX-License-Identifier: Apache-2.0 */
#include "control/traffic.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "stats/read.h"

static_assert((int)TABLE_STAT_ROWS_MAX == (int)STATS_ROUTE_ROWS_MAX, "rows of table and figures");

/* What a row stands for, and what it had counted before it did. */
struct meaning {
	char *names;            /* NULL: nothing yet; names_of */
	struct row_sum *before; /* NULL: nothing was counted */
};

struct traffic_meanings {
	struct meaning rows[STATS_ROUTE_ROWS_MAX];
};

struct traffic_meanings *traffic_meanings_new(void)
{
	return memory_new(sizeof(struct traffic_meanings));
}

void traffic_meanings_free(struct traffic_meanings *meanings)
{
	for (uint32_t row = 0; row < STATS_ROUTE_ROWS_MAX; row++) {
		free(meanings->rows[row].names);
		free(meanings->rows[row].before);
	}
	free(meanings);
}

static struct span host_of(const struct routes *routes, const struct route *route)
{
	struct span name = routes_text(routes, routes->hosts[route->host].name);

	return name.len == 0 ? S("_") : name;
}

/* A row for a route of an object; others share row 0, which has no names. */
static bool has_row(const struct route *route)
{
	return route->stat_row != 0 && route->object != TABLE_NONE;
}

static void names_of(const struct routes *routes, const struct route *route, struct buf *names)
{
	const struct route_object *object = &routes->objects[route->object];

	buf_clear(names);
	buf_add(names, routes_text(routes, object->namespace));
	buf_add_byte(names, '\n');
	buf_add(names, routes_text(routes, object->ingress));
	buf_add_byte(names, '\n');
	buf_add(names, routes_text(routes, object->service));
	buf_add_byte(names, '\n');
	buf_add(names, host_of(routes, route));
}

static void set_meaning(struct meaning *meaning, const struct stats_map *stats, uint32_t row,
			const char *names)
{
	struct row_sum *sum = memory_new(sizeof(*sum));

	free(meaning->names);
	free(meaning->before);
	meaning->names = strdup(names);
	meaning->before = NULL;
	stats_sum_row(stats, row, sum);
	if (sum->requests == 0 && sum->duration_count == 0)
		free(sum);
	else
		meaning->before = sum;
}

void traffic_note_routes(struct traffic_meanings *meanings, const struct stats_map *stats,
			 const struct routes *routes)
{
	struct buf names = {0};

	for (uint32_t i = 0; i < routes->route_count; i++) {
		const struct route *route = &routes->routes[i];
		struct meaning *meaning = &meanings->rows[route->stat_row];

		if (!has_row(route))
			continue;
		names_of(routes, route, &names);
		if (meaning->names == NULL || strcmp(meaning->names, buf_text(&names)) != 0)
			set_meaning(meaning, stats, route->stat_row, buf_text(&names));
	}
	buf_fini(&names);
}

/* A figure that a worker lowers is as wrong as one that it raises: it never goes below zero. */
static uint64_t since(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static void subtract_figures(uint64_t *figures, const uint64_t *before, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		figures[i] = since(figures[i], before[i]);
}

static void subtract_cell(struct row_sum *sum, const struct status_cell *before)
{
	for (uint32_t i = 0; i < sum->cell_count; i++) {
		struct status_cell *cell = &sum->cells[i];

		if (cell->status == before->status && cell->method == before->method &&
		    cell->protocol == before->protocol)
			cell->count = since(cell->count, before->count);
	}
}

static void subtract(struct row_sum *sum, const struct row_sum *before)
{
	for (uint32_t i = 0; i < before->cell_count; i++)
		subtract_cell(sum, &before->cells[i]);
	sum->requests = since(sum->requests, before->requests);
	subtract_figures(sum->duration_buckets, before->duration_buckets, STATS_DURATION_BUCKETS);
	subtract_figures(sum->response_size_buckets, before->response_size_buckets,
			 STATS_SIZE_BUCKETS);
	sum->duration_sum_us = since(sum->duration_sum_us, before->duration_sum_us);
	sum->request_bytes = since(sum->request_bytes, before->request_bytes);
	sum->response_bytes = since(sum->response_bytes, before->response_bytes);
}

/* Rows that count, by number, with the route whose names they have. */
struct candidate {
	const struct route *route; /* NULL: row 0 */
	const struct routes
		*routes; /* its shard: others have no route of its row, for a row has one host */
	bool several_paths;
};

static void add_candidates(struct candidate *candidates, const struct routes *routes)
{
	for (uint32_t i = 0; i < routes->route_count; i++) {
		const struct route *route = &routes->routes[i];
		struct candidate *candidate = &candidates[route->stat_row];

		if (!has_row(route))
			continue;
		if (candidate->route == NULL) {
			candidate->route = route;
			candidate->routes = routes;
		} else {
			candidate->several_paths |= !span_equals(
				routes_text(candidate->routes, candidate->route->path),
				routes_text(routes, route->path));
		}
	}
}

static struct candidate *find_candidates(const struct shards *routes)
{
	struct candidate *candidates = memory_new_array(STATS_ROUTE_ROWS_MAX, sizeof(*candidates));

	for (uint32_t i = 0; routes != NULL && i < routes->count; i++)
		add_candidates(candidates, &routes->at[i]->routes);
	return candidates;
}

static struct traffic_row name_row(const struct candidate *candidate)
{
	const struct routes *routes = candidate->routes;
	const struct route_object *object;

	if (candidate->route == NULL)
		return (struct traffic_row){.host = S("_")};
	object = &routes->objects[candidate->route->object];
	return (struct traffic_row){
		.namespace = routes_text(routes, object->namespace),
		.ingress = routes_text(routes, object->ingress),
		.service = routes_text(routes, object->service),
		.host = host_of(routes, candidate->route),
		.path = candidate->several_paths ? (struct span){NULL, 0}
						 : routes_text(routes, candidate->route->path),
	};
}

static void take_cells(struct traffic_row *row, const struct row_sum *sum, struct arena *arena)
{
	row->cells = arena_take(arena, sum->cell_count * sizeof(row->cells[0]) + 1);
	for (uint32_t i = 0; i < sum->cell_count; i++) {
		const struct status_cell *cell = &sum->cells[i];

		if (cell->count != 0)
			row->cells[row->cell_count++] = (struct traffic_cell){
				.status = cell->status,
				.method = cell->method,
				.protocol = cell->protocol,
				.count = cell->count,
			};
	}
}

static void take_figures(struct traffic_row *row, const struct row_sum *sum)
{
	memcpy(row->duration_buckets, sum->duration_buckets, sizeof(row->duration_buckets));
	memcpy(row->response_size_buckets, sum->response_size_buckets,
	       sizeof(row->response_size_buckets));
	row->duration_sum_us = sum->duration_sum_us;
	row->request_bytes = sum->request_bytes;
	row->response_bytes = sum->response_bytes;
}

static void add_figures(struct traffic_row *sum, const struct traffic_row *row)
{
	for (unsigned i = 0; i < STATS_DURATION_BUCKETS; i++)
		sum->duration_buckets[i] += row->duration_buckets[i];
	for (unsigned i = 0; i < STATS_SIZE_BUCKETS; i++)
		sum->response_size_buckets[i] += row->response_size_buckets[i];
	sum->duration_sum_us += row->duration_sum_us;
	sum->request_bytes += row->request_bytes;
	sum->response_bytes += row->response_bytes;
}

/* Under the overflow, statuses, methods and protocols are not told apart any more. */
static void add_overflow(struct traffic_row *overflow, const struct traffic_row *row)
{
	for (uint32_t i = 0; i < row->cell_count; i++)
		overflow->cells[0].count += row->cells[i].count;
	add_figures(overflow, row);
}

static struct traffic_row new_overflow(struct arena *arena)
{
	struct span name = S(TRAFFIC_OVERFLOW);
	struct traffic_row row = {
		.namespace = name, .ingress = name, .service = name, .host = name, .cell_count = 1};

	row.cells = arena_take_zero(arena, sizeof(row.cells[0]));
	row.cells[0].method = UINT8_MAX;
	row.cells[0].protocol = UINT8_MAX;
	return row;
}

static int compare_names(const void *left, const void *right)
{
	const struct traffic_row *a = left;
	const struct traffic_row *b = right;
	const struct span parts[][2] = {{a->namespace, b->namespace},
					{a->ingress, b->ingress},
					{a->service, b->service},
					{a->host, b->host}};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int order = span_compare(parts[i][0], parts[i][1]);

		if (order != 0)
			return order;
	}
	return 0;
}

/* The lower the number of a row, the older it is: what had a place of its own keeps it. */
static void place_row(struct traffic *traffic, struct traffic_row *overflow, uint32_t *series,
		      const struct traffic_row *row, uint32_t series_of_row)
{
	uint32_t needed = series_of_row + row->cell_count;

	if (*series + needed <= TRAFFIC_SERIES_MAX) {
		*series += needed;
		traffic->rows[traffic->count++] = *row;
		return;
	}
	traffic->overflowed += needed;
	add_overflow(overflow, row);
}

void traffic_collect(const struct traffic_meanings *meanings, const struct stats_map *stats,
		     const struct shards *routes, uint32_t series_of_row, struct arena *arena,
		     struct traffic *traffic)
{
	struct candidate *candidates = find_candidates(routes);
	struct row_sum *sum = memory_new(sizeof(*sum));
	struct traffic_row overflow = new_overflow(arena);
	uint32_t series = 0;

	*traffic = (struct traffic){
		.rows = arena_take(arena, (TRAFFIC_SERIES_MAX + 1) * sizeof(traffic->rows[0]))};
	for (uint32_t i = 0; i < STATS_ROUTE_ROWS_MAX; i++) {
		struct traffic_row row;

		if (i != 0 && candidates[i].route == NULL)
			continue;
		stats_sum_row(stats, i, sum);
		if (meanings->rows[i].before != NULL)
			subtract(sum, meanings->rows[i].before);
		if (sum->requests == 0)
			continue;
		row = name_row(&candidates[i]);
		take_cells(&row, sum, arena);
		take_figures(&row, sum);
		place_row(traffic, &overflow, &series, &row, series_of_row);
	}
	qsort(traffic->rows, traffic->count, sizeof(traffic->rows[0]), compare_names);
	if (traffic->overflowed > 0)
		traffic->rows[traffic->count++] = overflow;
	free(sum);
	free(candidates);
}

uint32_t traffic_same_service(const struct traffic *traffic, uint32_t first)
{
	const struct traffic_row *a = &traffic->rows[first];
	uint32_t next = first + 1;

	while (next < traffic->count && span_equals(a->namespace, traffic->rows[next].namespace) &&
	       span_equals(a->ingress, traffic->rows[next].ingress) &&
	       span_equals(a->service, traffic->rows[next].service))
		next++;
	return next - first;
}

struct traffic_row traffic_sum(const struct traffic_row *rows, uint32_t count)
{
	struct traffic_row sum = {
		.namespace = rows[0].namespace,
		.ingress = rows[0].ingress,
		.service = rows[0].service,
	};

	for (uint32_t i = 0; i < count; i++)
		add_figures(&sum, &rows[i]);
	return sum;
}
