/* SPDX-License-Identifier: Apache-2.0 */
/* The body of an HTTP/1 message as it comes in: bytes from a transport, framing taken off.
 *
 * Bytes lie in the buffer of the connection, behind the head where that must stay. Decoded data is moved
 * together, so that it is one span. What was read beyond the end of the body stays in the buffer between
 * start and end: it belongs to the next message.
 *
 *     | head, kept | kept data | data, not sent | gap | raw: start … end | free |
 *                  keep_from   data_at     data_end
 */
#pragma once

#include "http/chunked.h"
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
	struct transport *transport; /* kept while the body is read */
	struct iobuf *buf;           /* kept likewise; its owner may not touch it meanwhile */
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
	bool keeps;         /* consumed data is still in the buffer: the body can be sent again */
	bool ended;         /* all of the body is decoded */
};

/* The head has been parsed: buf->start is where the body begins. Data behind `base` may be overwritten once it was
 * consumed; keeps: hold on to it as long as there is room. */
void body_reader_init(struct body_reader *reader, struct transport *transport, struct iobuf *buf,
		      enum body_framing framing, uint64_t content_length, bool keeps);

/* Decodes what is in the buffer. Never reads from the transport. */
enum body_reader_status body_reader_decode(struct body_reader *reader);

/* Reads from the transport once and decodes. Only when all data was consumed. */
enum body_reader_status body_reader_read(struct body_reader *reader);

static inline struct span body_reader_data(const struct body_reader *reader)
{
	return span_make(reader->buf->bytes + reader->data_at, reader->data_end - reader->data_at);
}

void body_reader_consume(struct body_reader *reader, size_t n);

/* From the beginning once more, for another attempt; only while reader->keeps. */
void body_reader_rewind(struct body_reader *reader);
