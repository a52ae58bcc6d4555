/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate that serves where no other does: made by ourselves, trusted by nobody (compat spec, 17.2). Made
 * at the first start and kept in the state directory, so that it is the same after a restart.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

struct fallback {
	struct buf chain; /* DER */
	struct buf key;   /* DER, PKCS #8; wiped */
};

/* state_dir: NULL: it is made anew each time. A file that cannot be read, used or written is logged, and does no more
 * harm. 0, or -1: none can be made. */
int fallback_get(struct fallback *fallback, const char *state_dir, struct error *err);

void fallback_fini(struct fallback *fallback);
