/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/stats.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "stats/in_flight.h"

const uint32_t stats_duration_bounds_us[STATS_DURATION_BUCKETS - 1] = {
	500,    1000,   2500,    5000,    10000,   25000,    50000,   100000,
	250000, 500000, 1000000, 2500000, 5000000, 10000000, 60000000};

const uint32_t stats_size_bounds[STATS_SIZE_BUCKETS - 1] = {10,     100,     1000,    10000,
							    100000, 1000000, 10000000};

static const int size_seals = F_SEAL_SHRINK | F_SEAL_GROW;

static int write_header(int fd, uint32_t workers)
{
	struct stats_header header = {
		.magic = {'I', 'N', 'G', 'O', 'T', '-', 'S', 'T'},
		.version = STATS_VERSION,
		.workers = workers,
		.started_wall_ns = clock_wall_ns(),
	};

	return pwrite(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) ? 0 : -1;
}

int stats_new(uint32_t workers, struct error *err)
{
	int fd;

	BUG_ON(workers == 0 || workers > STATS_WORKERS_MAX);
	fd = memfd_create("ingot-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return error_sys(err, "cannot make the memory of the live figures");
	if (ftruncate(fd, (off_t)stats_size(workers)) == -1 || write_header(fd, workers) == -1 ||
	    fcntl(fd, F_ADD_SEALS, size_seals | F_SEAL_SEAL) == -1) {
		error_sys(err, "cannot prepare the memory of the live figures");
		close(fd);
		return -1;
	}
	return fd;
}

/* Any worker could have scribbled over the header; the sealed size it cannot change. 0: no such size. */
static uint32_t workers_of_size(uint64_t size)
{
	uint64_t fixed = stats_size(0);
	uint64_t workers;

	if (size <= fixed || (size - fixed) % sizeof(struct worker_area) != 0)
		return 0;
	workers = (size - fixed) / sizeof(struct worker_area);
	return workers <= STATS_WORKERS_MAX ? (uint32_t)workers : 0;
}

int stats_map(struct stats_map *map, int fd, enum stats_access access, struct error *err)
{
	int protection = access == STATS_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *base;

	*map = (struct stats_map){0};
	if (fstat(fd, &st) == -1 || seals == -1)
		return error_sys(err, "descriptor %d is not the memory of the live figures", fd);
	if ((seals & size_seals) != size_seals)
		return error_set(err, "the size of the live figures is not sealed");
	map->workers = workers_of_size((uint64_t)st.st_size);
	if (map->workers == 0)
		return error_set(
			err, "the live figures have %lld bytes, which fits no number of workers",
			(long long)st.st_size);
	base = mmap(NULL, (size_t)st.st_size, protection, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return error_sys(err, "cannot map the live figures");
	map->base = base;
	map->size = (size_t)st.st_size;
	return 0;
}

void stats_unmap(struct stats_map *map)
{
	if (map->base != NULL)
		munmap(map->base, map->size);
	*map = (struct stats_map){0};
}

/* Whatever the predecessor wrote: no row is read beyond the last, and nothing gets less than zero. */
static void settle_ledger(const struct stats_map *map, struct worker_area *area)
{
	uint32_t end = area->ledger_end;

	for (uint32_t slot = 0; slot < end && slot < STATS_ENDPOINTS_MAX; slot++) {
		struct ledger_row *row = &area->ledger[slot];

		if (row->in_flight == 0)
			continue;
		in_flight_remove(stats_endpoint(map, slot), row->incarnation, row->in_flight);
		*row = (struct ledger_row){0};
	}
	area->ledger_end = 0;
}

void stats_begin(const struct stats_map *map, struct worker_area *area)
{
	settle_ledger(map, area);
#define COUNTER(name, help)
#define GAUGE(name, help) area->counters.name = 0;
#include "stats/metric.def"
#undef COUNTER
#undef GAUGE
}
