/* SPDX-License-Identifier: Apache-2.0 */
/* The far end of a WebSocket, as small as it can be (RFC 6455): the answer to the handshake, and frames that
 * come back as they came. Called by echo_connection.c.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

enum { ECHO_ACCEPT_SIZE = 29, ECHO_FRAME_MAX = 32 << 10 };

/* base64(SHA-1(key + GUID)), NUL-terminated (RFC 6455, 4.2.2). */
void echo_websocket_accept(struct span key, char accept[static ECHO_ACCEPT_SIZE]);

enum echo_frame { ECHO_FRAME_MORE, ECHO_FRAME_DONE, ECHO_FRAME_CLOSE };

/* Takes one frame off the front of bytes and appends the answer to out: text, binary and continuation as they came,
 * a pong for a ping, a close for a close or for a frame that is malformed or larger than ECHO_FRAME_MAX.
 * Unmasks in place. *consumed: bytes of the frame; 0 with MORE. */
enum echo_frame echo_websocket_frame(char *bytes, size_t length, struct buf *out, size_t *consumed);
