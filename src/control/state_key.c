/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state_key.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/file.h"

enum { MAGIC_SIZE = 8, VERSION = 1, NONCE_SIZE = 12, TAG_SIZE = 16 };

enum {
	VERSION_AT = MAGIC_SIZE,
	KIND_AT = VERSION_AT + 4,
	ID_AT = KIND_AT + 4,
	NONCE_AT = ID_AT + STATE_KEY_ID_SIZE,
	HEADER_SIZE = NONCE_AT + NONCE_SIZE,
};

static_assert(HEADER_SIZE + TAG_SIZE == STATE_KEY_OVERHEAD, "all of it");

/* libcrypto counts in int */
static_assert(TABLE_SEGMENT_MAX <= INT32_MAX, "a table in one call");

static const char magic[MAGIC_SIZE + 1] = "INGOT-EN";

/* Of a file of base64: groups of three bytes in four signs, the last one short of a byte; and room so that what was
 * read of a key is in one place. */
enum { BASE64_SIGNS = 44, BASE64_ROOM = 33, FILE_BYTES_MAX = 4096, FILE_ROOM = 64 * 1024 };

/*
 * The file
 */

void state_key_wipe(struct state_key *key)
{
	explicit_bzero(key, sizeof(*key));
}

static bool decode(struct span text, uint8_t bytes[static STATE_KEY_SIZE])
{
	unsigned char decoded[BASE64_ROOM];
	bool is_key = text.len == BASE64_SIGNS && text.ptr[BASE64_SIGNS - 1] == '=' &&
		      text.ptr[BASE64_SIGNS - 2] != '=' &&
		      EVP_DecodeBlock(decoded, (const unsigned char *)text.ptr, BASE64_SIGNS) ==
			      BASE64_ROOM;

	if (is_key)
		memcpy(bytes, decoded, STATE_KEY_SIZE);
	explicit_bzero(decoded, sizeof(decoded));
	return is_key;
}

static int take_bytes(struct state_key *key, const char *path, struct span content,
		      struct error *err)
{
	struct span text = content; /* without the end of the line */

	while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
		text.len--;
	if (content.len == STATE_KEY_SIZE)
		memcpy(key->bytes, content.ptr, STATE_KEY_SIZE);
	else if (!decode(text, key->bytes))
		return error_set(
			err,
			"%s has %zu bytes and is no key; a key is %d bytes by chance, as they "
			"are or in base64 (openssl rand -base64 32)",
			path, content.len, STATE_KEY_SIZE);
	return 0;
}

/* Says nothing of the key to who reads the directory. */
static int make_id(struct state_key *key, struct error *err)
{
	static const unsigned char label[] = "ingot state key id";
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (HMAC(EVP_sha256(), key->bytes, STATE_KEY_SIZE, label, sizeof(label), digest, NULL) ==
	    NULL) {
		ERR_clear_error();
		return error_set(err, "libcrypto cannot use the key");
	}
	memcpy(key->id, digest, sizeof(key->id));
	return 0;
}

int state_key_read(const char *path, struct state_key *key, struct error *err)
{
	struct buf content = {0};
	int result = -1;

	buf_reserve(&content, FILE_ROOM);
	if (file_read_secret(path, FILE_BYTES_MAX, &content, err) == 0 &&
	    take_bytes(key, path, buf_span(&content), err) == 0)
		result = make_id(key, err);
	buf_wipe(&content);
	if (result == -1)
		state_key_wipe(key);
	return result;
}

/*
 * Tables
 */

static void put_u32(unsigned char *at, uint32_t number)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (unsigned char)(number >> (8 * i));
}

/* Everything but the nonce. */
static void write_header(unsigned char header[static HEADER_SIZE], const struct state_key *key,
			 enum table_kind kind)
{
	memcpy(header, magic, MAGIC_SIZE);
	put_u32(header + VERSION_AT, VERSION);
	put_u32(header + KIND_AT, (uint32_t)kind);
	memcpy(header + ID_AT, key->id, STATE_KEY_ID_SIZE);
}

enum direction { UNSEAL, SEAL };

