/* SPDX-License-Identifier: Apache-2.0 */
/* The two executables of an installation, found from the one that runs. */
#pragma once

#include "base/error.h"

/* The file of this process itself; close-on-exec, the caller closes it. -1 on error. */
int program_open_self(struct error *err);

/* `ingot-control`: beside this one, else where the build installed it. Likewise. */
int program_open_control(struct error *err);
