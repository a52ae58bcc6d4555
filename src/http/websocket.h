/* SPDX-License-Identifier: Apache-2.0 */
/* The WebSocket handshake (RFC 6455, 4): what of it a proxy must check. */
#pragma once

#include <stdbool.h>

#include "base/span.h"

/* 22 base64 characters and "==": 16 bytes. */
bool websocket_key_is_valid(struct span key);

/* Whether accept is the right answer to that key: base64(SHA-1(key + GUID)). The first call in a
 * process makes libcrypto read its configuration file: a worker makes one before its fence. */
bool websocket_accept_fits(struct span key, struct span accept);

/* Once at start, before the process gives up opening files: libcrypto reads its configuration with the first
 * digest. Ends the process when the digest is not the one that RFC 6455, 1.3 gives as an example. */
void websocket_init(void);
