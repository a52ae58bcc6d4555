/* SPDX-License-Identifier: Apache-2.0 */
#include "http/fault.h"

#include <assert.h>
#include <stddef.h>

#include "base/bug.h"

enum { WORD_SIZE = 32 };

/* The log word is the name in lower case, made by the compiler: one byte each, NUL behind it. */
/* clang-format off */
#define AT(s, i)     ((i) < sizeof(s) ? (s)[(i) < sizeof(s) ? (i) : 0] : '\0')
#define IS_UPPER(c)  ((c) >= 'A' && (c) <= 'Z')
#define LOWER(s, i)  (char)(IS_UPPER(AT(s, i)) ? AT(s, i) | 0x20 : AT(s, i))
#define LOWER_8(s, i)                                                                              \
	LOWER(s, i), LOWER(s, i + 1), LOWER(s, i + 2), LOWER(s, i + 3), LOWER(s, i + 4),           \
	LOWER(s, i + 5), LOWER(s, i + 6), LOWER(s, i + 7)

static const char words[FAULT_COUNT][WORD_SIZE] = {
#define FAULT(name, side, retry, status, h2_error, text)                                           \
	{LOWER_8(#name, 0), LOWER_8(#name, 8), LOWER_8(#name, 16), LOWER_8(#name, 24)},
#include "http/fault.def"
#undef FAULT
};
/* clang-format on */

#define FAULT(name, side, retry, status, h2_error, text) \
	static_assert(sizeof(#name) <= WORD_SIZE, "a fault's name is longer than its word");
#include "http/fault.def"
#undef FAULT

static const struct fault_facts facts[FAULT_COUNT] = {
#define FAULT(name, side, retry, status, h2_error, text) \
	{words[FAULT_##name], text, status, FAULT_SIDE_##side, FAULT_RETRY_##retry, H2_##h2_error},
#include "http/fault.def"
#undef FAULT
};

const struct fault_facts *fault_facts(enum fault fault)
{
	BUG_ON((unsigned)fault >= FAULT_COUNT);
	return &facts[fault];
}
