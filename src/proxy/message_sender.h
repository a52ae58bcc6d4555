/* SPDX-License-Identifier: Apache-2.0 */
/* A message as it goes out: head and body of HTTP/1.1 onto a transport, framing put on; or the body of a message of
 * HTTP/2 into its stream, which fetches it when the peer and the connection have room.
 *
 * On a transport, what is to be sent together is sent together: the head waits until message_sender_flush, so that head
 * and first piece of the body leave in one system call. A stream's head was given to it before; whatever of the body is
 * flushed waits until the connection writes, which tells the owner to flush again. At most one piece of the body is
 * under way; the sender borrows it until it is sent.
 */
#pragma once

#include "base/arena.h"
#include "http/chunked.h"
#include "http/h2.h"
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
	struct transport *transport; /* kept while the message goes out; NULL: a stream takes it */
	struct h2_stream *stream;    /* kept likewise; NULL: a transport takes it */
	enum message_framing framing;
	bool last;          /* the piece under way is the last */
	bool head_borrowed; /* the head lies in memory that others use after this event */
	uint8_t first;      /* pieces[first … count-1] are to be sent */
	uint8_t count;
	uint8_t data_piece; /* index of the data among the pieces, or MESSAGE_SENDER_PIECES */
	char size_line[CHUNKED_SIZE_LINE_MAX];
	struct iovec pieces[MESSAGE_SENDER_PIECES];
	uint64_t sent;       /* bytes that the kernel or the connection took, framing included */
	uint64_t body_sent;  /* of them, body data */
	size_t fetched;      /* by the stream, since the last flush */
	bool takes_trailers; /* else the fields below stay empty */
	const struct header *trailers; /* of a stream; set before the last piece is put, and kept */
	uint32_t trailer_count;
	struct span last_chunk; /* likewise, of chunks; empty: it has no trailers */
};

/* head: borrowed until the flush that follows in the same event; what is left of it then is copied to
 * the arena given there. */
void message_sender_init(struct message_sender *sender, struct transport *transport,
			 enum message_framing framing, struct span head);

/* What ends a message in chunks with these trailers (RFC 9112, 7.1.2), in the arena, for last_chunk; empty: there is no
 * room for it. */
struct span message_sender_last_chunk(struct arena *arena, const struct header *trailers,
				      uint32_t count);

/* The stream has got its head. framing: RAW, or NONE where it has no body. */
void message_sender_init_stream(struct message_sender *sender, struct h2_stream *stream,
				enum message_framing framing);

/* For read_body and body_sent of the stream. */
struct h2_body message_sender_fetch(struct message_sender *sender, size_t max);
void message_sender_fetched(struct message_sender *sender, size_t bytes);

/* A piece of the body, borrowed until sent. Only when no data is under way. last: the body ends with it; data may
 * then be empty. */
void message_sender_put(struct message_sender *sender, struct span data, bool last);

/* Whether message_sender_put may be called: no data is under way and the last piece was not given. */
bool message_sender_wants_data(const struct message_sender *sender);

/* What was put has moved while it was being sent: what the sender has not reported by message_sender_flush lies at
 * data now. */
void message_sender_data_moved(struct message_sender *sender, const char *data);

/* Sends what is to be sent. *data_sent: bytes of the piece that have gone since the last call; these are the borrower's
 * again. WAIT: the transport will tell when to go on. arena: for a head that must be kept. */
enum message_sender_status message_sender_flush(struct message_sender *sender, struct arena *arena,
						size_t *data_sent);

/* All was sent, and nothing follows on what took it. */
void message_sender_finish(struct message_sender *sender);

static inline bool message_sender_is_pending(const struct message_sender *sender)
{
	return sender->first != sender->count ||
	       (sender->stream != NULL && sender->last && !sender->stream->local_ended);
}

/* Bytes that went, to the last. */
static inline uint64_t message_sender_sent(const struct message_sender *sender)
{
	return sender->stream != NULL ? sender->stream->wire_sent_bytes : sender->sent;
}

/* Not a byte has gone anywhere: the message may be replaced by another. */
static inline bool message_sender_is_untouched(const struct message_sender *sender)
{
	return sender->stream == NULL && sender->sent == 0;
}

/* Whether data may pass as it is, past the sender. */
static inline bool message_sender_can_pass(const struct message_sender *sender)
{
	return sender->framing == MESSAGE_FRAMING_RAW && sender->transport != NULL;
}

/* Everything, the end too, was sent. */
static inline bool message_sender_is_done(const struct message_sender *sender)
{
	return sender->last && !message_sender_is_pending(sender);
}
