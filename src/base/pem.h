/* SPDX-License-Identifier: Apache-2.0 */
/* What libcrypto's readers of PEM text need, whoever calls them: PEM_read_bio_…(pem_open(text), NULL,
 * pem_no_passphrase, NULL).
 */
#pragma once

#include <openssl/bio.h>
#include <stdbool.h>

#include "base/span.h"

/* To read from, PEM or not; for BIO_free. The bytes are kept until then. NULL: no memory, or more bytes than an int
 * counts. */
BIO *pem_open(struct span bytes);

/* Nobody can type a passphrase: what needs one cannot be read. Without it libcrypto would ask the terminal. */
int pem_no_passphrase(char *into, int size, int is_writing, void *owner);

/* A reader found no further block. Whether the text ended where the last one did, and not with one that cannot be
 * read. libcrypto's queue of reasons was empty before, and is left as it is. */
bool pem_is_at_end(void);
