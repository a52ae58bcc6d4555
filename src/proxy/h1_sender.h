/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/1.1 message as it goes out: head and body onto a transport, framing put on.
 *
 * What is to be sent together is sent together: the head waits until h1_sender_flush, so that head
 * and first piece of the body leave in one system call. At most one piece of the body is under way; the
 * sender borrows it until it is sent.
 */
#pragma once

#include "base/arena.h"
#include "http/chunked.h"
#include "io/transport.h"

enum h1_framing {
	H1_FRAMING_NONE, /* no body: the head is all */
	H1_FRAMING_RAW, /* the bytes as they are: a length was announced, or the connection ends it */
	H1_FRAMING_CHUNKED, /* RFC 9112, 7.1 */
};

enum h1_sender_status { H1_SENDER_SENT, H1_SENDER_WAIT, H1_SENDER_BROKEN };

enum { H1_SENDER_PIECES = 4 }; /* head, size line, data, what ends it */

struct h1_sender {
	struct transport *transport; /* kept while the message goes out */
	enum h1_framing framing;
	bool last;          /* the piece under way is the last */
	bool head_borrowed; /* the head lies in memory that others use after this event */
	uint8_t first;      /* pieces[first … count-1] are to be sent */
	uint8_t count;
	uint8_t data_piece; /* index of the data among the pieces, or H1_SENDER_PIECES */
	char size_line[CHUNKED_SIZE_LINE_MAX];
	struct iovec pieces[H1_SENDER_PIECES];
	uint64_t sent;      /* bytes that the kernel took, framing included */
	uint64_t body_sent; /* of them, body data */
};

/* head: borrowed until the flush that follows in the same event; what is left of it then is copied to
 * the arena given there. */
void h1_sender_init(struct h1_sender *sender, struct transport *transport, enum h1_framing framing,
		    struct span head);

/* A piece of the body, borrowed until sent. Only when no data is under way. last: the body ends with it; data may
 * then be empty. */
void h1_sender_put(struct h1_sender *sender, struct span data, bool last);

/* Whether h1_sender_put may be called: no data is under way and the last piece was not given. */
bool h1_sender_wants_data(const struct h1_sender *sender);

/* Sends what is to be sent. *data_sent: bytes of the piece that have gone since the last call; these are the borrower's
 * again. WAIT: the transport will tell when to go on. arena: for a head that must be kept. */
enum h1_sender_status h1_sender_flush(struct h1_sender *sender, struct arena *arena,
				      size_t *data_sent);

static inline bool h1_sender_is_pending(const struct h1_sender *sender)
{
	return sender->first != sender->count;
}

/* Everything, the end too, was sent. */
static inline bool h1_sender_is_done(const struct h1_sender *sender)
{
	return sender->last && !h1_sender_is_pending(sender);
}
