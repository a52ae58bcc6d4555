/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_preview.h"

/* RFC 8446, 5.1 and 4 */
enum { RECORD_HEAD = 5, RECORD_HANDSHAKE = 22, RECORD_MAX = 1 << 14, VERSION_MAJOR = 3 };
enum {
	CLIENT_HELLO = 1,
	MESSAGE_HEAD = 4,
	RANDOM_SIZE = 32,
	SESSION_ID_MAX = 32,
	NAME_TYPE_HOST = 0
};

/* The handshake messages that lie in records, as one stream: a message may go over any number of them. */
struct stream {
	struct span rest;               /* of the bytes, from the present place in the record on */
	size_t in_record;               /* what the record still holds */
	size_t taken;                   /* of the stream */
	size_t end;                     /* of the message in it: nothing behind is taken */
	enum tls_preview_status status; /* DONE: nothing is wrong so far; what is stays */
};

static void stop(struct stream *stream, enum tls_preview_status why)
{
	if (stream->status == TLS_PREVIEW_DONE)
		stream->status = why;
}

static unsigned byte_at(struct span bytes, size_t at)
{
	return (unsigned char)bytes.ptr[at];
}

/* The head of the next record; what is there of it must fit. */
static void open_record(struct stream *stream)
{
	struct span head = span_take(stream->rest, RECORD_HEAD);

	if ((head.len > 0 && byte_at(head, 0) != RECORD_HANDSHAKE) ||
	    (head.len > 1 && byte_at(head, 1) != VERSION_MAJOR)) {
		stop(stream, TLS_PREVIEW_BAD);
		return;
	}
	if (head.len < RECORD_HEAD) {
		stop(stream, TLS_PREVIEW_MORE);
		return;
	}
	stream->in_record = byte_at(head, 3) << 8 | byte_at(head, 4);
	stream->rest = span_skip(stream->rest, RECORD_HEAD);
	if (stream->in_record == 0 || stream->in_record > RECORD_MAX)
		stop(stream, TLS_PREVIEW_BAD);
}

/* The next bytes, as far as they lie together: at most count, at least one; empty: the stream has stopped. */
static struct span take_piece(struct stream *stream, size_t count)
{
	struct span piece;

	if (count > stream->end - stream->taken)
		stop(stream, TLS_PREVIEW_BAD);
	if (stream->in_record == 0 && stream->status == TLS_PREVIEW_DONE)
		open_record(stream);
	if (stream->status != TLS_PREVIEW_DONE)
		return S("");
	piece = span_take(stream->rest, count < stream->in_record ? count : stream->in_record);
	if (piece.len == 0)
		stop(stream, TLS_PREVIEW_MORE);
	stream->rest = span_skip(stream->rest, piece.len);
	stream->in_record -= piece.len;
	stream->taken += piece.len;
	return piece;
}

/* A number of so many bytes; 0 where the stream has stopped. */
static unsigned take_number(struct stream *stream, unsigned size)
{
	unsigned number = 0;

	for (unsigned i = 0; i < size; i++) {
		struct span byte = take_piece(stream, 1);

		number = number << 8 | (byte.len == 0 ? 0 : byte_at(byte, 0));
	}
	return stream->status == TLS_PREVIEW_DONE ? number : 0;
}

static void skip(struct stream *stream, size_t count)
{
	while (count > 0 && stream->status == TLS_PREVIEW_DONE)
		count -= take_piece(stream, count).len;
}

/* A length of so many bytes, and as many bytes behind it. */
static void skip_vector(struct stream *stream, unsigned size, size_t most)
{
	size_t length = take_number(stream, size);

	if (length > most)
		stop(stream, TLS_PREVIEW_BAD);
	skip(stream, length);
}

/* The one name in the extension, which ends at end. */
static void take_name(struct stream *stream, size_t end, struct tls_preview *preview)
{
	char sent[TLS_SERVER_NAME_MAX + 1]; /* with a dot at the end */
	size_t list = take_number(stream, 2);
	unsigned type = take_number(stream, 1);
	size_t length = take_number(stream, 2);
	size_t have = 0;

	if (stream->status == TLS_PREVIEW_DONE &&
	    (preview->name_length > 0 || type != NAME_TYPE_HOST || length > sizeof(sent) ||
	     list != length + 3 || stream->taken + length != end))
		stop(stream, TLS_PREVIEW_BAD);
	while (have < length && stream->status == TLS_PREVIEW_DONE) {
		struct span piece = take_piece(stream, length - have);

		if (piece.len > 0)
			memcpy(sent + have, piece.ptr, piece.len);
		have += piece.len;
	}
	if (stream->status != TLS_PREVIEW_DONE)
		return;
	preview->name_length = tls_hello_level_name(span_make(sent, length), preview->name);
	if (preview->name_length == 0)
		stop(stream, TLS_PREVIEW_BAD);
}

static void take_extensions(struct stream *stream, struct tls_preview *preview)
{
	size_t all = take_number(stream, 2);

	if (stream->taken + all != stream->end)
		stop(stream, TLS_PREVIEW_BAD);
	while (stream->taken < stream->end && stream->status == TLS_PREVIEW_DONE) {
		unsigned type = take_number(stream, 2);
		size_t length = take_number(stream, 2);

		if (type == TLSEXT_TYPE_server_name)
			take_name(stream, stream->taken + length, preview);
		else
			skip(stream, length);
	}
}

static void take_hello(struct stream *stream, struct tls_preview *preview)
{
	unsigned type = take_number(stream, 1);
	size_t length = take_number(stream, 3);

	if (stream->status == TLS_PREVIEW_DONE &&
	    (type != CLIENT_HELLO || length > TLS_PREVIEW_MAX))
		stop(stream, TLS_PREVIEW_BAD);
	stream->end = stream->taken + length;
	skip(stream, 2 + RANDOM_SIZE); /* the version of old, and the random bytes */
	skip_vector(stream, 1, SESSION_ID_MAX);
	skip_vector(stream, 2, TLS_PREVIEW_MAX); /* cipher suites */
	skip_vector(stream, 1, UINT8_MAX);       /* ways to compress */
	if (stream->status == TLS_PREVIEW_DONE && stream->taken < stream->end)
		take_extensions(stream, preview);
}

void tls_preview(struct span bytes, struct tls_preview *preview)
{
	struct stream stream = {.rest = span_take(bytes, TLS_PREVIEW_MAX), .end = MESSAGE_HEAD};

	*preview = (struct tls_preview){.status = TLS_PREVIEW_DONE};
	take_hello(&stream, preview);
	preview->status = stream.status;
	/* what has not come by now is more than is looked at */
	if (stream.status == TLS_PREVIEW_MORE && bytes.len >= TLS_PREVIEW_MAX)
		preview->status = TLS_PREVIEW_BAD;
	if (preview->status != TLS_PREVIEW_DONE)
		preview->name_length = 0;
}
