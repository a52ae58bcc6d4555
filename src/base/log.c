/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

static struct {
	const char *role;
	enum log_level level;
	bool terminal;
} settings = {.role = "ingot", .level = LOG_LEVEL_INFO};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_init(const char *role, enum log_level level)
{
	settings.role = role;
	settings.level = level;
	settings.terminal = isatty(STDERR_FILENO) == 1;
}

bool log_level_parse(struct span text, enum log_level *level)
{
	for (unsigned i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (span_equals(text, span_from(level_names[i]))) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

__attribute__((format(printf, 3, 0))) static void write_line(enum log_level level, const char *text,
							     const char *fields, va_list args)
{
	char line[2048];
	char when[CLOCK_RFC3339_SIZE];
	size_t room = sizeof(line) - 1;
	size_t used;
	int n;

	clock_rfc3339(when, clock_wall_ns());
	if (settings.terminal)
		n = snprintf(line, room, "%.8s %-5s %-7s %s", when + 11, level_names[level],
			     settings.role, text);
	else
		n = snprintf(line, room, "time=%s level=%s role=%s msg=\"%s\"", when,
			     level_names[level], settings.role, text);
	used = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
	if (fields[0] != '\0' && used + 1 < room) {
		line[used++] = ' ';
		n = vsnprintf(line + used, room - used, fields, args);
		used += n < 0 ? 0 : (size_t)n < room - used ? (size_t)n : room - used - 1;
	}
	line[used++] = '\n';
	/* a log line that cannot be written has nowhere to be reported */
	if (write(STDERR_FILENO, line, used) == -1)
		return;
}

#define LOG_FUNCTION(name, constant)                         \
	void name(const char *text, const char *fields, ...) \
	{                                                    \
		va_list args;                                \
                                                             \
		if (settings.level < (constant))             \
			return;                              \
		va_start(args, fields);                      \
		write_line(constant, text, fields, args);    \
		va_end(args);                                \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

const char *log_quote(struct span value)
{
	static char texts[4][512];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	size_t used = 0;

	for (size_t i = 0; i < value.len && i < 400; i++) {
		unsigned char c = (unsigned char)value.ptr[i];

		if (used > sizeof(texts[0]) - 8)
			break;
		if (c == '"' || c == '\\')
			text[used++] = '\\';
		if (c < 0x20 || c == 0x7f)
			used += (size_t)snprintf(text + used, 5, "\\x%02x", c);
		else
			text[used++] = (char)c;
	}
	text[used] = '\0';
	return text;
}
