/* SPDX-License-Identifier: Apache-2.0 */
/* The trailer of a chunked body as a list of fields (RFC 9112, 7.1.2; security spec, H48 and U13). */
#pragma once

#include "base/span.h"
#include "http/header.h"

enum { TRAILER_BYTES_MAX = 8 * 1024, TRAILER_FIELDS_MAX = 32 };

/* section: all lines with their ends, the empty one too, that chunked_decode took as sound. Fills at most
 * TRAILER_FIELDS_MAX headers whose texts lie in the section; those that may not go on are marked dropped. Returns
 * how many there are. */
uint32_t trailer_parse(struct span section, struct header headers[static TRAILER_FIELDS_MAX]);
