/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/relay.h"

/* What one connection may move in a turn of the loop, so that others get theirs (security spec, 7.4). */
enum { RELAY_SHARE_BYTES = 256 * 1024 };

/* Below this a pipe's two system calls more cost what the copy does, and a block is more than is needed. */
enum { RELAY_LARGE_MIN = 64 * 1024 };

/* Where bytes must be copied: what is read at once decides, for each read wakes and is acknowledged. 64 KiB cost a
 * tenth more, 256 KiB no less. With the 64 KiB that TLS may have encrypted it is the 256 KiB that a connection may hold
 * (security spec, 7.4). */
enum { RELAY_BLOCK_BYTES = 192 * 1024 };

/* Sends what is pending; on SENT the reader's data is consumed. */
static enum message_sender_status flush(struct relay *relay, struct arena *arena)
{
	size_t data_sent;
	enum message_sender_status status = message_sender_flush(&relay->sender, arena, &data_sent);

	body_reader_consume(&relay->reader, data_sent);
	return status;
}

/* The body has ended. False: there is no memory for what follows it. */
static bool pass_trailers(struct relay *relay, struct arena *arena)
{
	struct message_sender *sender = &relay->sender;
	const struct header *trailers;
	uint32_t count;

	if (!sender->takes_trailers)
		return true;
	count = body_reader_trailers(&relay->reader, &trailers);
	if (sender->stream != NULL) {
		sender->trailers = trailers;
		sender->trailer_count = count;
	} else if (count > 0) {
		sender->last_chunk = message_sender_last_chunk(arena, trailers, count);
		return sender->last_chunk.len > 0;
	}
	return true;
}

/* Gives decoded data to the sender, so that it leaves with what is pending. */
static enum relay_status offer(struct relay *relay, struct arena *arena)
{
	enum body_reader_status status = body_reader_decode(&relay->reader);

	if (relay->reader.total > relay->body_limit)
		return RELAY_TOO_LARGE;
	if (relay->reader.ended && !pass_trailers(relay, arena))
		return RELAY_NO_MEMORY;
	/* data before a fault is not sent on: the message is lost, and its receiver must not wait for more */
	if (relay->reader.fault != FAULT_NONE)
		return RELAY_BAD;
	if (status == BODY_READER_DATA || status == BODY_READER_END)
		message_sender_put(&relay->sender, body_reader_data(&relay->reader),
				   relay->reader.ended);
	return RELAY_DONE;
}

bool relay_feed(struct relay *relay, struct iobuf_pool *pool, struct span bytes)
{
	bool fed = body_reader_feed(&relay->reader, pool, bytes);

	if (fed)
		message_sender_data_moved(&relay->sender, body_reader_data(&relay->reader).ptr);
	return fed;
}

/* Reads once. RELAY_DONE: there may be something to offer. */
static enum relay_status receive(struct relay *relay)
{
	switch (body_reader_read(&relay->reader)) {
	case BODY_READER_WAIT:
		/* bytes of framing alone: more may be there */
		return body_reader_may_have_more(&relay->reader) ? RELAY_DONE : RELAY_WAIT;
	case BODY_READER_CUT:
		return RELAY_CUT;
	case BODY_READER_FAULT:
		return RELAY_BAD;
	case BODY_READER_DATA:
	case BODY_READER_END:
		break;
	}
	return RELAY_DONE;
}

void relay_fini(struct relay *relay)
{
	if (relay->pipe != NULL)
		pipe_pool_give(relay->pipes, relay->pipe);
	relay->pipe = NULL;
	if (relay->block != NULL)
		iobuf_give(relay->blocks, relay->block);
	relay->block = NULL;
}

/* A pipe where the kernel can do it alone, else a block. False: there is none, and this body asks no more. */
static bool take_vessel(struct relay *relay)
{
	if (transport_can_splice(relay->reader.transport) &&
	    transport_can_splice(relay->sender.transport)) {
		relay->pipe = relay->pipes == NULL ? NULL : pipe_pool_take(relay->pipes);
		if (relay->pipe == NULL)
			relay->pipes = NULL;
		return relay->pipe != NULL;
	}
	relay->block = relay->blocks == NULL ? NULL
					     : iobuf_take_large(relay->blocks, RELAY_BLOCK_BYTES);
	if (relay->block == NULL)
		relay->blocks = NULL;
	return relay->block != NULL;
}

