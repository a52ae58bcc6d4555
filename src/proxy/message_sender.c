/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/message_sender.h"

#include "base/bug.h"
#include "http/h1_write.h"

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
	sender->stream = NULL;
	sender->framing = framing;
	sender->last = framing == MESSAGE_FRAMING_NONE;
	sender->head_borrowed = head.len > 0;
	sender->first = 0;
	sender->count = 0;
	sender->data_piece = MESSAGE_SENDER_PIECES;
	sender->sent = 0;
	sender->body_sent = 0;
	sender->takes_trailers = false;
	sender->last_chunk = S("");
	add_piece(sender, head);
}

/* "CRLF 0 CRLF", which a chunk of data may lie before. */
static const struct span no_more_data = {"\r\n0\r\n", 5};

struct span message_sender_last_chunk(struct arena *arena, const struct header *trailers,
				      uint32_t count)
{
	size_t size = no_more_data.len + 2;
	struct h1_writer writer;
	char *memory;

	for (uint32_t i = 0; i < count; i++)
		size += trailers[i].name.len + trailers[i].value.len + 4;
	memory = arena_take_bytes(arena, size);
	if (memory == NULL)
		return S("");
	writer = h1_writer_over(memory, size);
	h1_write_literal(&writer, no_more_data);
	for (uint32_t i = 0; i < count; i++)
		if (!trailers[i].dropped)
			h1_write_header(&writer, &trailers[i]);
	h1_write_end(&writer);
	return writer.fault == H1_WRITER_OK ? h1_written(&writer) : S("");
}

/* What follows the last piece of data. */
static void add_last_chunk(struct message_sender *sender, bool after_data)
{
	struct span bytes = sender->last_chunk.len > 0 ? sender->last_chunk : S("\r\n0\r\n\r\n");

	add_piece(sender, after_data ? bytes : span_skip(bytes, 2));
}

void message_sender_init_stream(struct message_sender *sender, struct h2_stream *stream,
				enum message_framing framing)
{
	BUG_ON(framing == MESSAGE_FRAMING_CHUNKED);
	*sender = (struct message_sender){
		.stream = stream,
		.framing = framing,
		.last = framing == MESSAGE_FRAMING_NONE,
		.data_piece = MESSAGE_SENDER_PIECES,
		.takes_trailers = true,
	};
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
			add_last_chunk(sender, data.len > 0);
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

static void forget_pieces(struct message_sender *sender)
{
	sender->first = 0;
	sender->count = 0;
	sender->data_piece = MESSAGE_SENDER_PIECES;
}

/*
 * Into a stream
 */

struct h2_body message_sender_fetch(struct message_sender *sender, size_t max)
{
	struct h2_body body = {.status = H2_BODY_MORE};

	if (sender->first != sender->count) {
		const struct iovec *piece = &sender->pieces[sender->first];

		body.bytes = span_take(span_make(piece->iov_base, piece->iov_len), max);
		if (!sender->last || body.bytes.len < piece->iov_len)
			return body;
	} else if (!sender->last) {
		body.status = H2_BODY_WAIT;
		return body;
	}
	body.status = H2_BODY_END;
	body.trailers = sender->trailers;
	body.trailer_count = sender->trailer_count;
	return body;
}

void message_sender_fetched(struct message_sender *sender, size_t bytes)
{
	struct iovec *piece = &sender->pieces[sender->first];

	BUG_ON(sender->first == sender->count || bytes > piece->iov_len);
	piece->iov_base = (char *)piece->iov_base + bytes;
	piece->iov_len -= bytes;
	if (piece->iov_len == 0)
		sender->first++;
	sender->body_sent += bytes;
	sender->fetched += bytes;
}

void message_sender_data_moved(struct message_sender *sender, const char *data)
{
	if (sender->first <= sender->data_piece && sender->data_piece < sender->count)
		sender->pieces[sender->data_piece].iov_base = (char *)data + sender->fetched;
}

static enum message_sender_status flush_stream(struct message_sender *sender, size_t *data_sent)
{
	*data_sent = sender->fetched;
	sender->fetched = 0;
	sender->sent = sender->stream->wire_sent_bytes;
	if (message_sender_is_pending(sender)) {
		h2_body_ready(sender->stream);
		return MESSAGE_SENDER_WAIT;
	}
	forget_pieces(sender);
	return MESSAGE_SENDER_SENT;
}

enum message_sender_status message_sender_flush(struct message_sender *sender, struct arena *arena,
						size_t *data_sent)
{
	if (sender->stream != NULL)
		return flush_stream(sender, data_sent);
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
	forget_pieces(sender);
	return MESSAGE_SENDER_SENT;
}

void message_sender_finish(struct message_sender *sender)
{
	BUG_ON(!message_sender_is_done(sender));
	/* a stream has ended with the last piece */
	if (sender->transport != NULL)
		transport_finish(sender->transport);
}
