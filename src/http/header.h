/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields: their ids, and what a name is. Fields are known by id on the hot path, not compared. */
#pragma once

#include <stdint.h>

#include "base/span.h"

enum header_id {
	HEADER_OTHER, /* a legal name that is not in header.def */
#define HEADER(id, name, request, response) HEADER_##id,
#include "http/header.def"
#undef HEADER
	HEADER_COUNT
};

enum header_way {
	HEADER_WAY_PASS,
	HEADER_WAY_HOP,
	HEADER_WAY_FRAMING,
	HEADER_WAY_OURS,
	HEADER_WAY_DROP,
};

/* One field line as received; name and value are borrowed from the bytes that were parsed. */
struct header {
	struct span name;
	struct span value; /* without white space at its ends; may be empty */
	uint16_t id;       /* enum header_id */
	bool dropped;      /* not to be forwarded: named in Connection, or a name that H9 drops */
};

/* The id of a name in any case; HEADER_OTHER where it is none of ours. */
enum header_id header_find(struct span name);

/* The name as Ingot sends it; id is not HEADER_OTHER. */
struct span header_name(enum header_id id);

enum header_way header_request_way(enum header_id id);
enum header_way header_response_way(enum header_id id);
