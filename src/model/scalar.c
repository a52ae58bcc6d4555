/* SPDX-License-Identifier: Apache-2.0 */
#include "model/scalar.h"

#include <stddef.h>

enum { DEPTH_MAX = 100, WORDS_MAX = 1024 };

bool scalar_bool(struct span text, bool *value)
{
	static const char *const words[2][6] = {{"0", "f", "F", "FALSE", "false", "False"},
						{"1", "t", "T", "TRUE", "true", "True"}};

	for (int truth = 0; truth < 2; truth++) {
		for (size_t i = 0; i < 6; i++) {
			if (span_equals(text, span_from(words[truth][i]))) {
				*value = truth == 1;
				return true;
			}
		}
	}
	return false;
}

bool scalar_size(struct span text, uint64_t *bytes)
{
	unsigned shift = 0;
	uint64_t number;

	if (text.len > 0) {
		switch (text.ptr[text.len - 1] | 0x20) {
		case 'g':
			shift = 30;
			break;
		case 'm':
			shift = 20;
			break;
		case 'k':
			shift = 10;
			break;
		case 'b':
			break;
		default:
			text.len++; /* no unit to cut off */
			break;
		}
		text.len--;
	}
	if (!span_to_u64(text, &number) || number > UINT64_MAX >> shift)
		return false;
	*bytes = number << shift;
	return true;
}

static uint64_t unit_ms(struct span unit)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {
		{"", 1000},     {"ms", 1},       {"s", 1000},      {"m", 60000},
		{"h", 3600000}, {"d", 86400000}, {"w", 604800000},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (span_equals(unit, span_from(units[i].name)))
			return units[i].ms;
	return 0;
}

/* Cuts one piece off, "30m" of "30m 5s". */
static bool cut_piece(struct span *text, uint64_t *ms)
{
	size_t digits = 0;
	size_t end;
	uint64_t number;
	uint64_t unit;

	while (digits < text->len && text->ptr[digits] >= '0' && text->ptr[digits] <= '9')
		digits++;
	end = digits;
	while (end < text->len && text->ptr[end] >= 'a' && text->ptr[end] <= 'z')
		end++;
	unit = unit_ms(span_make(text->ptr + digits, end - digits));
	if (unit == 0 || !span_to_u64(span_take(*text, digits), &number) || number > UINT32_MAX)
		return false;
	*text = span_trim(span_skip(*text, end));
	*ms = number * unit;
	return true;
}

bool scalar_time_ms(struct span text, uint64_t *milliseconds)
{
	uint64_t sum = 0;
	uint64_t piece;

	do {
		if (!cut_piece(&text, &piece))
			return false;
		sum += piece;
		if (sum > UINT32_MAX)
			return false;
	} while (text.len > 0);
	*milliseconds = sum;
	return true;
}

bool scalar_depth(struct span text, uint32_t *depth)
{
	uint64_t number;

	if (!span_to_u64(text, &number) || number > DEPTH_MAX)
		return false;
	*depth = number == 0 ? 1 : (uint32_t)number;
	return true;
}

bool scalar_is_words(struct span text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789:-_+!@=.";

	if (text.len == 0 || text.len > WORDS_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (memchr(allowed, text.ptr[i], sizeof(allowed) - 1) == NULL)
			return false;
	return true;
}
