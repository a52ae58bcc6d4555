/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of HTTP/2 between the codec's session and the transport of its connection, whichever side that is on.
 *
 *   transport --read--> h2_receive --> streams note --> act: exchanges go on           as it comes
 *   exchanges --> h2_respond, h2_request, ... --> h2_pull --write--> transport                once at the end of a turn
 *
 * Buffers are there only while bytes lie in them that could not be handed on: of the peer's, because what is to be
 * sent must go first; for the peer, because the kernel has no room. While the kernel has none nothing more is pulled,
 * so that no exchange reads from its other side what nobody takes.
 *
 * The codec's calls only note what has happened, by a link in `moved`; it is done afterwards, by act, so that no
 * exchange runs inside the codec, and what came of a stream in one read is seen at once.
 */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "http/h2.h"
#include "io/iobuf.h"
#include "io/loop.h"
#include "io/transport.h"

struct worker;

struct h2_wire {
	struct h2_session session;
	struct loop_task task; /* of the owner: goes on at the end of the turn */
	struct transport *transport;
	struct worker *worker;
	struct list moved;                 /* of the owner: streams that have something to do */
	void (*act)(struct h2_wire *wire); /* empties moved */
	uint64_t received;                 /* bytes of the peer */
	struct iobuf *in;                  /* bytes of the peer that are not taken yet, or NULL */
	struct iobuf *out; /* bytes for the peer that the kernel has not taken yet, or NULL */
};

enum h2_wire_status {
	H2_WIRE_OPEN,
	H2_WIRE_CLOSED, /* the peer has closed */
	H2_WIRE_BROKEN,
	H2_WIRE_NO_MEMORY,
};

/* There is no session yet. */
void h2_wire_init(struct h2_wire *wire, struct worker *worker, struct transport *transport,
		  void (*act)(struct h2_wire *wire), void (*on_turn_end)(struct loop_task *task));

/* Begins the session; calls are told *wire. in: what has come of the peer already, taken; NULL: nothing. -1: there is
 * no memory, and in is still the caller's. */
int h2_wire_begin(struct h2_wire *wire, const struct h2_options *options,
		  const struct h2_calls *calls, struct iobuf *in);

/* There is no session any more: it has been ended by h2_session_fini. */
void h2_wire_fini(struct h2_wire *wire);

/* Reads while there is something to be read, within a share of the turn. */
enum h2_wire_status h2_wire_receive(struct h2_wire *wire);

/* Writes what there is, as far as the kernel takes it, within a share of the turn. */
enum h2_wire_status h2_wire_transmit(struct h2_wire *wire);

/* Writes what is to be said last, if the kernel has room for that; for when another connection may be writing. */
void h2_wire_take_leave(struct h2_wire *wire);

/* Something is left to be read when the others have had their turn. */
bool h2_wire_has_more(const struct h2_wire *wire);

/* The task runs at the end of the turn. */
void h2_wire_defer(struct h2_wire *wire);

uint64_t h2_wire_now_ns(const struct h2_wire *wire);

/* A stream has something to do. */
static inline void h2_wire_note(struct h2_wire *wire, struct list *moved)
{
	if (list_is_empty(moved))
		list_add_last(&wire->moved, moved);
}
