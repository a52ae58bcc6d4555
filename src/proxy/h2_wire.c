/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/h2_wire.h"

#include <string.h>

#include "proxy/worker.h"

enum {
	/* what one connection may read or write in a turn, so that others get theirs (security spec, 7.4) */
	SHARE_BYTES = 256 * 1024,
	/* with less room left than a frame of the usual size takes, what there is goes out first */
	FRAME_ROOM = 16 * 1024 + 64,
};

uint64_t h2_wire_now_ns(const struct h2_wire *wire)
{
	return loop_now_ns(wire->worker->loop);
}

void h2_wire_defer(struct h2_wire *wire)
{
	loop_defer(wire->worker->loop, &wire->task);
}

void h2_wire_init(struct h2_wire *wire, struct worker *worker, struct transport *transport,
		  void (*act)(struct h2_wire *wire), void (*on_turn_end)(struct loop_task *task))
{
	*wire = (struct h2_wire){.worker = worker, .transport = transport, .act = act};
	loop_task_init(&wire->task, on_turn_end);
	list_init(&wire->moved);
}

int h2_wire_begin(struct h2_wire *wire, const struct h2_options *options,
		  const struct h2_calls *calls, struct iobuf *in)
{
	if (h2_session_init(&wire->session, options, calls, wire, h2_wire_now_ns(wire)) == -1)
		return -1;
	wire->in = in;
	return 0;
}

void h2_wire_fini(struct h2_wire *wire)
{
	loop_task_cancel(&wire->task);
	iobuf_give(&wire->worker->iobufs, wire->in);
	iobuf_give(&wire->worker->iobufs, wire->out);
}

/*
 * Bytes out
 */

/* *bytes: afterwards what is left; nothing, or the kernel has no room. */
static enum h2_wire_status write_out(struct h2_wire *wire, struct span *bytes)
{
	while (bytes->len > 0) {
		struct iovec piece = {.iov_base = (char *)bytes->ptr, .iov_len = bytes->len};
		ssize_t put = transport_write(wire->transport, &piece, 1);

		if (put == TRANSPORT_AGAIN)
			return H2_WIRE_OPEN;
		if (put == TRANSPORT_BROKEN)
			return H2_WIRE_BROKEN;
		*bytes = span_skip(*bytes, (size_t)put);
	}
	return H2_WIRE_OPEN;
}

/* What the kernel did not take the last time goes first, unchanged. */
static enum h2_wire_status write_rest(struct h2_wire *wire)
{
	struct iobuf *out = wire->out;
	struct span rest;
	enum h2_wire_status status;

	if (out == NULL)
		return H2_WIRE_OPEN;
	rest = span_make(out->bytes + out->start, out->end - out->start);
	status = write_out(wire, &rest);
	out->start = out->end - (uint32_t)rest.len;
	if (rest.len > 0)
		return status;
	iobuf_give(&wire->worker->iobufs, out);
	wire->out = NULL;
	return status;
}

static enum h2_wire_status keep_rest(struct h2_wire *wire, struct span rest)
{
	struct iobuf *out;

	if (rest.len == 0)
		return H2_WIRE_OPEN;
	out = iobuf_take_large(&wire->worker->iobufs, rest.len);
	if (out == NULL)
		return H2_WIRE_NO_MEMORY;
	memcpy(out->bytes, rest.ptr, rest.len);
	out->end = (uint32_t)rest.len;
	wire->out = out;
	return H2_WIRE_OPEN;
}

/* Frames, and what streams have for more of them once these are made. */
static struct span make_frames(struct h2_wire *wire)
{
	char *frames = wire->worker->frames;
	size_t length = 0;

	while (WORKER_FRAMES_SIZE - length >= FRAME_ROOM && h2_wants_write(&wire->session)) {
		size_t more = h2_pull(&wire->session, frames + length, WORKER_FRAMES_SIZE - length,
				      h2_wire_now_ns(wire));

		length += more;
		wire->act(wire);
		if (more == 0)
			break;
	}
	return span_make(frames, length);
}

enum h2_wire_status h2_wire_transmit(struct h2_wire *wire)
{
	enum h2_wire_status status = write_rest(wire);
	size_t left = SHARE_BYTES;

	while (status == H2_WIRE_OPEN && wire->out == NULL) {
		struct span frames = make_frames(wire);

		if (frames.len == 0)
			break;
		left -= frames.len < left ? frames.len : left;
		status = write_out(wire, &frames);
		if (status == H2_WIRE_OPEN)
			status = keep_rest(wire, frames);
		if (left == 0) {
			h2_wire_defer(wire);
			break;
		}
	}
	return status;
}

void h2_wire_take_leave(struct h2_wire *wire)
{
	char bytes[H2_PULL_MIN]; /* the worker's frames may be another connection's now */
	struct iovec piece = {.iov_base = bytes};

	if (wire->out != NULL)
		return;
	piece.iov_len = h2_pull(&wire->session, bytes, sizeof(bytes), h2_wire_now_ns(wire));
	/* what becomes of it does not matter */
	if (piece.iov_len > 0)
		(void)transport_write(wire->transport, &piece, 1);
}

/*
 * Bytes in
 */

/* What was read is handed on. False: what is to be sent must go first. */
static bool hand_on(struct h2_wire *wire)
{
	struct iobuf *in = wire->in;

	in->start += (uint32_t)h2_receive(&wire->session,
					  span_make(in->bytes + in->start, in->end - in->start),
					  h2_wire_now_ns(wire));
	wire->act(wire);
	return in->start == in->end;
}

static bool take_buffer(struct h2_wire *wire)
{
	if (wire->in == NULL)
		wire->in = iobuf_take(&wire->worker->iobufs);
	return wire->in != NULL;
}

static void give_buffer(struct h2_wire *wire)
{
	iobuf_give(&wire->worker->iobufs, wire->in);
	wire->in = NULL;
}

enum h2_wire_status h2_wire_receive(struct h2_wire *wire)
{
	struct transport *transport = wire->transport;
	size_t left = SHARE_BYTES;

	if (wire->in != NULL && !hand_on(wire))
		return H2_WIRE_OPEN;
	while (transport->can_read && h2_wants_read(&wire->session) && left > 0) {
		ssize_t got;

		if (!take_buffer(wire))
			return H2_WIRE_NO_MEMORY;
		got = transport_read(transport, wire->in->bytes, wire->in->room);
		if (got == TRANSPORT_AGAIN)
			break;
		if (got <= 0)
			return got == 0 ? H2_WIRE_CLOSED : H2_WIRE_BROKEN;
		wire->received += (size_t)got;
		wire->in->start = 0;
		wire->in->end = (uint32_t)got;
		left -= (size_t)got < left ? (size_t)got : left;
		if (!hand_on(wire))
			return H2_WIRE_OPEN;
	}
	give_buffer(wire);
	return H2_WIRE_OPEN;
}

bool h2_wire_has_more(const struct h2_wire *wire)
{
	if (wire->out != NULL)
		return false; /* until the kernel has room */
	return wire->in != NULL || (wire->transport->can_read && h2_wants_read(&wire->session));
}
