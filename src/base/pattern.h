/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of users: PCRE2, interpreted within limits, so that no pattern and no text can hold a process up
 * (security spec, 6.6). Matching is by bytes, and anywhere in the text.
 */
#pragma once

#include "base/error.h"
#include "base/span.h"

enum { PATTERN_BYTES_MAX = 1024 };

struct pattern;

/* NULL: err says what is wrong, behind the quoted pattern: "is longer than …". */
struct pattern *pattern_new(struct span text, struct error *err);

/* NULL is harmless. */
void pattern_free(struct pattern *pattern);

enum pattern_result {
	PATTERN_ABSENT,
	PATTERN_FOUND,
	PATTERN_GAVE_UP, /* a limit was reached: nobody knows */
};

enum pattern_result pattern_find(const struct pattern *pattern, struct span text);
