/* SPDX-License-Identifier: Apache-2.0 */
/* What each of our processes uses: the parent, control, every worker. */
#include "control/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "control/process.h"
#include "observe/exposition.h"

enum { WORKER_TEXT_SIZE = 12 };

struct role {
	struct span name;
	char worker[WORKER_TEXT_SIZE]; /* its number, or empty */
	struct process_figures figures;
};

static bool read_role(struct role *role, const char *name, pid_t pid)
{
	*role = (struct role){.name = span_from(name)};
	return pid > 0 && process_read(pid, &role->figures);
}

static uint32_t read_roles(const struct metrics *metrics, struct role *roles)
{
	uint32_t count = 0;

	count += read_role(&roles[count], "run", metrics->run_pid);
	count += read_role(&roles[count], "control", getpid());
	for (uint32_t i = 0; i < publisher_worker_count(metrics->publisher); i++) {
		if (!read_role(&roles[count], "proxy",
			       publisher_worker(metrics->publisher, i)->pid))
			continue;
		snprintf(roles[count].worker, sizeof(roles[count].worker), "%u", i);
		count++;
	}
	return count;
}

static double cpu_seconds(const struct process_figures *figures)
{
	return figures->cpu_seconds;
}

static double start_seconds(const struct process_figures *figures)
{
	return figures->start_seconds;
}

static double virtual_bytes(const struct process_figures *figures)
{
	return (double)figures->virtual_bytes;
}

static double resident_bytes(const struct process_figures *figures)
{
	return (double)figures->resident_bytes;
}

static double private_bytes(const struct process_figures *figures)
{
	return (double)figures->private_bytes;
}

/* Less than 0: not to be had. */
static double descriptors(const struct process_figures *figures)
{
	return figures->has_descriptors ? (double)figures->descriptors : -1;
}

static double descriptors_max(const struct process_figures *figures)
{
	return figures->descriptors_max != 0 ? (double)figures->descriptors_max : -1;
}

static const struct {
	const char *name;
	enum exposition_type type;
	const char *help;
	double (*value)(const struct process_figures *figures);
} families[] = {
	{"process_cpu_seconds_total", EXPOSITION_COUNTER, "User and system time used", cpu_seconds},
	{"process_start_time_seconds", EXPOSITION_GAUGE, "When the process started, since 1970",
	 start_seconds},
	{"process_virtual_memory_bytes", EXPOSITION_GAUGE, "Size of the address space",
	 virtual_bytes},
	{"process_resident_memory_bytes", EXPOSITION_GAUGE, "Memory in use, shared included",
	 resident_bytes},
	{"process_private_memory_bytes", EXPOSITION_GAUGE, "Memory in use that nobody shares",
	 private_bytes},
	{"process_open_fds", EXPOSITION_GAUGE, "Open descriptors", descriptors},
	{"process_max_fds", EXPOSITION_GAUGE, "Descriptors that may be open", descriptors_max},
};

static void write_family(unsigned family, const struct role *roles, uint32_t count, struct buf *out)
{
	exposition_family(out, families[family].name, families[family].type, families[family].help);
	for (uint32_t i = 0; i < count; i++) {
		double value = families[family].value(&roles[i].figures);

		if (value >= 0)
			exposition_number(out, families[family].name,
					  LABELS({"role", roles[i].name},
						 {"worker", span_from(roles[i].worker)}),
					  value);
	}
}

static void write_workers(const struct metrics *metrics, struct buf *out)
{
	static const char restarts[] = "ingot_worker_restarts_total";
	static const char connected[] = "ingot_workers";
	uint64_t deaths = 0;
	uint64_t running = 0;

	for (uint32_t i = 0; i < publisher_worker_count(metrics->publisher); i++) {
		deaths += publisher_worker(metrics->publisher, i)->deaths;
		running += publisher_worker(metrics->publisher, i)->connected;
	}
	exposition_family(out, connected, EXPOSITION_GAUGE, "Workers that are there");
	exposition_count(out, connected, LABELS({"role", S("proxy")}), running);
	exposition_family(out, restarts, EXPOSITION_COUNTER,
			  "Workers that ended and were replaced, since control started");
	exposition_count(out, restarts, LABELS({"role", S("proxy")}), deaths);
}

void metrics_write_processes(const struct metrics *metrics, struct buf *out)
{
	struct role *roles = memory_new_array(
		(size_t)publisher_worker_count(metrics->publisher) + 2, sizeof(roles[0]));
	uint32_t count = read_roles(metrics, roles);

	write_workers(metrics, out);
	for (unsigned i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		write_family(i, roles, count, out);
	free(roles);
}
