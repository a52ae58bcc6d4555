/* SPDX-License-Identifier: Apache-2.0 */
/* The WebSocket handshake (RFC 6455, 4): what of it a proxy must check. */
#pragma once

#include <stdbool.h>

#include "base/span.h"

/* 22 base64 characters and "==": 16 bytes. */
bool websocket_key_is_valid(struct span key);

/* Whether accept is the right answer to that key: base64(SHA-1(key + GUID)). */
bool websocket_accept_fits(struct span key, struct span accept);
