/* SPDX-License-Identifier: Apache-2.0 */
/* What only a mistake of ours can make true. It ends the process in every build; the parent starts
 * it anew. Never for input: that is a diagnostic or a returned error (see style: whose fault is it?).
 */
#pragma once

/* Prints where and what to standard error and aborts. */
_Noreturn void bug_stop(const char *file, int line, const char *condition);

#define BUG_ON(condition)                                         \
	do {                                                      \
		if (__builtin_expect(!!(condition), 0))           \
			bug_stop(__FILE__, __LINE__, #condition); \
	} while (0)

/* A set of enum constants in one word. */
#define BIT(n) (1U << (unsigned)(n))
