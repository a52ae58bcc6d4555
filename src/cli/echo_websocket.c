/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/echo_websocket.h"

#include <openssl/evp.h>

#include "base/bug.h"

enum opcode {
	OPCODE_CONTINUATION = 0,
	OPCODE_TEXT = 1,
	OPCODE_BINARY = 2,
	OPCODE_CLOSE = 8,
	OPCODE_PING = 9,
	OPCODE_PONG = 10,
};

enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80, LENGTH = 0x7f };
enum { LENGTH_16 = 126, LENGTH_64 = 127, MASK_BYTES = 4 };
enum { CLOSE_PROTOCOL_ERROR = 1002, CLOSE_TOO_BIG = 1009 };

static const struct span guid = {"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36};

void echo_websocket_accept(struct span key, char accept[static ECHO_ACCEPT_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int size = 0;
	EVP_MD_CTX *sha1 = EVP_MD_CTX_new();

	BUG_ON(sha1 == NULL || EVP_DigestInit_ex(sha1, EVP_sha1(), NULL) != 1 ||
	       EVP_DigestUpdate(sha1, key.ptr, key.len) != 1 ||
	       EVP_DigestUpdate(sha1, guid.ptr, guid.len) != 1 ||
	       EVP_DigestFinal_ex(sha1, digest, &size) != 1 || size != 20);
	EVP_MD_CTX_free(sha1);
	EVP_EncodeBlock((unsigned char *)accept, digest, (int)size);
}

/* The fixed part of a frame (RFC 6455, 5.2). */
struct frame {
	uint8_t first; /* FIN, reserved bits, opcode */
	bool masked;
	uint64_t length;
	size_t payload_at;
};

/* False: more bytes are needed. */
static bool frame_parse(const uint8_t *bytes, size_t length, struct frame *frame)
{
	size_t extra;

	if (length < 2)
		return false;
	frame->first = bytes[0];
	frame->masked = (bytes[1] & MASKED) != 0;
	frame->length = bytes[1] & LENGTH;
	extra = frame->length == LENGTH_16 ? 2 : frame->length == LENGTH_64 ? 8 : 0;
	frame->payload_at = 2 + extra + (frame->masked ? MASK_BYTES : 0);
	if (length < frame->payload_at)
		return false;
	if (extra > 0)
		frame->length = 0;
	for (size_t i = 0; i < extra; i++)
		frame->length = frame->length << 8 | bytes[2 + i];
	return true;
}

static void write_frame(struct buf *out, uint8_t first, struct span payload)
{
	buf_add_byte(out, (char)first);
	if (payload.len < LENGTH_16) {
		buf_add_byte(out, (char)payload.len);
	} else {
		BUG_ON(payload.len > UINT16_MAX);
		buf_add_byte(out, LENGTH_16);
		buf_add_byte(out, (char)(payload.len >> 8));
		buf_add_byte(out, (char)(payload.len & 0xff));
	}
	buf_add(out, payload);
}

static enum echo_frame write_close(struct buf *out, unsigned code)
{
	const char payload[2] = {(char)(code >> 8), (char)(code & 0xff)};

	write_frame(out, FIN | OPCODE_CLOSE, span_make(payload, sizeof(payload)));
	return ECHO_FRAME_CLOSE;
}

static void unmask(char *payload, size_t length, const char *mask)
{
	for (size_t i = 0; i < length; i++)
		payload[i] ^= mask[i % MASK_BYTES];
}

enum echo_frame echo_websocket_frame(char *bytes, size_t length, struct buf *out, size_t *consumed)
{
	struct frame frame;
	struct span payload;
	unsigned opcode;

	*consumed = 0;
	if (!frame_parse((const uint8_t *)bytes, length, &frame))
		return ECHO_FRAME_MORE;
	if (!frame.masked || (frame.first & RESERVED) != 0)
		return write_close(out, CLOSE_PROTOCOL_ERROR);
	if (frame.length > ECHO_FRAME_MAX)
		return write_close(out, CLOSE_TOO_BIG);
	if (length - frame.payload_at < frame.length)
		return ECHO_FRAME_MORE;
	payload = span_make(bytes + frame.payload_at, (size_t)frame.length);
	unmask(bytes + frame.payload_at, payload.len, bytes + frame.payload_at - MASK_BYTES);
	*consumed = frame.payload_at + payload.len;
	opcode = frame.first & OPCODE;
	if (opcode == OPCODE_PONG)
		return ECHO_FRAME_DONE;
	if (opcode > OPCODE_BINARY && opcode != OPCODE_CLOSE && opcode != OPCODE_PING)
		return write_close(out, CLOSE_PROTOCOL_ERROR);
	write_frame(out, opcode == OPCODE_PING ? FIN | OPCODE_PONG : frame.first, payload);
	return opcode == OPCODE_CLOSE ? ECHO_FRAME_CLOSE : ECHO_FRAME_DONE;
}
