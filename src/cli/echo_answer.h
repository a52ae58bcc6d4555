/* SPDX-License-Identifier: Apache-2.0 */
/* What `ingot echo` answers: a JSON text about the request, made while the request comes in, and the
 * switches in the query that change it. Bytes in, bytes out; called by echo_connection.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"
#include "http/fault.h"
#include "http/head.h"

enum { ECHO_BODY_SHOWN_MAX = 64 << 10 }; /* bytes of a body that are given back */

/* What the query asks for: ?status=503&delay=500ms&bytes=1000000 */
struct echo_switches {
	uint16_t status; /* 200 unless asked for: 200 … 599 */
	bool has_bytes;  /* the body is `bytes` letters instead of JSON */
	uint64_t bytes;
	uint32_t delay_ms; /* before the answer begins; at most ECHO_DELAY_MAX_MS */
};

enum { ECHO_DELAY_MAX_MS = 3600 * 1000 };

/* Reads the switches of a target. Unknown names are passed over; a value that is none is told in *err. 0 or -1. */
struct error;
int echo_switches_parse(struct span target, struct echo_switches *switches, struct error *err);

/* An answer in the making. Zeroed is empty; echo_answer_fini gives its memory back. */
struct echo_answer {
	struct buf text;    /* the JSON text so far */
	struct buf body;    /* the first ECHO_BODY_SHOWN_MAX bytes of the request's body */
	uint64_t body_size; /* all of them */
};

void echo_answer_fini(struct echo_answer *answer);

/* Begins anew with the head of a request. name: of this backend. */
void echo_answer_begin(struct echo_answer *answer, struct span name, const struct ip_port *peer,
		       const struct request_head *head);

/* Bytes of the request's body, decoded. */
void echo_answer_add_body(struct echo_answer *answer, struct span bytes);

/* The whole text, which lives until the next begin. */
struct span echo_answer_end(struct echo_answer *answer);

/* The text for a request that could not be read, or whose switches could not. */
struct span echo_answer_refuse(struct echo_answer *answer, struct span name, struct span reason);
