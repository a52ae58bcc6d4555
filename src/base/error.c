/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return -1;
}

int error_sys(struct error *err, const char *format, ...)
{
	int number = errno;
	const char *name = strerrorname_np(number);
	va_list args;
	size_t used;

	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s (%s)", strerror(number),
		 name == NULL ? "?" : name);
	errno = number;
	return -1;
}

int error_prefix(struct error *err, const char *format, ...)
{
	struct error inner = *err;
	va_list args;
	size_t used;

	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, "%.*s",
		 (int)(sizeof(err->text) - used - 1), inner.text);
	return -1;
}
