/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/body_reader.h"

#include <string.h>

#include "base/bug.h"
#include "http/trailer.h"

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

/*
 * Of a stream
 */

void body_reader_init_stream(struct body_reader *reader, struct h2_stream *stream,
			     enum body_framing framing)
{
	*reader = (struct body_reader){
		.stream = stream,
		.framing = framing == BODY_NONE ? BODY_NONE : BODY_CLOSE,
		.keeps = true,
		.ended = framing == BODY_NONE,
	};
}

/* Consumed data is given up, and what is left moves to the front. */
static void drop_consumed(struct body_reader *reader)
{
	struct iobuf *buf = reader->buf;
	uint32_t by = reader->data_at;

	if (by == 0)
		return;
	memmove(buf->bytes, buf->bytes + by, reader->data_end - by);
	reader->keeps = false;
	reader->data_at = 0;
	reader->data_end -= by;
	reader->repaid_at -= by;
	buf->start = buf->end = reader->data_end;
}

static bool take_larger(struct body_reader *reader, struct iobuf_pool *pool, size_t bytes)
{
	struct iobuf *larger = iobuf_take_large(pool, reader->data_end + bytes + IOBUF_ROOM);

	if (larger == NULL)
		return false;
	memcpy(larger->bytes, reader->buf->bytes, reader->data_end);
	larger->start = larger->end = reader->data_end;
	iobuf_give(pool, reader->buf);
	reader->buf = larger;
	return true;
}

static bool has_room(struct body_reader *reader, struct iobuf_pool *pool, size_t bytes)
{
	if (reader->buf == NULL) {
		reader->buf = iobuf_take(pool);
		if (reader->buf == NULL)
			return false;
	}
	if (reader->buf->room - reader->data_end >= bytes)
		return true;
	drop_consumed(reader);
	return reader->buf->room - reader->data_end >= bytes || take_larger(reader, pool, bytes);
}

bool body_reader_feed(struct body_reader *reader, struct iobuf_pool *pool, struct span bytes)
{
	if (!has_room(reader, pool, bytes.len))
		return false;
	memcpy(reader->buf->bytes + reader->data_end, bytes.ptr, bytes.len);
	reader->data_end += (uint32_t)bytes.len;
	reader->buf->start = reader->buf->end = reader->data_end;
	reader->total += bytes.len;
	reader->wire_bytes += bytes.len;
	return true;
}

void body_reader_fini(struct body_reader *reader, struct iobuf_pool *pool)
{
	if (reader->stream == NULL)
		return;
	iobuf_give(pool, reader->buf);
	reader->buf = NULL;
}

/* Each byte is owed once, however often it is sent. */
static void repay(struct body_reader *reader)
{
	if (reader->data_at <= reader->repaid_at)
		return;
	h2_consume(reader->stream, reader->data_at - reader->repaid_at);
	reader->repaid_at = reader->data_at;
}

/*
 * Framing
 */

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

/* They nearly always come in one piece, and mostly there are none but the empty line. */
static void keep_trailers(struct body_reader *reader, struct span bytes)
{
	struct span before = reader->trailer_text;
	char *joined;

	if (before.len == 0 && span_equals(bytes, S("\r\n")))
		return;
	joined = arena_take_bytes(reader->trailer_arena, before.len + bytes.len);
	if (joined == NULL) {
		reader->fault = FAULT_OUT_OF_MEMORY;
		return;
	}
	if (before.len > 0)
		memcpy(joined, before.ptr, before.len);
	memcpy(joined + before.len, bytes.ptr, bytes.len);
	reader->trailer_text = span_make(joined, before.len + bytes.len);
}

static void decode_chunked(struct body_reader *reader)
{
	struct iobuf *buf = reader->buf;
	struct chunked_result result = chunked_decode(&reader->decoder, buf->bytes + buf->start,
						      buf->end - buf->start);

	if (result.trailer_bytes > 0 && reader->trailer_arena != NULL)
		keep_trailers(reader, span_make(buf->bytes + buf->start + result.consumed -
							result.trailer_bytes,
						result.trailer_bytes));
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

	if (reader->stream != NULL) {
		reader->ended |= reader->stream->remote_ended;
		return status_now(reader);
	}
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

	if (reader->stream != NULL)
		return body_reader_decode(reader);
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
	if (reader->stream != NULL)
		repay(reader);
}

bool body_reader_is_untouched(const struct body_reader *reader)
{
	return reader->total == 0 &&
	       (reader->buf == NULL || reader->buf->start == reader->buf->end);
}

void body_reader_go_raw(struct body_reader *reader)
{
	reader->framing = BODY_CLOSE;
	reader->keeps = false;
	reader->ended = false;
}

uint32_t body_reader_trailers(struct body_reader *reader, const struct header **list)
{
	struct header *headers;

	if (reader->stream != NULL) {
		*list = reader->stream->trailers;
		return reader->stream->trailer_count;
	}
	*list = NULL;
	if (reader->trailer_text.len == 0)
		return 0;
	headers = arena_take(reader->trailer_arena, TRAILER_FIELDS_MAX * sizeof(*headers));
	if (headers == NULL) {
		reader->fault = FAULT_OUT_OF_MEMORY;
		return 0;
	}
	*list = headers;
	return trailer_parse(reader->trailer_text, headers);
}

void body_reader_rewind(struct body_reader *reader)
{
	BUG_ON(!reader->keeps);
	reader->data_at = reader->keep_from;
}
