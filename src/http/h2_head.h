/* SPDX-License-Identifier: Apache-2.0 */
/* Field sections of HTTP/2: decoded fields to the message form, checked whole (RFC 9113, 8; security
 * spec, section 4, D1 to D10). Private to the codec h2.h.
 *
 * Two ways to be wrong. A *malformed* section says nothing that may be obeyed, and its stream is reset.
 * Any other fault is one that HTTP/1.1 answers too, and the owner answers it with the status of the
 * fault. Whatever is wrong, decoding goes on, because HPACK has a state; storing does not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "http/head.h"

struct h2_head_limits {
	uint32_t path_bytes;  /* beyond it 414 */
	uint32_t field_bytes; /* name and value of one field: beyond it 431 */
	uint32_t head_bytes;  /* sum over all fields of name + value + 32 */
	uint32_t fields;      /* cookie crumbs one by one; at most HEAD_REQUEST_FIELDS_MAX */
	bool underscores;     /* as in struct h1_limits */
	bool keep_odd_names;
};

enum { H2_TRAILER_FIELDS_MAX = 32, H2_TRAILER_BYTES_MAX = 8192 };

enum h2_section { H2_SECTION_REQUEST, H2_SECTION_RESPONSE, H2_SECTION_TRAILERS };

enum h2_pseudo {
	H2_PSEUDO_METHOD,
	H2_PSEUDO_SCHEME,
	H2_PSEUDO_AUTHORITY,
	H2_PSEUDO_PATH,
	H2_PSEUDO_PROTOCOL,
	H2_PSEUDO_STATUS,
	H2_PSEUDO_COUNT
};

/* A section while its fields come in. Sections of one connection come one after the other. */
struct h2_block {
	enum fault fault; /* FAULT_NONE while all is well */
	bool malformed;   /* with a fault: reset the stream */
	uint32_t header_count;

	/* private to h2_head.c */
	enum h2_section section;
	struct h2_head_limits limits;
	struct arena *arena;    /* where texts go */
	struct header *headers; /* limits.fields elements */
	uint64_t *present;      /* of the head; NULL for trailers */
	uint32_t weight;
	uint32_t field_count;                /* that came, pseudo fields too */
	uint32_t cookies;                    /* crumbs */
	bool has_regular;                    /* a field that is no pseudo field came */
	bool is_response;                    /* section, or the one that the trailers end */
	struct span pseudo[H2_PSEUDO_COUNT]; /* NULL pointer: not there */
};

/* Text that stays where it is for ever need not be copied. */
struct h2_text {
	struct span text;
	bool is_static;
};

/* Sets everything. The rest of the arguments is borrowed until the section has ended. */
void h2_block_begin(struct h2_block *block, enum h2_section section,
		    const struct h2_head_limits *limits, struct arena *arena,
		    struct header *headers, uint64_t *present);

/* Trailers: limits of their own; the list is taken from the arena. */
void h2_block_begin_trailers(struct h2_block *block, const struct h2_head_limits *limits,
			     struct arena *arena, bool is_response);

void h2_block_field(struct h2_block *block, struct h2_text name, struct h2_text value);

struct h2_request_rules {
	bool https;     /* what :scheme must say (D5) */
	bool websocket; /* extended CONNECT was announced (D9) */
};

/* The section has ended. is_last: the stream ends with it. Fills the head but its list of fields, which
 * is already there; with a fault that is to be answered as much of it as is known. */
void h2_block_request(struct h2_block *block, struct h2_request_rules rules, bool is_last,
		      struct request_head *head);

/* request_method: of the request; is_tunnel: that was an extended CONNECT. */
void h2_block_response(struct h2_block *block, enum method request_method, bool is_tunnel,
		       bool is_last, struct response_head *head);