/* All but the end: to seal, the tag is made there; to unseal, it is judged there. */
static bool run_cipher(EVP_CIPHER_CTX *cipher, enum direction direction,
		       const struct state_key *key, const unsigned char *header, struct span from,
		       unsigned char *into)
{
	int length;

	return EVP_CipherInit_ex2(cipher, EVP_aes_256_gcm(), key->bytes, header + NONCE_AT,
				  direction == SEAL, NULL) == 1 &&
	       EVP_CipherUpdate(cipher, NULL, &length, header, HEADER_SIZE) == 1 &&
	       EVP_CipherUpdate(cipher, into, &length, (const unsigned char *)from.ptr,
				(int)from.len) == 1 &&
	       (size_t)length == from.len;
}

static bool seal(EVP_CIPHER_CTX *cipher, const struct state_key *key, enum table_kind kind,
		 struct span table, unsigned char *sealed)
{
	unsigned char *tag = sealed + HEADER_SIZE + table.len;
	int length;

	write_header(sealed, key, kind);
	/* not base/random: its stock is the same in a child as in its parent */
	return RAND_bytes(sealed + NONCE_AT, NONCE_SIZE) == 1 &&
	       run_cipher(cipher, SEAL, key, sealed, table, sealed + HEADER_SIZE) &&
	       EVP_CipherFinal_ex(cipher, tag, &length) == 1 &&
	       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) == 1;
}

int state_key_seal(const struct state_key *key, enum table_kind kind, struct span table,
		   struct buf *out, struct error *err)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	unsigned char *sealed = (unsigned char *)buf_reserve(out, table.len + STATE_KEY_OVERHEAD);
	bool is_sealed = cipher != NULL && table.len <= TABLE_SEGMENT_MAX &&
			 seal(cipher, key, kind, table, sealed);

	EVP_CIPHER_CTX_free(cipher);
	if (!is_sealed) {
		ERR_clear_error();
		return error_set(err, "libcrypto cannot encrypt the table");
	}
	out->len += table.len + STATE_KEY_OVERHEAD;
	return 0;
}

static bool unseal(const struct state_key *key, struct span sealed, unsigned char *into)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	const unsigned char *header = (const unsigned char *)sealed.ptr;
	struct span encrypted = span_make(sealed.ptr + HEADER_SIZE,
					  sealed.len - STATE_KEY_OVERHEAD);
	char *tag = (char *)sealed.ptr + sealed.len - TAG_SIZE; /* is only read */
	int length;
	bool is_good = cipher != NULL && run_cipher(cipher, UNSEAL, key, header, encrypted, into) &&
		       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1 &&
		       EVP_CipherFinal_ex(cipher, into + encrypted.len, &length) == 1;

	EVP_CIPHER_CTX_free(cipher);
	ERR_clear_error();
	return is_good;
}

static enum state_key_result judge(const struct state_key *key, enum table_kind kind,
				   struct span sealed, struct error *err)
{
	unsigned char expected[HEADER_SIZE];

	write_header(expected, key, kind);
	if (sealed.len < STATE_KEY_OVERHEAD ||
	    sealed.len > (size_t)TABLE_SEGMENT_MAX + STATE_KEY_OVERHEAD ||
	    memcmp(sealed.ptr, expected, ID_AT) != 0) {
		error_set(err, "it is no encrypted table that this version of Ingot knows");
		return STATE_KEY_BAD;
	}
	if (memcmp(sealed.ptr + ID_AT, expected + ID_AT, STATE_KEY_ID_SIZE) != 0) {
		error_set(err, "it is encrypted with another key");
		return STATE_KEY_OTHER;
	}
	return STATE_KEY_OPENED;
}

enum state_key_result state_key_unseal(const struct state_key *key, enum table_kind kind,
				       struct span sealed, struct buf *out, struct error *err)
{
	enum state_key_result result = judge(key, kind, sealed, err);
	size_t length = sealed.len - STATE_KEY_OVERHEAD;
	char *into;

	if (result != STATE_KEY_OPENED)
		return result;
	into = buf_reserve(out, length + TAG_SIZE); /* libcrypto may ask for a block more */
	if (!unseal(key, sealed, (unsigned char *)into)) {
		explicit_bzero(into, length);
		error_set(err, "what is encrypted is not what was written");
		return STATE_KEY_BAD;
	}
	out->len += length;
	return STATE_KEY_OPENED;
}
