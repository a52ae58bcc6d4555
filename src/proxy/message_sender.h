/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/1.1 message as it goes out: head and body onto a transport, framing put on.
 *
 * What is to be sent together is sent together: the head waits until message_sender_flush, so that head
 * and first piece of the body leave in one system call. At most one piece of the body is under way; the
 * sender borrows it until it is sent.
 */
#pragma once

#include "base/arena.h"
#include "http/chunked.h"
#include "io/transport.h"

enum message_framing {
	MESSAGE_FRAMING_NONE, /* no body: the head is all */
	MESSAGE_FRAMING_RAW, /* the bytes as they are: a length was announced, or the connection ends it */
	MESSAGE_FRAMING_CHUNKED, /* RFC 9112, 7.1 */
};

enum message_sender_status {
	MESSAGE_SENDER_SENT,
	MESSAGE_SENDER_WAIT,
	MESSAGE_SENDER_BROKEN, /* the peer is gone */
	MESSAGE_SENDER_NO_MEMORY, /* the peer is slow, and the arena has no room to keep the head for it */
};

enum { MESSAGE_SENDER_PIECES = 4 }; /* head, size line, data, what ends it */

struct message_sender {
	struct transport *transport; /* kept while the message goes out */
	enum message_framing framing;
	bool last;          /* the piece under way is the last */
	bool head_borrowed; /* the head lies in memory that others use after this event */
	uint8_t first;      /* pieces[first … count-1] are to be sent */
	uint8_t count;
	uint8_t data_piece; /* index of the data among the pieces, or MESSAGE_SENDER_PIECES */
	char size_line[CHUNKED_SIZE_LINE_MAX];
	struct iovec pieces[MESSAGE_SENDER_PIECES];
	uint64_t sent;      /* bytes that the kernel took, framing included */
	uint64_t body_sent; /* of them, body data */
};

/* head: borrowed until the flush that follows in the same event; what is left of it then is copied to
 * the arena given there. */
void message_sender_init(struct message_sender *sender, struct transport *transport,
			 enum message_framing framing, struct span head);

/* A piece of the body, borrowed until sent. Only when no data is under way. last: the body ends with it; data may
 * then be empty. */
void message_sender_put(struct message_sender *sender, struct span data, bool last);

/* Whether message_sender_put may be called: no data is under way and the last piece was not given. */
bool message_sender_wants_data(const struct message_sender *sender);

/* Sends what is to be sent. *data_sent: bytes of the piece that have gone since the last call; these are the borrower's
 * again. WAIT: the transport will tell when to go on. arena: for a head that must be kept. */
enum message_sender_status message_sender_flush(struct message_sender *sender, struct arena *arena,
						size_t *data_sent);

static inline bool message_sender_is_pending(const struct message_sender *sender)
{
	return sender->first != sender->count;
}

/* Everything, the end too, was sent. */
static inline bool message_sender_is_done(const struct message_sender *sender)
{
	return sender->last && !message_sender_is_pending(sender);
}
