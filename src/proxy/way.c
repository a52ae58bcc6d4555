/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/way.h"

/* What one direction may move in a turn of the loop, so that others get theirs (security spec, 7.4). */
enum { SHARE_BYTES = 256 * 1024 };

/* From here on a pipe's two system calls more cost less than the copy (load-balancer spec, 11.1). */
enum { MANY_BYTES = 64 * 1024 };

void way_init(struct way *way, struct transport *from, struct transport *to,
	      struct iobuf_pool *blocks, struct pipe_pool *pipes)
{
	*way = (struct way){.from = from, .to = to, .blocks = blocks, .pipes = pipes};
}

void way_fini(struct way *way)
{
	iobuf_give(way->blocks, way->block);
	pipe_pool_give(way->pipes, way->pipe);
	way->block = NULL;
	way->pipe = NULL;
}

static bool holds(const struct way *way)
{
	return (way->block != NULL && way->block->start != way->block->end) ||
	       (way->pipe != NULL && way->pipe->filled > 0);
}

/* What took it so far is empty. False: there is no memory. */
static bool take_vessel(struct way *way)
{
	bool many = way->received >= MANY_BYTES && transport_can_splice(way->from) &&
		    transport_can_splice(way->to);

	if (way->pipe != NULL || (way->block != NULL && !many))
		return true;
	way_fini(way);
	if (many)
		way->pipe = pipe_pool_take(way->pipes);
	if (way->pipe == NULL)
		way->block = iobuf_take(way->blocks);
	return way->pipe != NULL || way->block != NULL;
}

static ssize_t fill(struct way *way)
{
	ssize_t got;

	if (way->pipe != NULL)
		return transport_splice_from(way->from, way->pipe, PIPE_BYTES);
	got = transport_read(way->from, way->block->bytes, way->block->room);
	way->block->start = 0;
	way->block->end = got > 0 ? (uint32_t)got : 0;
	return got;
}

static ssize_t drain(struct way *way)
{
	struct iobuf *block = way->block;
	ssize_t put;

	if (way->pipe != NULL)
		return transport_splice_to(way->to, way->pipe);
	put = transport_write(
		way->to, &(struct iovec){block->bytes + block->start, block->end - block->start},
		1);
	if (put > 0)
		block->start += (uint32_t)put;
	return put;
}

static enum way_status end(struct way *way, enum way_status status)
{
	way_fini(way);
	way->has_ended = true;
	return status;
}

/* Sends what is held. */
static enum way_status send_on(struct way *way)
{
	while (holds(way)) {
		ssize_t put = drain(way);

		if (put == TRANSPORT_AGAIN)
			return WAY_WAIT;
		if (put <= 0)
			return end(way, WAY_ENDED);
		way->sent += (uint64_t)put;
	}
	return WAY_MOVED;
}

/* Takes once what there is. */
static enum way_status receive(struct way *way)
{
	ssize_t got = TRANSPORT_AGAIN;

	if (way->from->can_read) {
		if (!take_vessel(way))
			return WAY_NO_MEMORY;
		got = fill(way);
	}
	if (got > 0) {
		way->received += (uint64_t)got;
		return WAY_MOVED;
	}
	way_fini(way);
	if (got == TRANSPORT_AGAIN)
		return WAY_WAIT;
	if (got == TRANSPORT_BROKEN)
		return end(way, WAY_BROKEN);
	transport_finish(way->to);
	return end(way, WAY_ENDED);
}

enum way_status way_pump(struct way *way)
{
	uint64_t share_end = way->sent + SHARE_BYTES;
	enum way_status status = WAY_MOVED;

	if (way->has_ended)
		return WAY_ENDED;
	while (status == WAY_MOVED) {
		status = send_on(way);
		if (status == WAY_MOVED && way->sent >= share_end)
			status = WAY_TURN_OVER;
		if (status == WAY_MOVED)
			status = receive(way);
	}
	return status;
}
