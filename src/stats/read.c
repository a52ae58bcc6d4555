/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/read.h"

#include <string.h>

/* The writer is another process: one load, and what it gives is what is used. */
static uint64_t figure(const uint64_t *at)
{
	uint64_t value = __atomic_load_n(at, __ATOMIC_RELAXED);

	return value < STATS_FIGURE_MAX ? value : STATS_FIGURE_MAX;
}

/* Both are at most STATS_FIGURE_MAX, so the sum cannot wrap. */
static void add(uint64_t *sum, uint64_t value)
{
	*sum = *sum + value < STATS_FIGURE_MAX ? *sum + value : STATS_FIGURE_MAX;
}

static void add_figures(uint64_t *sums, const uint64_t *figures, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		add(&sums[i], figure(&figures[i]));
}

static void add_counters(struct worker_counters *sum, const struct worker_counters *counters)
{
#define COUNTER(name, help) add(&sum->name, figure(&counters->name));
#define GAUGE(name, help)   add(&sum->name, figure(&counters->name));
#include "stats/metric.def"
#undef COUNTER
#undef GAUGE
}

void stats_read_counters(const struct stats_map *map, uint32_t worker,
			 struct worker_counters *counters)
{
	memset(counters, 0, sizeof(*counters));
	add_counters(counters, &stats_worker(map, worker)->counters);
}

void stats_sum_counters(const struct stats_map *map, struct worker_counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < map->workers; i++)
		add_counters(sum, &stats_worker(map, i)->counters);
}

void stats_sum_faults(const struct stats_map *map, uint64_t faults[static STATS_FAULTS_MAX])
{
	memset(faults, 0, STATS_FAULTS_MAX * sizeof(faults[0]));
	for (uint32_t i = 0; i < map->workers; i++)
		add_figures(faults, stats_worker(map, i)->faults, STATS_FAULTS_MAX);
}

/* A copy that nobody changes meanwhile, with a status that exists or none. */
static struct status_cell read_cell(const struct status_cell *cell)
{
	struct status_cell copy = {
		.status = __atomic_load_n(&cell->status, __ATOMIC_RELAXED),
		.method = __atomic_load_n(&cell->method, __ATOMIC_RELAXED),
		.protocol = __atomic_load_n(&cell->protocol, __ATOMIC_RELAXED),
		.count = figure(&cell->count),
	};

	if (copy.status < 100 || copy.status > 599)
		copy.status = copy.method = copy.protocol = 0;
	return copy;
}

static bool is_same_cell(const struct status_cell *a, const struct status_cell *b)
{
	return a->status == b->status && a->method == b->method && a->protocol == b->protocol;
}

/* Honest workers never need the last cell: it takes what does not fit, as one more "other". */
static void add_cell(struct row_sum *sum, struct status_cell cell)
{
	uint32_t i = 0;

	while (i < sum->cell_count && !is_same_cell(&sum->cells[i], &cell))
		i++;
	if (i == STATS_SUM_CELLS) {
		i--;
		sum->cells[i].status = sum->cells[i].method = sum->cells[i].protocol = 0;
	} else if (i == sum->cell_count) {
		sum->cells[sum->cell_count++] = cell;
		sum->cells[i].count = 0;
	}
	add(&sum->cells[i].count, cell.count);
	add(&sum->requests, cell.count);
}

static void add_row(struct row_sum *sum, const struct route_row *row)
{
	for (unsigned i = 0; i < STATS_STATUS_CELLS; i++) {
		struct status_cell cell = read_cell(&row->cells[i]);

		if (cell.count != 0)
			add_cell(sum, cell);
	}
	add_figures(sum->duration_buckets, row->duration_buckets, STATS_DURATION_BUCKETS);
	add_figures(sum->response_size_buckets, row->response_size_buckets, STATS_SIZE_BUCKETS);
	add(&sum->duration_sum_us, figure(&row->duration_sum_us));
	add(&sum->request_bytes, figure(&row->request_bytes));
	add(&sum->response_bytes, figure(&row->response_bytes));
}

void stats_sum_row(const struct stats_map *map, uint32_t row, struct row_sum *sum)
{
	uint32_t at = row < STATS_ROUTE_ROWS_MAX ? row : STATS_ROUTE_ROWS_MAX - 1;

	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < map->workers; i++)
		add_row(sum, &stats_worker(map, i)->routes[at]);
	for (unsigned i = 0; i < STATS_DURATION_BUCKETS; i++)
		add(&sum->duration_count, sum->duration_buckets[i]);
	for (unsigned i = 0; i < STATS_SIZE_BUCKETS; i++)
		add(&sum->response_size_count, sum->response_size_buckets[i]);
}
