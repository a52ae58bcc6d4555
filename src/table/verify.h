/* SPDX-License-Identifier: Apache-2.0 */
/* What every kind of segment must fulfil, before a field of its own is looked at. For routes_verify.c and
 * endpoints_verify.c alone. Nothing here trusts a byte of the segment.
 */
#pragma once

#include "base/error.h"
#include "table/format.h"

/* Magic, version, size, checksum, sections, and that every table_span lies in the text. After it, each
 * element of each section may be read. 0, or -1 with the reason. */
int verify_segment(struct span segment, enum table_kind kind, struct error *err);

/* Whether all bytes are zero. */
bool verify_is_zero(const void *bytes, size_t size);
