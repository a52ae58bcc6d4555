/* SPDX-License-Identifier: Apache-2.0 */
/* What one field may say, whatever the protocol that brought it: the checks that HTTP/1.1 and HTTP/2
 * share, so that a head of either is as sound as one of the other.
 */
#pragma once

#include "base/span.h"
#include "http/fault.h"
#include "http/header.h"

enum { FIELD_OVERHEAD_BYTES = 32 }; /* counted for each field (security spec, 3.7) */

struct field_names {
	bool underscores; /* enable-underscores-in-headers: names may hold '_' (H9) */
	bool keep_odd;    /* ignore-invalid-headers off: other token names pass as well */
	bool is_response;
};

/* H9, for a name that is a token and holds other characters than letters, digits and '-': marks the
 * header as dropped, or says FAULT_BAD_FIELD for the lookalike of a field that we obey. */
enum fault field_judge_odd_name(struct field_names rules, struct header *header);

/* A Content-Length, H40 to H42. False: it is none, or beyond 2^63-1. */
bool field_length_parse(struct span value, uint64_t *length);

/* Whether each field with that id has this value, in any case. */
bool field_each_says(const struct header *headers, uint32_t count, enum header_id id,
		     struct span value);

/* H48, U13: whether a trailer of that name may go on. */
bool field_may_trail(enum header_id id);
