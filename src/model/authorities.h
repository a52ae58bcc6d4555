/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of authorities that a Secret holds, and what they have revoked: read, and brought into the form in which
 * workers decode them (compat spec, 17.4). Private to model/.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

struct authorities {
	struct buf certificates; /* DER, one behind the other */
	struct buf revoked;      /* DER, likewise; may be empty */
};

void authorities_fini(struct authorities *authorities);

/* From PEM. revoked: ptr NULL: there is none. 0, or -1 with a reason that names the key of the Secret; then
 * *authorities is empty. */
int authorities_read(struct authorities *authorities, struct span certificates, struct span revoked,
		     struct error *err);
