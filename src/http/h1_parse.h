/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 heads: bytes to struct, strictly (RFC 9112; security spec, section 3). One reading or none.
 *
 * A parser takes all bytes of the head received so far and returns done, more or bad. On more it has
 * consumed nothing: the caller appends what comes next and calls again with the same progress. Faults that
 * can be known are told at once, without waiting for the end of the head: a line that is too long, a bare
 * LF, a first byte that begins no request. The cost of many small reads is linear: a line that was
 * looked at is not looked at again.
 */
#pragma once

#include "base/span.h"
#include "http/fault.h"
#include "http/head.h"

enum h1_status { H1_MORE, H1_DONE, H1_BAD };

struct h1_limits {
	uint32_t line_bytes;  /* request line, without its CRLF: beyond it 414 */
	uint32_t field_bytes; /* name, colon, value of one field: beyond it 431 */
	uint32_t
		head_bytes; /* sum over all fields of name + value + 32, and bytes of the head as such */
	uint32_t fields;     /* at most HEAD_REQUEST_FIELDS_MAX or HEAD_RESPONSE_FIELDS_MAX */
	bool underscores;    /* enable-underscores-in-headers: names may hold '_' (H9) */
	bool keep_odd_names; /* ignore-invalid-headers off: other token names pass as well */
};

/* How far the head was read. Zeroed by the caller before the first bytes of each head, and again
 * when the bytes have moved in memory (the head is then read anew). */
struct h1_progress {
	uint32_t line_at;    /* private to h1_parse.c: where the current line begins */
	uint32_t scanned;    /* private: bytes of it known to hold no LF */
	uint32_t weight;     /* private: bytes counted against head_bytes */
	uint8_t phase;       /* private */
	uint8_t empty_lines; /* private: those before the request line */
};

struct h1_result {
	enum h1_status status;
	enum fault fault; /* with H1_BAD */
	size_t consumed;  /* with H1_DONE: bytes of the head, with what precedes it */
};

/* The first line and fields of a request, checked whole: H1–H9, H11–H20, H33, H35, H38–H44, H54 (fields named
 * in Connection are marked dropped), H56–H58. The target's characters (H27, H28) too; its form, path and
 * the grammar of Host are for uri.h. head->headers must be set; the rest is written here. */
struct h1_result h1_parse_request(struct span bytes, const struct h1_limits *limits,
				  struct h1_progress *progress, struct request_head *head);

/* A response to a request with that method: U1–U5, U7, U11. Faults are FAULT_BAD_RESPONSE and
 * FAULT_RESPONSE_HEAD_TOO_LARGE. 1xx heads come out like others; what becomes of them is U6. */
struct h1_result h1_parse_response(struct span bytes, const struct h1_limits *limits,
				   enum method request_method, struct h1_progress *progress,
				   struct response_head *head);
