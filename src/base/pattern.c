/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "base/memory.h"

enum { MATCH_LIMIT = 100000, DEPTH_LIMIT = 1000, HEAP_KIB = 256, LOOK_BEHIND_MAX = 255 };

struct pattern {
	pcre2_code *code;
	pcre2_match_context *limits;
	pcre2_match_data *found; /* used anew by each call */
};

void pattern_free(struct pattern *pattern)
{
	if (pattern == NULL)
		return;
	pcre2_match_data_free(pattern->found);
	pcre2_match_context_free(pattern->limits);
	pcre2_code_free(pattern->code);
	free(pattern);
}

/* Verbs steer the search itself, and callouts lead out of it. */
static bool has_verb(struct span text)
{
	for (size_t i = 0; i + 1 < text.len; i++) {
		struct span rest = span_skip(text, i);

		if (text.ptr[i] == '\\')
			i++;
		else if (span_starts_with(rest, S("(*")) || span_starts_with(rest, S("(?C")))
			return true;
	}
	return false;
}

static int compile(struct pattern *pattern, struct span text, struct error *err)
{
	static const uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
	unsigned char reason[120];
	size_t at;
	int number;

	pattern->code = pcre2_compile((const unsigned char *)text.ptr, text.len, options, &number,
				      &at, NULL);
	if (pattern->code != NULL)
		return 0;
	pcre2_get_error_message(number, reason, sizeof(reason));
	return error_set(err, "is no regular expression: %s (behind byte %zu)", reason, at);
}

static int check(const struct pattern *pattern, struct error *err)
{
	uint32_t look_behind = 0;

	pcre2_pattern_info(pattern->code, PCRE2_INFO_MAXLOOKBEHIND, &look_behind);
	if (look_behind > LOOK_BEHIND_MAX)
		return error_set(err, "looks back over more than %d bytes", LOOK_BEHIND_MAX);
	return 0;
}

static int set_limits(struct pattern *pattern, struct error *err)
{
	pattern->limits = pcre2_match_context_create(NULL);
	pattern->found = pcre2_match_data_create(1, NULL);
	if (pattern->limits == NULL || pattern->found == NULL)
		return error_set(err, "cannot be used: out of memory");
	pcre2_set_match_limit(pattern->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(pattern->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(pattern->limits, HEAP_KIB);
	return 0;
}

struct pattern *pattern_new(struct span text, struct error *err)
{
	struct pattern *pattern;

	if (text.len > PATTERN_BYTES_MAX) {
		error_set(err, "is longer than %d bytes", PATTERN_BYTES_MAX);
		return NULL;
	}
	if (has_verb(text)) {
		error_set(err, "has a verb, \"(*\", or a callout, \"(?C\", which are not allowed");
		return NULL;
	}
	pattern = memory_new(sizeof(*pattern));
	if (compile(pattern, text, err) == 0 && check(pattern, err) == 0 &&
	    set_limits(pattern, err) == 0)
		return pattern;
	pattern_free(pattern);
	return NULL;
}

enum pattern_result pattern_find(const struct pattern *pattern, struct span text)
{
	const char *bytes = text.len == 0 ? "" : text.ptr;
	int result = pcre2_match(pattern->code, (const unsigned char *)bytes, text.len, 0, 0,
				 pattern->found, pattern->limits);

	/* 0: found, and more groups than there is room for */
	if (result >= 0)
		return PATTERN_FOUND;
	return result == PCRE2_ERROR_NOMATCH ? PATTERN_ABSENT : PATTERN_GAVE_UP;
}
