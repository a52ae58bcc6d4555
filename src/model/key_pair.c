/* SPDX-License-Identifier: Apache-2.0 */
#include "model/key_pair.h"

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"
#include "base/pem.h"

enum { CHAIN_MAX = 10, CHAIN_BYTES_MAX = 64 * 1024, NAMES_MAX = 1000 };
enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 4096 };
enum { KEY_NAME_MAX = 64, CURVE_NAME_MAX = 64, POINT_BYTES_MAX = 1 + 2 * 66 /* of P-521 */ };

void key_pair_fini(struct key_pair *pair)
{
	buf_fini(&pair->chain);
	buf_wipe(&pair->key);
	buf_fini(&pair->names);
	*pair = (struct key_pair){0};
}

/* A block of PEM text. */
struct block {
	char *name;
	char *header;
	unsigned char *bytes;
	long length;
};

static bool next_block(BIO *text, struct block *block)
{
	*block = (struct block){0};
	return PEM_read_bio(text, &block->name, &block->header, &block->bytes, &block->length) == 1;
}

static void free_block(struct block *block)
{
	OPENSSL_free(block->name);
	OPENSSL_free(block->header);
	OPENSSL_clear_free(block->bytes, (size_t)block->length);
}

static bool is_certificate(const struct block *block)
{
	return strcmp(block->name, PEM_STRING_X509) == 0 ||
	       strcmp(block->name, PEM_STRING_X509_OLD) == 0;
}

/* A library that has no algorithms: reading a certificate with it leaves the public key in there as bytes. With any
 * other libcrypto prepares a decoder for the key of each certificate, which takes ten times as long as the rest. */
static OSSL_LIB_CTX *library_without_keys(void)
{
	static OSSL_LIB_CTX *library;

	if (library != NULL)
		return library;
	library = OSSL_LIB_CTX_new();
	BUG_ON(library == NULL || OSSL_PROVIDER_load(library, "null") == NULL);
	return library;
}

/* Its public key is not looked at. */
static X509 *decode(const struct block *block)
{
	const unsigned char *at = block->bytes;
	X509 *certificate = (X509 *)ASN1_item_d2i_ex(NULL, &at, block->length, ASN1_ITEM_rptr(X509),
						     library_without_keys(), NULL);

	if (certificate == NULL || at == block->bytes + block->length)
		return certificate;
	X509_free(certificate);
	return NULL;
}

/*
 * Keys. What libcrypto needs to read one takes it far longer to prepare than to use: for the kinds that everybody has
 * it is kept.
 */

enum key_half { PRIVATE_HALF, PUBLIC_HALF };

static const struct {
	const char *structure;
	int selection;
} halves[] = {
	[PRIVATE_HALF] = {"PrivateKeyInfo", EVP_PKEY_KEYPAIR},
	[PUBLIC_HALF] = {"SubjectPublicKeyInfo", EVP_PKEY_PUBLIC_KEY},
};

static const struct {
	int algorithm;
	const char *name;
} key_kinds[] = {{NID_X9_62_id_ecPublicKey, "EC"}, {NID_rsaEncryption, "RSA"}};

enum { KEY_KINDS = sizeof(key_kinds) / sizeof(key_kinds[0]) };

/* NULL: the algorithm is none of these, or the bytes are no key of it. */
static EVP_PKEY *decode_half(enum key_half half, const ASN1_OBJECT *algorithm, struct span bytes)
{
	static OSSL_DECODER_CTX *decoders[sizeof(halves) / sizeof(halves[0])][KEY_KINDS];
	static EVP_PKEY *key; /* where all of them put it */
	const unsigned char *at = (const unsigned char *)bytes.ptr;
	size_t length = bytes.len;
	unsigned kind = 0;

	while (kind < KEY_KINDS && key_kinds[kind].algorithm != OBJ_obj2nid(algorithm))
		kind++;
	if (kind == KEY_KINDS)
		return NULL;
	if (decoders[half][kind] == NULL)
		decoders[half][kind] = OSSL_DECODER_CTX_new_for_pkey(
			&key, "DER", halves[half].structure, key_kinds[kind].name,
			halves[half].selection, NULL, NULL);
	key = NULL;
	if (decoders[half][kind] == NULL ||
	    OSSL_DECODER_from_data(decoders[half][kind], &at, &length) != 1)
		return NULL;
	if (length == 0)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

/* A PKCS #8 key of the usual kinds. */
static EVP_PKEY *decode_key(const struct block *block)
{
	const unsigned char *at = block->bytes;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, block->length);
	const ASN1_OBJECT *algorithm = NULL;
	EVP_PKEY *key = NULL;

	if (info != NULL && PKCS8_pkey_get0(&algorithm, NULL, NULL, NULL, info) == 1)
		key = decode_half(PRIVATE_HALF, algorithm,
				  span_make((const char *)block->bytes, (size_t)block->length));
	PKCS8_PRIV_KEY_INFO_free(info);
	return key;
}

