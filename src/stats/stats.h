/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of the live figures: made by run, mapped by every worker and by control. Layout: layout.h. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "stats/layout.h"

enum stats_access {
	STATS_READ,  /* control: whatever it says is an untrusted number */
	STATS_WRITE, /* a worker */
};

struct stats_map {
	uint8_t *base;    /* NULL: not mapped */
	size_t size;      /* bytes */
	uint32_t workers; /* how many areas there are */
};

/* A memfd for that many workers (1 … STATS_WORKERS_MAX), all zero but for the header; its size is sealed, so that
 * nobody who maps it can be made to fault by another. Close-on-exec; the caller closes it. -1 on error. */
int stats_new(uint32_t workers, struct error *err);

/* Maps it; fd is borrowed. Refuses a descriptor whose size is not sealed or not one that stats_new makes. 0 or -1. */
int stats_map(struct stats_map *map, int fd, enum stats_access access, struct error *err);

void stats_unmap(struct stats_map *map);

/* A worker that begins takes over the counters of its predecessor, which grow on; its gauges are zeroed here,
 * since what they counted died with it, and its attempts are taken off the endpoints' in_flight. */
void stats_begin(const struct stats_map *map, struct worker_area *area);

/* The area of a worker; an index too high gives the last one. */
static inline struct worker_area *stats_worker(const struct stats_map *map, uint32_t index)
{
	uint32_t last = map->workers - 1;
	size_t at = STATS_HEADER_SIZE + sizeof(struct endpoint_load) * (size_t)STATS_ENDPOINTS_MAX;

	at += sizeof(struct worker_area) * (index < last ? index : last);
	return (struct worker_area *)(void *)(map->base + at);
}

/* The load of an endpoint; a slot too high gives the last one. */
static inline struct endpoint_load *stats_endpoint(const struct stats_map *map, uint32_t slot)
{
	uint32_t last = STATS_ENDPOINTS_MAX - 1;
	size_t at = STATS_HEADER_SIZE + sizeof(struct endpoint_load) * (slot < last ? slot : last);

	return (struct endpoint_load *)(void *)(map->base + at);
}