/* Whether the rest may pass as it is: nothing of it was read yet, and it is worth a vessel. What went through
 * one cannot be sent again, nor could a body that does not fit into the buffer. */
static bool takes_vessel(struct relay *relay)
{
	struct body_reader *reader = &relay->reader;

	if (relay->pipe != NULL || relay->block != NULL)
		return true;
	if (reader->left < RELAY_LARGE_MIN || !body_reader_can_pass(reader) ||
	    !message_sender_can_pass(&relay->sender) ||
	    reader->left > relay->body_limit - reader->total)
		return false;
	return take_vessel(relay);
}

static ssize_t fill_block(struct transport *from, struct iobuf *block, uint64_t left)
{
	ssize_t got = transport_read(from, block->bytes, left < block->room ? left : block->room);

	if (got > 0) {
		block->start = 0;
		block->end = (uint32_t)got;
	}
	return got;
}

static enum relay_status fill_vessel(struct relay *relay)
{
	struct body_reader *reader = &relay->reader;
	size_t max = reader->left < PIPE_BYTES ? (size_t)reader->left : PIPE_BYTES;
	ssize_t got = relay->pipe != NULL
			      ? transport_splice_from(reader->transport, relay->pipe, max)
			      : fill_block(reader->transport, relay->block, reader->left);

	if (got == TRANSPORT_AGAIN)
		return RELAY_WAIT;
	if (got <= 0)
		return RELAY_CUT;
	reader->keeps = false;
	reader->left -= (uint64_t)got;
	reader->total += (uint64_t)got;
	reader->wire_bytes += (uint64_t)got;
	reader->ended = reader->left == 0;
	return RELAY_DONE;
}

static ssize_t drain_block(struct transport *to, struct iobuf *block)
{
	struct iovec piece = {block->bytes + block->start, block->end - block->start};
	ssize_t put = transport_write(to, &piece, 1);

	if (put > 0)
		block->start += (uint32_t)put;
	return put;
}

static enum relay_status drain_vessel(struct relay *relay)
{
	struct message_sender *sender = &relay->sender;
	ssize_t put = relay->pipe != NULL ? transport_splice_to(sender->transport, relay->pipe)
					  : drain_block(sender->transport, relay->block);

	if (put == TRANSPORT_AGAIN)
		return RELAY_WAIT;
	if (put <= 0)
		return RELAY_BROKEN;
	sender->sent += (uint64_t)put;
	sender->body_sent += (uint64_t)put;
	return RELAY_DONE;
}

/* RELAY_DONE: all of the body has been sent. */
static enum relay_status pump_vessel(struct relay *relay, uint64_t share_end)
{
	for (;;) {
		enum relay_status status;

		if (relay_holds(relay)) {
			status = drain_vessel(relay);
		} else if (relay->reader.ended) {
			message_sender_put(&relay->sender, S(""), true);
			return RELAY_DONE;
		} else if (relay->sender.sent >= share_end) {
			return RELAY_TURN_OVER;
		} else {
			status = fill_vessel(relay);
		}
		if (status != RELAY_DONE)
			return status;
	}
}

static enum relay_status pump(struct relay *relay, struct arena *arena)
{
	uint64_t share_end = relay->sender.sent + RELAY_SHARE_BYTES;

	if (relay->pipe != NULL || relay->block != NULL)
		return pump_vessel(relay, share_end);
	for (;;) {
		enum relay_status status;

		if (message_sender_wants_data(&relay->sender)) {
			status = offer(relay, arena);
			if (status != RELAY_DONE)
				return status;
		}
		switch (flush(relay, arena)) {
		case MESSAGE_SENDER_WAIT:
			return RELAY_WAIT;
		case MESSAGE_SENDER_BROKEN:
			return RELAY_BROKEN;
		case MESSAGE_SENDER_NO_MEMORY:
			return RELAY_NO_MEMORY;
		case MESSAGE_SENDER_SENT:
			break;
		}
		if (message_sender_is_done(&relay->sender))
			return RELAY_DONE;
		if (relay->sender.sent >= share_end)
			return RELAY_TURN_OVER;
		if (takes_vessel(relay))
			return pump_vessel(relay, share_end);
		status = receive(relay);
		if (status != RELAY_DONE)
			return status;
	}
}

enum relay_status relay_pump(struct relay *relay, struct arena *arena)
{
	enum relay_status status = pump(relay, arena);

	relay->waiting = status == RELAY_WAIT;
	return status;
}
