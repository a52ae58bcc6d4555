/* SPDX-License-Identifier: Apache-2.0 */
/* What a Secret with a certificate holds: read, judged, and brought into the form in which workers decode it
 * (compat spec, 17.4; security spec, K3 and K5). What libssl would refuse at its level of security is refused here,
 * where it can be told whose it is. Private to model/.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum key_pair_kind { KEY_PAIR_ECDSA, KEY_PAIR_RSA };

struct key_pair {
	enum key_pair_kind kind;
	struct buf chain;   /* DER, the certificate itself first */
	struct buf key;     /* DER, PKCS #8; wiped */
	struct buf names;   /* those that it is good for, in lower case, each with a line end */
	int64_t not_before; /* seconds since 1970 */
	int64_t not_after;
};

void key_pair_fini(struct key_pair *pair);

/* From PEM. 0, or -1 with a reason that names the key of the Secret and shows no byte of it; then *pair is empty. */
int key_pair_read(struct key_pair *pair, struct span chain_pem, struct span key_pem,
		  struct error *err);

/* Whether the certificate is good for that host ("*.shop.example" for a wildcard), lower case. */
bool key_pair_covers(struct span names, struct span host);
