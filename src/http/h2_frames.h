/* SPDX-License-Identifier: Apache-2.0 */
/* Where frames of HTTP/2 begin and end (RFC 9113, 4.1). nghttp2 reads what is in them; but it is silent
 * about frames that it ignores (unknown types, streams that are gone, the rest of a refused header
 * block), and just these a flood is made of. So each frame is seen here before it is read there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum h2_frame_type {
	H2_FRAME_DATA,
	H2_FRAME_HEADERS,
	H2_FRAME_PRIORITY,
	H2_FRAME_RST_STREAM,
	H2_FRAME_SETTINGS,
	H2_FRAME_PUSH_PROMISE,
	H2_FRAME_PING,
	H2_FRAME_GOAWAY,
	H2_FRAME_WINDOW_UPDATE,
	H2_FRAME_CONTINUATION,
	H2_FRAME_PRIORITY_UPDATE = 16, /* RFC 9218, 7.1 */
};

enum { H2_FRAME_HEAD_BYTES = 9, H2_PREFACE_BYTES = 24 };

enum h2_frame_flag { H2_FLAG_ACK = 1, H2_FLAG_END_STREAM = 1, H2_FLAG_END_HEADERS = 4 };

struct h2_frame {
	uint32_t length; /* of the payload, padding included */
	uint32_t stream_id;
	uint8_t type; /* enum h2_frame_type, or another */
	uint8_t flags;
};

/* How far the frames of one direction were read. */
struct h2_frames {
	uint32_t left;                     /* private: bytes of preface or payload to come */
	uint8_t head[H2_FRAME_HEAD_BYTES]; /* private: of a frame's head */
	uint8_t head_length;               /* private */
};

struct h2_frames_result {
	size_t consumed; /* up to the end of the frame or of the bytes; 0 only without bytes */
	bool begun;      /* the head of a frame became complete in these bytes */
	struct h2_frame frame; /* with begun */
};

/* preface_bytes: H2_PREFACE_BYTES for what a client sends, 0 for what a server sends. */
static inline struct h2_frames h2_frames_start(uint32_t preface_bytes)
{
	return (struct h2_frames){.left = preface_bytes};
}

/* Takes what belongs to one frame off the front of bytes. */
struct h2_frames_result h2_frames_next(struct h2_frames *frames, struct span bytes);

/* Whether everything so far was whole frames. */
static inline bool h2_frames_at_boundary(const struct h2_frames *frames)
{
	return frames->left == 0 && frames->head_length == 0;
}