/* The key of a certificate, of any kind. */
static EVP_PKEY *public_key(const X509 *certificate)
{
	X509_PUBKEY *info = X509_get_X509_PUBKEY(certificate);
	ASN1_OBJECT *algorithm = NULL;
	unsigned char *der = NULL;
	int length = i2d_X509_PUBKEY(info, &der);
	const unsigned char *at = der;
	EVP_PKEY *key = NULL;

	if (length > 0 && X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL, info) == 1)
		key = decode_half(PUBLIC_HALF, algorithm,
				  span_make((const char *)der, (size_t)length));
	if (key == NULL && length > 0)
		key = d2i_PUBKEY(NULL, &at, length);
	OPENSSL_free(der);
	return key;
}

/*
 * Certificates
 */

/* Bits of security that libssl asks of each certificate that it shows: of the system's level, which workers have too
 * (SSL_CTX_set_security_level(3)). */
static int bits_required(void)
{
	static const int bits_by_level[] = {0, 80, 112, 128, 192, 256};
	static int bits = -1;
	SSL_CTX *ssl_ctx;
	int level;

	if (bits != -1)
		return bits;
	ssl_ctx = SSL_CTX_new(TLS_method());
	BUG_ON(ssl_ctx == NULL);
	level = SSL_CTX_get_security_level(ssl_ctx);
	SSL_CTX_free(ssl_ctx);
	bits = bits_by_level[level < 0 ? 0 : level > 5 ? 5 : level];
	return bits;
}

/* Nobody looks at the signature of such a one. It takes its key to know, and so a library that has algorithms. */
static bool signs_itself(const struct block *block)
{
	const unsigned char *at = block->bytes;
	X509 *certificate = d2i_X509(NULL, &at, block->length);
	bool result = certificate != NULL &&
		      (X509_get_extension_flags(certificate) & EXFLAG_SS) != 0;

	X509_free(certificate);
	return result;
}

static int judge_signature(X509 *certificate, const struct block *block, int number,
			   struct error *err)
{
	int bits;

	if (X509_get_signature_info(certificate, NULL, NULL, &bits, NULL) != 1)
		bits = -1;
	if (bits >= bits_required() || signs_itself(block))
		return 0;
	return error_set(err, "certificate %d of tls.crt is signed by %s, which is too weak",
			 number, OBJ_nid2ln(X509_get_signature_nid(certificate)));
}

static int judge_strength(const EVP_PKEY *key, const char *whose, struct error *err)
{
	int bits = key == NULL ? -1 : EVP_PKEY_get_security_bits(key);

	if (bits >= bits_required())
		return 0;
	return error_set(err, "%s is too weak: %d bits of security where %d are required", whose,
			 bits < 0 ? 0 : bits, bits_required());
}

/* Of a certificate behind the first. */
static int judge_certificate(const struct block *block, int number, struct error *err)
{
	X509 *certificate = decode(block);
	EVP_PKEY *key = certificate == NULL ? NULL : public_key(certificate);
	char whose[KEY_NAME_MAX];
	int result;

	snprintf(whose, sizeof(whose), "the key of certificate %d of tls.crt", number);
	if (certificate == NULL)
		result = error_set(err, "certificate %d of tls.crt is none that can be read",
				   number);
	else
		result = judge_strength(key, whose, err);
	if (result == 0)
		result = judge_signature(certificate, block, number, err);
	EVP_PKEY_free(key);
	X509_free(certificate);
	return result;
}

/* The same. Thousands of Secrets share the same few intermediate ones: the last that were right are known. */
static int judge_known(const struct block *block, int number, struct error *err)
{
	enum { KNOWN = 64 };
	static unsigned char known[KNOWN][SHA256_DIGEST_LENGTH];
	static unsigned next;
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256(block->bytes, (size_t)block->length, digest);
	for (unsigned i = 0; i < KNOWN; i++)
		if (memcmp(known[i], digest, sizeof(digest)) == 0)
			return 0;
	if (judge_certificate(block, number, err) == -1)
		return -1;
	memcpy(known[next++ % KNOWN], digest, sizeof(digest));
	return 0;
}

static X509 *take_leaf(const struct block *block, struct error *err)
{
	X509 *leaf = decode(block);

	if (leaf == NULL)
		error_set(err, "certificate 1 of tls.crt is none that can be read");
	else if (judge_signature(leaf, block, 1, err) == 0)
		return leaf;
	X509_free(leaf);
	return NULL;
}

