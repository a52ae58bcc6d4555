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
	/* run → any role: finish what is in progress and exit; number: milliseconds allowed. To control,
	 * number 0: not ready any more, but go on; the end of the channel is what tells it to exit */
	MESSAGE_STOP,
	/* run → control: SIGHUP */
	MESSAGE_REREAD,
	/* run → proxy, with descriptor: write the access log there from now on */
	MESSAGE_ACCESS_LOG,
	/* run → control and proxy, with descriptor: a new channel between the two; worker: index of the
	 * worker; number: its pid (to control) */
	MESSAGE_PEER,
	/* run → control: that worker ended; number: how many times one died before its time */
	MESSAGE_WORKER_GONE,
	/* any role → run: proxy: serving both segments; control: admin is up */
	MESSAGE_READY,
	/* control → run: end that worker, it lies or does not listen; worker: its index; number: its pid, so that
	 * a successor is spared; text: why */
	MESSAGE_EXPEL,
	/* control → proxy, with descriptor: a bundle of shards; table: enum table_kind; generation: that is obeyed
	 * with them; number: how many such messages follow that take effect together with this one */
	MESSAGE_SEGMENT,
	/* proxy → control: table, generation; code: enum ack_code; time_ns: monotonic, when it took effect */
	MESSAGE_ACK,
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
	char text[88]; /* NUL-terminated words for the log, e.g. why shards were refused */
};

static_assert(sizeof(struct message) == 128, "layout");
