/* SPDX-License-Identifier: Apache-2.0 */
#include "http/websocket.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/bug.h"

enum { DIGEST_BYTES = 20, ACCEPT_BYTES = 28 };

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static bool is_base64(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= '0' && byte <= '9') || byte == '+' || byte == '/';
}

bool websocket_key_is_valid(struct span key)
{
	if (key.len != WEBSOCKET_KEY_BYTES || key.ptr[WEBSOCKET_KEY_BYTES - 1] != '=' ||
	    key.ptr[WEBSOCKET_KEY_BYTES - 2] != '=')
		return false;
	for (size_t i = 0; i < WEBSOCKET_KEY_BYTES - 2; i++)
		if (!is_base64(key.ptr[i]))
			return false;
	return true;
}

void websocket_key_write(char key[static WEBSOCKET_KEY_BYTES],
			 const uint8_t nonce[static WEBSOCKET_NONCE_BYTES])
{
	unsigned char text[WEBSOCKET_KEY_BYTES + 1];

	EVP_EncodeBlock(text, nonce, WEBSOCKET_NONCE_BYTES);
	memcpy(key, text, WEBSOCKET_KEY_BYTES);
}

bool websocket_accept_fits(struct span key, struct span accept)
{
	char text[WEBSOCKET_KEY_BYTES + sizeof(guid) - 1];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned char expected[ACCEPT_BYTES + 1];
	unsigned int length = 0;

	if (!websocket_key_is_valid(key) || accept.len != ACCEPT_BYTES)
		return false;
	memcpy(text, key.ptr, WEBSOCKET_KEY_BYTES);
	memcpy(text + WEBSOCKET_KEY_BYTES, guid, sizeof(guid) - 1);
	if (EVP_Digest(text, sizeof(text), digest, &length, EVP_sha1(), NULL) != 1)
		return false;
	BUG_ON(length != DIGEST_BYTES);
	EVP_EncodeBlock(expected, digest, DIGEST_BYTES);
	return memcmp(expected, accept.ptr, ACCEPT_BYTES) == 0;
}

void websocket_init(void)
{
	BUG_ON(!websocket_accept_fits(S("dGhlIHNhbXBsZSBub25jZQ=="),
				      S("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
}
