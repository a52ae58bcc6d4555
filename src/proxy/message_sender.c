/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/message_sender.h"

#include "base/bug.h"

static void add_piece(struct message_sender *sender, struct span bytes)
{
	if (bytes.len == 0)
		return;
	BUG_ON(sender->count == MESSAGE_SENDER_PIECES);
	sender->pieces[sender->count++] = (struct iovec){.iov_base = (char *)bytes.ptr,
							 .iov_len = bytes.len};
}

void message_sender_init(struct message_sender *sender, struct transport *transport,
			 enum message_framing framing, struct span head)
{
	sender->transport = transport;
	sender->framing = framing;
	sender->last = framing == MESSAGE_FRAMING_NONE;
	sender->head_borrowed = true;
	sender->first = 0;
	sender->count = 0;
	sender->data_piece = MESSAGE_SENDER_PIECES;
	sender->sent = 0;
	sender->body_sent = 0;
	add_piece(sender, head);
}

bool message_sender_wants_data(const struct message_sender *sender)
{
	return !sender->last && sender->data_piece == MESSAGE_SENDER_PIECES;
}

void message_sender_put(struct message_sender *sender, struct span data, bool last)
{
	BUG_ON(!message_sender_wants_data(sender));
	if (sender->framing == MESSAGE_FRAMING_CHUNKED && data.len > 0)
		add_piece(sender, span_make(sender->size_line,
					    chunked_write_size(sender->size_line, data.len)));
	if (data.len > 0)
		sender->data_piece = sender->count;
	add_piece(sender, data);
	if (sender->framing == MESSAGE_FRAMING_CHUNKED) {
		if (last)
			add_piece(sender, data.len > 0 ? S("\r\n0\r\n\r\n") : S("0\r\n\r\n"));
		else if (data.len > 0)
			add_piece(sender, S("\r\n"));
	}
	sender->last = last;
}

/* The kernel took n bytes: drops them from the pieces. Returns how many of them were data. */
static size_t advance(struct message_sender *sender, size_t n)
{
	size_t data = 0;

	sender->sent += n;
	while (n > 0) {
		struct iovec *piece = &sender->pieces[sender->first];
		size_t taken = n < piece->iov_len ? n : piece->iov_len;

		if (sender->first == sender->data_piece)
			data += taken;
		piece->iov_base = (char *)piece->iov_base + taken;
		piece->iov_len -= taken;
		n -= taken;
		if (piece->iov_len == 0)
			sender->first++;
	}
	sender->body_sent += data;
	return data;
}

/* What is left of a head in borrowed memory moves to the arena. */
static bool keep_head(struct message_sender *sender, struct arena *arena)
{
	struct iovec *piece = &sender->pieces[0];
	struct span copy;

	if (!sender->head_borrowed || sender->first != 0)
		return true;
	copy = arena_copy(arena, span_make(piece->iov_base, piece->iov_len));
	if (copy.ptr == NULL)
		return false;
	piece->iov_base = (char *)copy.ptr;
	sender->head_borrowed = false;
	return true;
}

enum message_sender_status message_sender_flush(struct message_sender *sender, struct arena *arena,
						size_t *data_sent)
{
	*data_sent = 0;
	while (message_sender_is_pending(sender)) {
		ssize_t put = transport_write(sender->transport, sender->pieces + sender->first,
					      sender->count - sender->first);

		if (put == TRANSPORT_BROKEN)
			return MESSAGE_SENDER_BROKEN;
		if (put == TRANSPORT_AGAIN)
			return keep_head(sender, arena) ? MESSAGE_SENDER_WAIT
							: MESSAGE_SENDER_NO_MEMORY;
		*data_sent += advance(sender, (size_t)put);
	}
	sender->head_borrowed = false;
	sender->first = 0;
	sender->count = 0;
	sender->data_piece = MESSAGE_SENDER_PIECES;
	return MESSAGE_SENDER_SENT;
}
