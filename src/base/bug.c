/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bug.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void bug_stop(const char *file, int line, const char *condition)
{
	fprintf(stderr, "level=error msg=\"this is a bug in ingot\" at=%s:%d condition=\"%s\"\n",
		file, line, condition);
	abort();
}
