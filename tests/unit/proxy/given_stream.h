/* SPDX-License-Identifier: Apache-2.0 */
/* A transport whose other end is the test's, and a buffer of any size. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "given_loop.h"
#include "io/iobuf.h"
#include "io/transport.h"

struct given_stream {
	struct transport transport;
	int peer;
};

static inline void given_stream_on_ready(struct loop_source *source, uint32_t events)
{
	transport_note(container_of(source, struct transport, source), events);
}

/* type: SOCK_STREAM, or SOCK_SEQPACKET to see what left in one call. */
static inline void given_stream_open(struct given_stream *stream, struct given_loop *given,
				     int type)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(
		transport_open(&stream->transport, given->loop, ends[0], given_stream_on_ready), 0);
	stream->peer = ends[1];
	run_turns(given, 1);
}

static inline void given_stream_close(struct given_stream *stream, struct given_loop *given)
{
	transport_close(&stream->transport, given->loop);
	if (stream->peer != -1)
		close(stream->peer);
	stream->peer = -1;
}

/* As little or as much room on the way to the peer and back as the kernel allows. */
static inline void given_stream_set_room(struct given_stream *stream, int bytes)
{
	assert_int_equal(setsockopt(stream->transport.source.fd, SOL_SOCKET, SO_SNDBUF, &bytes,
				    sizeof(bytes)),
			 0);
	assert_int_equal(setsockopt(stream->peer, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
}

/* A buffer with exactly that room, so that a byte too many is seen. */
static inline struct iobuf *given_iobuf(uint32_t room)
{
	struct iobuf *buf = malloc(sizeof(*buf) + room);

	assert_non_null(buf);
	*buf = (struct iobuf){.room = room};
	return buf;
}
