/* SPDX-License-Identifier: Apache-2.0 */
/* Is it well? The pages of probes (user-experience spec, 7; compat spec, 27).
 *
 *   /healthz  200 while workers run and a complete table was loaded, else 500
 *   /livez    200 while one worker runs, else 500
 *   /readyz   200 while every worker serves the whole table, else 503
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "control/publish.h"

/* A worker that has not answered a new table after that long does not serve the whole table. Before, it is on the way;
 * a table that a worker refused makes nobody unready, for the old one serves on. */
enum { HEALTH_LAG_MS = 1000 };

/* What the pages look at; all is borrowed. */
struct health {
	const struct publisher *publisher;
	bool stopping; /* since the first MESSAGE_STOP */
	bool listed; /* the source delivered a complete list; else the table is from the state directory */
};

bool health_is_healthy(const struct health *health);
bool health_is_alive(const struct health *health);

/* now_ns: monotonic. */
bool health_is_ready(const struct health *health, uint64_t now_ns);

/* One line per part: "[+] table: generation 7" or "[-] workers: 1 of 2 run". */
void health_write_parts(const struct health *health, uint64_t now_ns, struct buf *out);