/* Appends the certificate; the first is the leaf. */
static int take_certificate(struct key_pair *pair, const struct block *block, int count,
			    X509 **leaf, struct error *err)
{
	if (count == 1)
		*leaf = take_leaf(block, err);
	if (count == 1 ? *leaf == NULL : judge_known(block, count, err) == -1)
		return -1;
	buf_add(&pair->chain, span_make((const char *)block->bytes, (size_t)block->length));
	if (count <= CHAIN_MAX && pair->chain.len <= CHAIN_BYTES_MAX)
		return 0;
	return error_set(err, "tls.crt has more than the %d certificates or %d bytes allowed",
			 CHAIN_MAX, CHAIN_BYTES_MAX);
}

/* The certificate itself, or NULL with the reason. */
static X509 *read_chain(struct key_pair *pair, struct span pem, struct error *err)
{
	BIO *text = pem_open(pem);
	X509 *leaf = NULL;
	struct block block;
	int count = 0;
	int result = 0;

	while (result == 0 && text != NULL && next_block(text, &block)) {
		if (is_certificate(&block))
			result = take_certificate(pair, &block, ++count, &leaf, err);
		free_block(&block);
	}
	BIO_free(text);
	if (count == 0)
		error_set(err, "tls.crt holds no certificate in PEM form");
	if (result == 0)
		return leaf;
	X509_free(leaf);
	return NULL;
}

static bool is_curve(EVP_PKEY *key)
{
	static const char *const curves[] = {"prime256v1", "P-256",     "secp384r1",
					     "P-384",      "secp521r1", "P-521"};
	char name[CURVE_NAME_MAX];
	size_t length;

	if (EVP_PKEY_get_group_name(key, name, sizeof(name), &length) != 1)
		return false;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (strcmp(name, curves[i]) == 0)
			return true;
	return false;
}

/* Other keys let a tenant burn a core with handshakes, or protect nobody (security spec, K5). */
static int judge_key(struct key_pair *pair, EVP_PKEY *key, struct error *err)
{
	int bits = EVP_PKEY_get_bits(key);

	pair->kind = KEY_PAIR_ECDSA;
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		pair->kind = KEY_PAIR_RSA;
		if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
			return 0;
		return error_set(err, "tls.key is an RSA key of %d bits; %d to %d are accepted",
				 bits, RSA_BITS_MIN, RSA_BITS_MAX);
	case EVP_PKEY_EC:
		if (is_curve(key))
			return 0;
		return error_set(err, "tls.key is on a curve other than P-256, P-384 and P-521");
	case EVP_PKEY_ED25519:
		return 0;
	default:
		return error_set(err, "tls.key is neither RSA, ECDSA nor Ed25519");
	}
}

static int write_key(struct key_pair *pair, EVP_PKEY *key)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;
	int length = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);

	PKCS8_PRIV_KEY_INFO_free(info);
	if (length <= 0)
		return -1;
	buf_reserve(&pair->key, (size_t)length);
	buf_add(&pair->key, span_make((const char *)der, (size_t)length));
	OPENSSL_clear_free(der, (size_t)length);
	return 0;
}

/* The curve that the certificate names; NID_undef: its key is none of ECDSA, or describes a curve of its own. */
static int named_curve(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *kind;
	const void *value;
	int type;

	X509_ALGOR_get0(&kind, &type, &value, algorithm);
	return OBJ_obj2nid(kind) == NID_X9_62_id_ecPublicKey && type == V_ASN1_OBJECT
		       ? OBJ_obj2nid(value)
		       : NID_undef;
}

/* Whether the certificate shows the very bytes of the key's point, on the same curve. So it is as good as always, and
 * saves to make a key of them, which is as much work as to read the private one. */
static bool is_same_point(const X509 *certificate, const EVP_PKEY *key)
{
	unsigned char point[POINT_BYTES_MAX];
	char curve[CURVE_NAME_MAX];
	const unsigned char *shown;
	int shown_length;
	X509_ALGOR *algorithm;
	size_t length;

	return X509_PUBKEY_get0_param(NULL, &shown, &shown_length, &algorithm,
				      X509_get_X509_PUBKEY(certificate)) == 1 &&
	       named_curve(algorithm) != NID_undef &&
	       EVP_PKEY_get_group_name(key, curve, sizeof(curve), &length) == 1 &&
	       OBJ_txt2nid(curve) == named_curve(algorithm) &&
	       EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					       &length) == 1 &&
	       length == (size_t)shown_length && memcmp(point, shown, length) == 0;
}

