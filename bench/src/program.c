/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/span.h"

void program_fail(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void program_fail_sys(const char *format, ...)
{
	int saved = errno;
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(saved));
	exit(1);
}

uint64_t program_number(const char *text, uint64_t low, uint64_t high)
{
	uint64_t value;

	if (span_to_u64(span_from(text), &value) && value >= low && value <= high)
		return value;
	program_fail("%s is no number from %llu to %llu", text, (unsigned long long)low,
		     (unsigned long long)high);
}

double program_decimal(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end != text && *end == '\0' && value >= 0 && value < 1e9)
		return value;
	program_fail("%s is no number from 0 on", text);
}

void program_need_descriptors(uint64_t needed)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		program_fail_sys("cannot read the limit of descriptors");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
		program_fail_sys("cannot raise the limit of descriptors");
	if (limit.rlim_cur < needed)
		program_fail("needs %llu descriptors, %llu are allowed", (unsigned long long)needed,
			     (unsigned long long)limit.rlim_cur);
}
