/* SPDX-License-Identifier: Apache-2.0 */
/* What every program of the benchmarks needs of a program: to end with a reason, to read numbers, and
 * to open many descriptors. They are tools: what goes wrong ends them.
 */
#pragma once

#include <stdint.h>

/* Says on standard error why, and exits with 1. */
_Noreturn void program_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, followed by what errno says. */
_Noreturn void program_fail_sys(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An argument that is a number in this range; anything else ends the program. */
uint64_t program_number(const char *text, uint64_t low, uint64_t high);

/* The same with a fraction, from 0 on. */
double program_decimal(const char *text);

/* As many descriptors as may be had; fewer than needed end the program. */
void program_need_descriptors(uint64_t needed);
