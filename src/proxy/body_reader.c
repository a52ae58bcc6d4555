/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/body_reader.h"

#include <string.h>

#include "base/bug.h"

void body_reader_init(struct body_reader *reader, struct transport *transport, struct iobuf *buf,
		      enum body_framing framing, uint64_t content_length, bool keeps)
{
	*reader = (struct body_reader){
		.transport = transport,
		.buf = buf,
		.framing = framing,
		.left = content_length,
		.data_at = buf->start,
		.data_end = buf->start,
		.keep_from = buf->start,
		.base = keeps ? buf->start : 0,
		.keeps = keeps,
		.ended = framing == BODY_NONE || (framing == BODY_LENGTH && content_length == 0),
	};
}

/* n raw bytes at start become data: they are moved up to data_end where there is a gap. */
static void take_raw(struct body_reader *reader, uint32_t n)
{
	struct iobuf *buf = reader->buf;

	if (buf->start != reader->data_end)
		memmove(buf->bytes + reader->data_end, buf->bytes + buf->start, n);
	reader->data_end += n;
	reader->total += n;
}

/* n raw bytes were decoded. */
static void consume_raw(struct body_reader *reader, uint32_t n)
{
	reader->buf->start += n;
	reader->wire_bytes += n;
}

static void decode_length(struct body_reader *reader)
{
	struct iobuf *buf = reader->buf;
	uint32_t raw = buf->end - buf->start;
	uint32_t n = reader->left < raw ? (uint32_t)reader->left : raw;

	take_raw(reader, n);
	consume_raw(reader, n);
	reader->left -= n;
	reader->ended = reader->left == 0;
}

static void decode_chunked(struct body_reader *reader)
{
	struct iobuf *buf = reader->buf;
	struct chunked_result result = chunked_decode(&reader->decoder, buf->bytes + buf->start,
						      buf->end - buf->start);

	take_raw(reader, (uint32_t)result.produced);
	consume_raw(reader, (uint32_t)result.consumed);
	reader->ended = result.status == CHUNKED_DONE;
	if (result.status == CHUNKED_BAD)
		reader->fault = result.fault;
}

static enum body_reader_status status_now(const struct body_reader *reader)
{
	if (reader->fault != FAULT_NONE)
		return BODY_READER_FAULT;
	if (reader->data_at != reader->data_end)
		return BODY_READER_DATA;
	return reader->ended ? BODY_READER_END : BODY_READER_WAIT;
}

enum body_reader_status body_reader_decode(struct body_reader *reader)
{
	struct iobuf *buf = reader->buf;

	if (!reader->ended && reader->fault == FAULT_NONE && buf->start != buf->end) {
		switch (reader->framing) {
		case BODY_NONE:
			break;
		case BODY_LENGTH:
			decode_length(reader);
			break;
		case BODY_CHUNKED:
			decode_chunked(reader);
			break;
		case BODY_CLOSE:
			take_raw(reader, buf->end - buf->start);
			consume_raw(reader, buf->end - buf->start);
			break;
		}
	}
	return status_now(reader);
}

/* Room behind `end`: raw bytes move down to the data, and where that is not enough, consumed
 * data is given up. */
static void make_room(struct body_reader *reader)
{
	struct iobuf *buf = reader->buf;

	if (reader->data_at == reader->data_end && !reader->keeps)
		reader->data_at = reader->data_end = reader->base;
	if (buf->start == buf->end && buf->start != reader->data_end)
		buf->start = buf->end = reader->data_end;
	if (buf->end != buf->room)
		return;
	BUG_ON(reader->data_at != reader->data_end);
	reader->keeps = false;
	reader->data_at = reader->data_end = reader->base;
	memmove(buf->bytes + reader->base, buf->bytes + buf->start, buf->end - buf->start);
	buf->end = reader->base + (buf->end - buf->start);
	buf->start = reader->base;
}

enum body_reader_status body_reader_read(struct body_reader *reader)
{
	struct iobuf *buf = reader->buf;
	ssize_t got;

	make_room(reader);
	BUG_ON(buf->end == buf->room);
	got = transport_read(reader->transport, buf->bytes + buf->end, buf->room - buf->end);
	if (got == TRANSPORT_AGAIN)
		return BODY_READER_WAIT;
	if (got == 0 && reader->framing == BODY_CLOSE) {
		reader->ended = true;
		return status_now(reader);
	}
	if (got <= 0)
		return BODY_READER_CUT;
	buf->end += (uint32_t)got;
	return body_reader_decode(reader);
}

void body_reader_consume(struct body_reader *reader, size_t n)
{
	BUG_ON(n > reader->data_end - reader->data_at);
	reader->data_at += (uint32_t)n;
}

void body_reader_rewind(struct body_reader *reader)
{
	BUG_ON(!reader->keeps);
	reader->data_at = reader->keep_from;
}
