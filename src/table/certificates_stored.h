/* SPDX-License-Identifier: Apache-2.0 */
/* What of the `certificates` table may be kept beyond the life of the processes. Keys of session tickets may not, in no
 * form: who found one later could read what was recorded before (security spec, T5).
 */
#pragma once

#include "base/buf.h"
#include "table/shards.h"

/* Appends what is in effect as one bundle, as shards_write does, without the keys of tickets. *out is to be wiped. */
void certificates_stored_write(const struct shards *certificates, struct buf *out);
