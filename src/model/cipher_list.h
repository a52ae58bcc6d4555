/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of ciphers and curves that users write: judged by the library that will obey them, for one that no worker can
 * use would close a host, or all of them. Private to model/.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

struct cipher_judge;

struct cipher_judge *cipher_judge_new(void);

/* NULL is harmless. */
void cipher_judge_free(struct cipher_judge *judge);

/* NULL: the list can be used for TLS 1.2; else what is wrong with it, a literal: it names nothing that exists, or
 * something that does not encrypt or does not say who the server is. */
const char *cipher_judge_ciphers(struct cipher_judge *judge, struct span list);

/* The same for curves ("X25519:P-256"). */
const char *cipher_judge_curves(struct cipher_judge *judge, struct span list);
