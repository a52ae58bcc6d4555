/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static const uint64_t ns_per_s = 1000000000;

static const char *const month_names[12] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

uint64_t clock_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * ns_per_s + (uint64_t)now.tv_nsec;
}

uint64_t clock_wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * ns_per_s + (uint64_t)now.tv_nsec;
}

static struct tm broken_down(uint64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / ns_per_s);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	return tm;
}

size_t clock_rfc3339(char text[static CLOCK_RFC3339_SIZE], uint64_t wall_ns)
{
	struct tm tm = broken_down(wall_ns);

	return (size_t)snprintf(
		text, CLOCK_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		(unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
		(unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		(unsigned)tm.tm_sec % 100, (unsigned)(wall_ns % ns_per_s / 1000000));
}

size_t clock_http_date(char text[static CLOCK_HTTP_SIZE], uint64_t wall_ns)
{
	static const char *const days[7] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	struct tm tm = broken_down(wall_ns);

	return (size_t)snprintf(text, CLOCK_HTTP_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT",
				days[tm.tm_wday], (unsigned)tm.tm_mday % 100,
				month_names[tm.tm_mon], (unsigned)(tm.tm_year + 1900) % 10000,
				(unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
				(unsigned)tm.tm_sec % 100);
}

size_t clock_log_time(char text[static CLOCK_LOG_SIZE], uint64_t wall_ns)
{
	struct tm tm = broken_down(wall_ns);

	return (size_t)snprintf(text, CLOCK_LOG_SIZE, "%02u/%s/%04u:%02u:%02u:%02u +0000",
				(unsigned)tm.tm_mday % 100, month_names[tm.tm_mon],
				(unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
				(unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}
