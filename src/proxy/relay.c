/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/relay.h"

/* What one connection may move in a turn of the loop, so that others get theirs (security spec, 7.4). */
enum { RELAY_SHARE_BYTES = 256 * 1024 };

/* Sends what is pending; on SENT the reader's data is consumed. */
static enum h1_sender_status flush(struct relay *relay, struct arena *arena)
{
	size_t data_sent;
	enum h1_sender_status status = h1_sender_flush(&relay->sender, arena, &data_sent);

	h1_reader_consume(&relay->reader, data_sent);
	return status;
}

/* Gives decoded data to the sender, so that it leaves with what is pending. */
static enum relay_status offer(struct relay *relay)
{
	enum h1_reader_status status = h1_reader_decode(&relay->reader);

	if (relay->reader.total > relay->body_limit)
		return RELAY_TOO_LARGE;
	/* data before a fault is not sent on: the message is lost, and its receiver must not wait for more */
	if (status == H1_READER_FAULT)
		return RELAY_BAD;
	if (status == H1_READER_DATA || status == H1_READER_END)
		h1_sender_put(&relay->sender, h1_reader_data(&relay->reader), relay->reader.ended);
	return RELAY_DONE;
}

/* Reads once. RELAY_DONE: there may be something to offer. */
static enum relay_status receive(struct relay *relay)
{
	switch (h1_reader_read(&relay->reader)) {
	case H1_READER_WAIT:
		/* bytes of framing alone: more may be there */
		return relay->reader.transport->can_read ? RELAY_DONE : RELAY_WAIT;
	case H1_READER_CUT:
		return RELAY_CUT;
	case H1_READER_FAULT:
		return RELAY_BAD;
	case H1_READER_DATA:
	case H1_READER_END:
		break;
	}
	return RELAY_DONE;
}

enum relay_status relay_pump(struct relay *relay, struct arena *arena)
{
	uint64_t share_end = relay->sender.sent + RELAY_SHARE_BYTES;

	for (;;) {
		enum relay_status status;

		if (h1_sender_wants_data(&relay->sender)) {
			status = offer(relay);
			if (status != RELAY_DONE)
				return status;
		}
		switch (flush(relay, arena)) {
		case H1_SENDER_WAIT:
			return RELAY_WAIT;
		case H1_SENDER_BROKEN:
			return RELAY_BROKEN;
		case H1_SENDER_SENT:
			break;
		}
		if (h1_sender_is_done(&relay->sender))
			return RELAY_DONE;
		if (relay->sender.sent >= share_end)
			return RELAY_TURN_OVER;
		status = receive(relay);
		if (status != RELAY_DONE)
			return status;
	}
}
