/* SPDX-License-Identifier: Apache-2.0 */
/* What processes say to each other: one fixed-size struct a packet, with at most one descriptor.
 *
 * Both ends are the same build: the parent starts every role from its own installation. Still, each field
 * is treated as hostile by who reads it: kinds and enums are range-checked (security spec, 2.3).
 */
#pragma once

#include <assert.h>
#include <stdint.h>

enum message_kind {
	/* run → any role */
	MESSAGE_STOP,          /* finish what is in progress and exit; number: milliseconds allowed */
	MESSAGE_REREAD,        /* run → control: SIGHUP */
	MESSAGE_ACCESS_LOG,    /* run → proxy, with descriptor: write the access log there from now on */
	MESSAGE_PEER,          /* run → control and proxy, with descriptor: a new channel between the two;
	                          worker: index of the worker; number: its pid (to control) */
	MESSAGE_WORKER_GONE,   /* run → control: that worker ended; number: how many times it did */
	/* any role → run */
	MESSAGE_READY,         /* proxy: serving both segments; control: admin is up */
	/* control → proxy */
	MESSAGE_SEGMENT,       /* with descriptor: table: enum table_kind; generation */
	/* proxy → control */
	MESSAGE_ACK,           /* table, generation; code: enum ack_code; time_ns: monotonic, when it took effect */
	MESSAGE_KIND_COUNT
};

enum ack_code { ACK_APPLIED, ACK_REFUSED };

struct message {
	uint32_t kind;   /* enum message_kind */
	uint32_t worker; /* index */
	uint32_t table;  /* enum table_kind */
	uint32_t code;
	uint64_t generation;
	uint64_t number;
	uint64_t time_ns;
	char text[88]; /* NUL-terminated words for the log, e.g. why a segment was refused */
};

static_assert(sizeof(struct message) == 128, "layout");
