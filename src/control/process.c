/* SPDX-License-Identifier: Apache-2.0 */
#include "control/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"

enum { PROC_FILE_MAX = 65536 };

/* Fields of /proc/PID/stat, counted from 1 (proc(5)). */
enum { STAT_UTIME = 14, STAT_STIME = 15, STAT_START = 22, STAT_VSIZE = 23, STAT_RSS = 24 };

static bool read_proc(pid_t pid, const char *name, struct buf *text)
{
	struct error err;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	buf_clear(text);
	/* gone, or not ours to ask: both are ordinary */
	return file_read(path, PROC_FILE_MAX, text, &err) == 0;
}

/* Seconds since 1970 at which the kernel's clock of process starts began. */
static double boot_seconds(void)
{
	struct timespec boot;

	if (clock_gettime(CLOCK_BOOTTIME, &boot) == -1)
		return 0;
	return (double)clock_wall_ns() / 1e9 - (double)boot.tv_sec - (double)boot.tv_nsec / 1e9;
}

static void use_stat_field(unsigned field, uint64_t value, struct process_figures *figures)
{
	double ticks = (double)sysconf(_SC_CLK_TCK);

	if (field == STAT_UTIME || field == STAT_STIME)
		figures->cpu_seconds += (double)value / ticks;
	else if (field == STAT_START)
		figures->start_seconds = boot_seconds() + (double)value / ticks;
	else if (field == STAT_VSIZE)
		figures->virtual_bytes = value;
	else if (field == STAT_RSS)
		figures->resident_bytes = value * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The name of the program, field 2, stands in parentheses and may hold anything: fields count from its end. */
static void parse_stat(struct span text, struct process_figures *figures)
{
	const char *name_end = memrchr(text.ptr, ')', text.len);
	struct span rest;
	unsigned field = 3;

	if (name_end == NULL)
		return;
	rest = span_skip(text, (size_t)(name_end - text.ptr) + 2);
	while (rest.len > 0) {
		uint64_t value;

		if (span_to_u64(span_cut(&rest, ' '), &value))
			use_stat_field(field, value, figures);
		field++;
	}
}

/* "Name:   123 kB" lines: the sum of those with one of two names, in the unit that they have. */
static uint64_t sum_lines(struct span text, struct span name, struct span other)
{
	uint64_t sum = 0;

	while (text.len > 0) {
		struct span line = span_cut(&text, '\n');
		struct span key = span_cut(&line, ':');
		struct span number;
		uint64_t value;

		line = span_trim(line);
		number = span_cut(&line, ' ');
		if ((span_equals(key, name) || span_equals(key, other)) &&
		    span_to_u64(number, &value))
			sum += value;
	}
	return sum;
}

/* /proc/PID/statm, which is not kept secret: size, resident, shared, … in pages. */
static uint64_t unshared_bytes(pid_t pid, struct buf *text)
{
	uint64_t resident;
	uint64_t shared;
	struct span rest;

	if (!read_proc(pid, "statm", text))
		return 0;
	rest = buf_span(text);
	(void)span_cut(&rest, ' '); /* the address space */
	if (!span_to_u64(span_cut(&rest, ' '), &resident) ||
	    !span_to_u64(span_cut(&rest, ' '), &shared) || shared > resident)
		return 0;
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void read_private(pid_t pid, struct buf *text, struct process_figures *figures)
{
	if (read_proc(pid, "smaps_rollup", text))
		figures->private_bytes = 1024 * sum_lines(buf_span(text), S("Private_Clean"),
							  S("Private_Dirty"));
	else
		figures->private_bytes = unshared_bytes(pid, text);
}

static void read_descriptors(pid_t pid, struct process_figures *figures)
{
	struct rlimit limit;
	char path[64];
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
	directory = opendir(path);
	if (directory == NULL)
		return;
	figures->has_descriptors = true;
	for (const struct dirent *entry = readdir(directory); entry != NULL;
	     entry = readdir(directory))
		figures->descriptors += entry->d_name[0] != '.';
	closedir(directory);
	/* the descriptor that reads the list is in the list of the process itself */
	if (pid == getpid())
		figures->descriptors--;
	if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		figures->descriptors_max = limit.rlim_cur;
}

bool process_read(pid_t pid, struct process_figures *figures)
{
	struct buf text = {0};
	bool found;

	memset(figures, 0, sizeof(*figures));
	found = read_proc(pid, "stat", &text);
	if (found) {
		parse_stat(buf_span(&text), figures);
		read_private(pid, &text, figures);
		read_proc(pid, "io", &text);
		figures->read_bytes = sum_lines(buf_span(&text), S("read_bytes"), S("read_bytes"));
		figures->written_bytes = sum_lines(buf_span(&text), S("write_bytes"),
						   S("write_bytes"));
		read_descriptors(pid, figures);
	}
	buf_fini(&text);
	return found;
}
