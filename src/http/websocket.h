/* SPDX-License-Identifier: Apache-2.0 */
/* The WebSocket handshake (RFC 6455, 4): what of it a proxy must check. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* 22 base64 characters and "==": 16 bytes. */
bool websocket_key_is_valid(struct span key);

enum { WEBSOCKET_KEY_BYTES = 24, WEBSOCKET_NONCE_BYTES = 16 };

/* The key of a handshake that Ingot begins itself, from random bytes. */
void websocket_key_write(char key[static WEBSOCKET_KEY_BYTES],
			 const uint8_t nonce[static WEBSOCKET_NONCE_BYTES]);

/* Whether accept is the right answer to that key: base64(SHA-1(key + GUID)). The first call in a
 * process makes libcrypto read its configuration file: a worker makes one before its fence. */
bool websocket_accept_fits(struct span key, struct span accept);

/* Once at start, before the process gives up opening files: libcrypto reads its configuration with the first
 * digest. Ends the process when the digest is not the one that RFC 6455, 1.3 gives as an example. */
void websocket_init(void);