/* Whether both are of one pair. */
static bool is_key_of(const X509 *certificate, const EVP_PKEY *key)
{
	EVP_PKEY *public;
	bool is_equal;

	if (is_same_point(certificate, key))
		return true;
	public = public_key(certificate);
	is_equal = public != NULL && EVP_PKEY_eq(public, key) == 1;
	EVP_PKEY_free(public);
	return is_equal;
}

/* A key in another form, or of another kind. */
static EVP_PKEY *read_other_key(struct span pem)
{
	BIO *text = pem_open(pem);
	EVP_PKEY *key = text == NULL ? NULL
				     : PEM_read_bio_PrivateKey(text, NULL, pem_no_passphrase, NULL);

	BIO_free(text);
	return key;
}

/* The key, and its bytes where they are in the form that workers read. */
static EVP_PKEY *read_pem_key(struct key_pair *pair, struct span pem)
{
	BIO *text = pem_open(pem);
	EVP_PKEY *key = NULL;
	struct block block;

	while (key == NULL && text != NULL && next_block(text, &block)) {
		if (strcmp(block.name, PEM_STRING_PKCS8INF) == 0)
			key = decode_key(&block);
		if (key != NULL) {
			buf_reserve(&pair->key, (size_t)block.length);
			buf_add(&pair->key,
				span_make((const char *)block.bytes, (size_t)block.length));
		}
		free_block(&block);
	}
	BIO_free(text);
	return key != NULL ? key : read_other_key(pem);
}

static int read_key(struct key_pair *pair, struct span pem, X509 *leaf, struct error *err)
{
	EVP_PKEY *key = read_pem_key(pair, pem);
	int result = -1;

	if (key == NULL)
		return error_set(err,
				 "tls.key holds no private key in PEM form without passphrase");
	if (judge_key(pair, key, err) == 0 && judge_strength(key, "tls.key", err) == 0) {
		if (!is_key_of(leaf, key))
			error_set(err,
				  "tls.key is not the key of the first certificate of tls.crt");
		else if (pair->key.len == 0 && write_key(pair, key) == -1)
			error_set(err, "tls.key cannot be written in the form that workers read");
		else
			result = 0;
	}
	EVP_PKEY_free(key);
	return result;
}

static void add_name(struct key_pair *pair, const ASN1_STRING *text)
{
	const char *bytes = (const char *)ASN1_STRING_get0_data(text);
	size_t length = (size_t)ASN1_STRING_length(text);

	for (size_t i = 0; i < length; i++)
		if (bytes[i] <= ' ' || bytes[i] > '~')
			return; /* no host has such a name */
	for (size_t i = 0; i < length; i++)
		buf_add_byte(&pair->names,
			     bytes[i] >= 'A' && bytes[i] <= 'Z' ? (char)(bytes[i] + 32) : bytes[i]);
	buf_add_byte(&pair->names, '\n');
}

/* The common name counts where there are no others, as it did long ago (compat spec, 17.1). */
static void add_common_name(struct key_pair *pair, const X509 *leaf)
{
	const X509_NAME *subject = X509_get_subject_name(leaf);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at >= 0)
		add_name(pair, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static void read_names(struct key_pair *pair, const X509 *leaf)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names) && i < NAMES_MAX; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			add_name(pair, name->d.dNSName);
	}
	if (names == NULL)
		add_common_name(pair, leaf);
	GENERAL_NAMES_free(names);
}

static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm parts;

	return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

int key_pair_read(struct key_pair *pair, struct span chain_pem, struct span key_pem,
		  struct error *err)
{
	X509 *leaf;
	int result = -1;

	*pair = (struct key_pair){0};
	leaf = read_chain(pair, chain_pem, err);
	if (leaf != NULL) {
		read_names(pair, leaf);
		pair->not_before = seconds_of(X509_get0_notBefore(leaf));
		pair->not_after = seconds_of(X509_get0_notAfter(leaf));
		result = read_key(pair, key_pem, leaf, err);
	}
	X509_free(leaf);
	ERR_clear_error(); /* what it says is in err, in our words */
	if (result == -1)
		key_pair_fini(pair);
	return result;
}

/* A wildcard stands for exactly one label (RFC 6125, 6.4.3). */
static bool matches(struct span name, struct span host)
{
	size_t dot;

	if (span_equals(name, host))
		return true;
	if (!span_starts_with(name, S("*.")) || span_starts_with(host, S("*.")))
		return false;
	dot = span_find(host, '.');
	return dot != SIZE_MAX && dot > 0 && span_equals(span_skip(name, 1), span_skip(host, dot));
}

bool key_pair_covers(struct span names, struct span host)
{
	while (names.len > 0)
		if (matches(span_cut(&names, '\n'), host))
			return true;
	return false;
}
