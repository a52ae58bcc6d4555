/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a message as it comes in: bytes from a transport, framing taken off; or those of a stream of HTTP/2,
 * which has no other framing than its end.
 *
 * Of a transport, bytes lie in the buffer of the connection, behind the head where that must stay. Decoded data is
 * moved together, so that it is one span. What was read beyond the end of the body stays in the buffer between
 * start and end: it belongs to the next message.
 *
 *     | head, kept | kept data | data, not sent | gap | raw: start … end | free |
 *                  keep_from   data_at     data_end
 *
 * Of a stream, bytes are fed, and are all data. They lie in a buffer of the reader's own, which grows up to what the
 * window of the stream allows; what is consumed is owed back to the stream once.
 */
#pragma once

#include "base/arena.h"
#include "http/chunked.h"
#include "http/h2.h"
#include "http/head.h"
#include "io/iobuf.h"
#include "io/transport.h"

enum body_reader_status {
	BODY_READER_DATA,  /* there is data: body_reader_data */
	BODY_READER_END,   /* the body is complete, and all of its data was consumed */
	BODY_READER_WAIT,  /* nothing now; an edge will tell */
	BODY_READER_CUT,   /* the peer closed, or the connection broke, before the end */
	BODY_READER_FAULT, /* the framing is broken: body_reader.fault */
};

struct body_reader {
	struct transport *transport; /* kept while the body is read; NULL: it is fed */
	struct h2_stream *stream;    /* kept likewise; NULL: it comes from a transport */
	struct iobuf *
		buf; /* kept likewise; its owner may not touch it meanwhile. Of a stream: the reader's own */
	struct arena *trailer_arena; /* where trailers of chunks are kept; NULL: they are dropped */
	struct span trailer_text;    /* private to body_reader.c: lines that came */
	uint64_t left;               /* BODY_LENGTH: bytes that were not decoded yet */
	uint64_t total;              /* bytes decoded so far */
	uint64_t wire_bytes;         /* the same as received, framing included */
	struct chunked_decoder decoder;
	enum body_framing framing;
	enum fault fault;
	uint32_t data_at;
	uint32_t data_end;
	uint32_t keep_from; /* where the data of the body begins while all of it is still there */
	uint32_t base;      /* where data may begin: behind a head that must stay */
	uint32_t repaid_at; /* of a stream: up to here the data was given back to its window */
	bool keeps;         /* consumed data is still in the buffer: the body can be sent again */
	bool ended;         /* all of the body is decoded */
};

/* The head has been parsed: buf->start is where the body begins. Data behind `base` may be overwritten once it was
 * consumed; keeps: hold on to it as long as there is room. */
void body_reader_init(struct body_reader *reader, struct transport *transport, struct iobuf *buf,
		      enum body_framing framing, uint64_t content_length, bool keeps);

/* A body that comes by a stream; framing: whether there is one at all. Nothing is there yet. */
void body_reader_init_stream(struct body_reader *reader, struct h2_stream *stream,
			     enum body_framing framing);

/* Bytes of the stream's on_body. False: there is no memory for them. */
bool body_reader_feed(struct body_reader *reader, struct iobuf_pool *pool, struct span bytes);

/* Gives back the buffer that a stream's reader owns. */
void body_reader_fini(struct body_reader *reader, struct iobuf_pool *pool);

/* The message has ended, and what follows from the same source are bytes without framing, up to its end: those that
 * have come already first. What was counted counts on. */
void body_reader_go_raw(struct body_reader *reader);

/* Decodes what is in the buffer. Never reads from the transport. */
enum body_reader_status body_reader_decode(struct body_reader *reader);

/* Reads from the transport once and decodes. Only when all data was consumed. */
enum body_reader_status body_reader_read(struct body_reader *reader);

static inline struct span body_reader_data(const struct body_reader *reader)
{
	if (reader->buf == NULL)
		return S(""); /* a stream that has ended without a byte */
	return span_make(reader->buf->bytes + reader->data_at, reader->data_end - reader->data_at);
}

void body_reader_consume(struct body_reader *reader, size_t n);

/* Nothing of the body has come. */
bool body_reader_is_untouched(const struct body_reader *reader);

/* There may be more to read, though body_reader_read had nothing: bytes of framing alone. */
static inline bool body_reader_may_have_more(const struct body_reader *reader)
{
	return reader->transport != NULL && reader->transport->can_read;
}

/* Whether what is left of the body has not been read yet, is of known length, and may pass as it is. */
static inline bool body_reader_can_pass(const struct body_reader *reader)
{
	return reader->transport != NULL && reader->framing == BODY_LENGTH &&
	       reader->buf->start == reader->buf->end;
}

/* The trailers, once the body has ended: how many there are; *list is in the arena, or of the stream. Where there is
 * no memory for them the body is at fault. */
uint32_t body_reader_trailers(struct body_reader *reader, const struct header **list);

/* From the beginning once more, for another attempt; only while reader->keeps. */
void body_reader_rewind(struct body_reader *reader);
