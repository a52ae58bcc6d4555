/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_frames.h"

#include <string.h>

static size_t take_payload(struct h2_frames *frames, size_t available)
{
	size_t taken = available < frames->left ? available : frames->left;

	frames->left -= (uint32_t)taken;
	return taken;
}

static size_t take_head(struct h2_frames *frames, struct span bytes)
{
	size_t missing = H2_FRAME_HEAD_BYTES - frames->head_length;
	size_t taken = bytes.len < missing ? bytes.len : missing;

	memcpy(frames->head + frames->head_length, bytes.ptr, taken);
	frames->head_length = (uint8_t)(frames->head_length + taken);
	return taken;
}

static struct h2_frame read_head(const uint8_t head[static H2_FRAME_HEAD_BYTES])
{
	return (struct h2_frame){
		.length = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2],
		.type = head[3],
		.flags = head[4],
		.stream_id = ((uint32_t)head[5] & 0x7f) << 24 | (uint32_t)head[6] << 16 |
			     (uint32_t)head[7] << 8 | head[8],
	};
}

struct h2_frames_result h2_frames_next(struct h2_frames *frames, struct span bytes)
{
	struct h2_frames_result result = {0};

	if (bytes.len == 0)
		return result;
	if (frames->left > 0) {
		result.consumed = take_payload(frames, bytes.len);
		return result;
	}
	result.consumed = take_head(frames, bytes);
	if (frames->head_length < H2_FRAME_HEAD_BYTES)
		return result;
	frames->head_length = 0;
	result.begun = true;
	result.frame = read_head(frames->head);
	frames->left = result.frame.length;
	result.consumed += take_payload(frames, bytes.len - result.consumed);
	return result;
}
