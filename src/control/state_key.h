/* SPDX-License-Identifier: Apache-2.0 */
/* The key under which tables with private keys are stored (security spec, K1): 32 bytes of a file that control alone
 * reads, for AES-256-GCM.
 *
 *     OFFSET  SIZE  FIELD
 *          0     8  magic "INGOT-EN"
 *          8     4  version of this form, 1
 *         12     4  kind of table (enum table_kind)
 *         16    16  id of the key: whether it is ours is known before anything is opened
 *         32    12  nonce, by chance and of this file alone
 *         44     …  the table, encrypted
 *        end    16  tag, over all that stands before it
 *
 * Numbers are little-endian. Who may write to the directory can put an older file back, and nothing else.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "table/format.h"

enum {
	STATE_KEY_SIZE = 32,
	STATE_KEY_ID_SIZE = 16,
	STATE_KEY_OVERHEAD = 44 + 16, /* bytes that a sealed table is longer */
};

/* Not to be printed; state_key_wipe at the end. */
struct state_key {
	uint8_t bytes[STATE_KEY_SIZE];
	uint8_t id[STATE_KEY_ID_SIZE];
};

/* Reads a file of 32 bytes, or of the same in base64. Refuses one that is ours and that others may use. 0, or -1 with
 * the reason, and *key is zero. */
int state_key_read(const char *path, struct state_key *key, struct error *err);

void state_key_wipe(struct state_key *key);

/* Appends the sealed form of the table to *out. 0, or -1: libcrypto fails. May be called in a process that was forked:
 * no two of them use a nonce twice. */
int state_key_seal(const struct state_key *key, enum table_kind kind, struct span table,
		   struct buf *out, struct error *err);

enum state_key_result {
	STATE_KEY_OPENED,
	STATE_KEY_OTHER, /* it was sealed with another key */
	STATE_KEY_BAD,   /* it is damaged, of another kind, or of a form that we do not know */
};

/* Appends the table to *out, which is to be wiped. Otherwise *err says why and nothing is appended. */
enum state_key_result state_key_unseal(const struct state_key *key, enum table_kind kind,
				       struct span sealed, struct buf *out, struct error *err);
