/* SPDX-License-Identifier: Apache-2.0 */
#include "control/health.h"

#include <inttypes.h>

static const uint64_t ns_per_ms = 1000000;

static bool has_table(const struct health *health)
{
	return publisher_table(health->publisher, TABLE_ROUTES) != NULL &&
	       publisher_table(health->publisher, TABLE_ENDPOINTS) != NULL;
}

static uint32_t count_running(const struct health *health)
{
	uint32_t running = 0;

	for (uint32_t i = 0; i < publisher_worker_count(health->publisher); i++)
		running += publisher_worker(health->publisher, i)->connected;
	return running;
}

static bool obeys(const struct peer_state *worker, enum table_kind kind, uint64_t now_ns)
{
	uint64_t asked_ns = worker->asked_ns[kind];

	return worker->in_effect[kind] != 0 &&
	       (asked_ns == 0 || now_ns - asked_ns < HEALTH_LAG_MS * ns_per_ms);
}

/* All that there is: certificates are not there before objects were listed. */
static bool serves(const struct health *health, const struct peer_state *worker, uint64_t now_ns)
{
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		if (publisher_generation(health->publisher, kind) != 0 &&
		    !obeys(worker, kind, now_ns))
			return false;
	return worker->connected;
}

static uint32_t count_serving(const struct health *health, uint64_t now_ns)
{
	uint32_t serving = 0;

	for (uint32_t i = 0; i < publisher_worker_count(health->publisher); i++)
		serving += serves(health, publisher_worker(health->publisher, i), now_ns);
	return serving;
}

bool health_is_healthy(const struct health *health)
{
	return !health->stopping && has_table(health) && count_running(health) > 0;
}

bool health_is_alive(const struct health *health)
{
	return count_running(health) > 0;
}

bool health_is_ready(const struct health *health, uint64_t now_ns)
{
	return !health->stopping && has_table(health) &&
	       count_serving(health, now_ns) == publisher_worker_count(health->publisher);
}

static void add_part(struct buf *out, bool well, const char *part)
{
	buf_printf(out, "[%c] %s: ", well ? '+' : '-', part);
}

static void add_table(const struct health *health, struct buf *out)
{
	const struct publisher *publisher = health->publisher;

	add_part(out, has_table(health), "table");
	if (!has_table(health))
		buf_add(out, S("none was complete yet\n"));
	else
		buf_printf(out,
			   "routes generation %" PRIu64 ", endpoints generation %" PRIu64 "%s\n",
			   publisher_generation(publisher, TABLE_ROUTES),
			   publisher_generation(publisher, TABLE_ENDPOINTS),
			   health->listed ? "" : ", as stored; objects are not listed yet");
}

static void add_workers(const struct health *health, uint64_t now_ns, struct buf *out)
{
	uint32_t count = publisher_worker_count(health->publisher);
	uint32_t running = count_running(health);
	uint32_t serving = count_serving(health, now_ns);

	add_part(out, running == count, "workers");
	buf_printf(out, "%" PRIu32 " of %" PRIu32 " run\n", running, count);
	add_part(out, serving == count, "serving");
	buf_printf(out, "%" PRIu32 " of %" PRIu32 " serve the whole table\n", serving, count);
}

void health_write_parts(const struct health *health, uint64_t now_ns, struct buf *out)
{
	add_table(health, out);
	add_workers(health, now_ns, out);
	add_part(out, !health->stopping, "running");
	buf_add(out, health->stopping ? S("stopping\n") : S("not stopping\n"));
}
