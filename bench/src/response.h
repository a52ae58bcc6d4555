/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a benchmark expects as an answer, piece by piece: status 200 and a Content-Length. The load generator must
 * cost less than what it measures, so everything else is none of its business.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

enum { RESPONSE_HEAD_MAX = 4096 };

enum response_progress { RESPONSE_MORE, RESPONSE_DONE, RESPONSE_BAD };

struct response {
	uint64_t body_left;   /* once the head is there */
	uint32_t head_length; /* of a head in pieces, gathered so far */
	bool has_head;
	bool ends_connection; /* "Connection: close" */
	char head[RESPONSE_HEAD_MAX];
};

void response_init(struct response *response);

/* More bytes, all of which belong to this answer: a client that does not pipeline. */
enum response_progress response_take(struct response *response, struct span bytes);
