/* SPDX-License-Identifier: Apache-2.0 */
/* Two clocks: the monotonic one for every deadline and duration, and the wall clock for what people
 * read. A jump of the wall clock has no effect on any timer (security spec, R17).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds since some point in the past (CLOCK_MONOTONIC). */
uint64_t clock_monotonic_ns(void);

/* Nanoseconds since 1970 (CLOCK_REALTIME). */
uint64_t clock_wall_ns(void);

enum { CLOCK_RFC3339_SIZE = 32, CLOCK_HTTP_SIZE = 32, CLOCK_LOG_SIZE = 32 };

/* "2026-11-24T06:12:32.123Z"; returns the length. */
size_t clock_rfc3339(char text[static CLOCK_RFC3339_SIZE], uint64_t wall_ns);

/* "Tue, 24 Nov 2026 06:12:32 GMT" (RFC 9110, 5.6.7); returns the length. */
size_t clock_http_date(char text[static CLOCK_HTTP_SIZE], uint64_t wall_ns);

/* "24/Nov/2026:06:12:32 +0000", as access logs have it; returns the length. */
size_t clock_log_time(char text[static CLOCK_LOG_SIZE], uint64_t wall_ns);
