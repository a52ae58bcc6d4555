/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of `ingot run`, read by the parent and, from the same words, by the control role. */
#pragma once

#include "base/log.h"
#include "cli/flag.h"

enum run_flag {
#define FLAG(id, name, letter, type, fallback, argument, group, help) RUN_##id,
#define LATER(id, name, type)                                         RUN_##id,
#include "cli/run_flag.def"
#undef FLAG
#undef LATER
	RUN_FLAG_COUNT
};

struct run_flags {
	struct flag_value values[RUN_FLAG_COUNT]; /* by enum run_flag */
};

/* FLAGS_BAD too where flags contradict each other or a needed one is missing. command: for messages. With --version
 * nothing else is looked at. */
enum flags_result run_flags_parse(const char *command, int argc, char **argv,
				  struct run_flags *flags, struct error *err);

bool run_flags_has(const struct run_flags *flags, enum run_flag flag);
uint64_t run_flags_number(const struct run_flags *flags, enum run_flag flag);
const char *run_flags_text(const struct run_flags *flags, enum run_flag flag);

/* --log-level, or what -v means. */
enum log_level run_flags_log_level(const struct run_flags *flags);

/* Where the admin endpoint is to be; address ::: all addresses of both families; port 0: nowhere. */
struct ip_port run_flags_admin_address(const struct run_flags *flags);

/* Says once which of the flags that were given have no effect yet. */
void run_flags_log_later(const struct run_flags *flags);

/* The flags in groups, as `ingot run --help` shows them. */
void run_flags_print(FILE *to);
