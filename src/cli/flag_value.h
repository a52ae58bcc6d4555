/* SPDX-License-Identifier: Apache-2.0 */
/* The value of one flag: text to what it means, by type. */
#pragma once

#include "cli/flag.h"

/* Writes what text means into value (text must live as long as value). False: not a value of that type. */
bool flag_value_set(const struct flag *flag, const char *text, struct flag_value *value);

/* What such a value looks like, for a message: `is not a port; write a number from 1 to 65535`. */
const char *flag_value_wanted(enum flag_type type);
