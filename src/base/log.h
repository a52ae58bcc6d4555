/* SPDX-License-Identifier: Apache-2.0 */
/* The program's own log: one event, one line on standard error.
 *
 *     time=2026-11-24T06:12:32.123Z level=warn role=run msg="worker ended" worker=0 signal=11
 *
 * The text is fixed and the values are in the fields, so that it can be searched. error: somebody must act.
 * warn: it was survived. info: changed by an operator. debug: why. Parsers, base, http and table do
 * not log. On a terminal the line is shorter and easier on the eye. A line that cannot be written is
 * dropped; logging never blocks for long and never fails.
 */
#pragma once

#include "base/span.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Once at start. role: kept, a literal such as "proxy". */
void log_init(const char *role, enum log_level level);

/* "error", "warn", "info" or "debug"; false leaves *level alone. */
bool log_level_parse(struct span text, enum log_level *level);

/* fields: a format that makes `key=value key="value"` pairs, or "" for none. Values that may hold
 * anything go through log_quote. */
void log_error(const char *text, const char *fields, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *text, const char *fields, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *text, const char *fields, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *text, const char *fields, ...) __attribute__((format(printf, 2, 3)));

/* Escapes quotes, backslashes and control bytes of a value, cut at 400 bytes. Returns one of four
 * static buffers in turn: for use as an argument of one log call. */
const char *log_quote(struct span value);
