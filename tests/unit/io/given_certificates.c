/* SPDX-License-Identifier: Apache-2.0 */
#include "given_certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/bug.h"

enum { VALID_DAYS = 10, DAY_S = 24 * 60 * 60, ISSUERS_MAX = 32, TEXTS_MAX = 128 };

struct given_issuer {
	X509 *certificate;
	EVP_PKEY *key;
	struct given_issuer *above; /* NULL: a root */
	struct span trust;
};

/* Until the end of the process, where a leak checker can see them. */
static struct given_issuer issuers[ISSUERS_MAX];
static size_t issuer_count;
static BIO *texts[TEXTS_MAX];
static size_t text_count;
static long next_serial = 1;

static BIO *new_text(void)
{
	assert_true(text_count < TEXTS_MAX);
	texts[text_count] = BIO_new(BIO_s_mem());
	return texts[text_count++];
}

static struct span text_of(BIO *bio)
{
	char *bytes;
	long length = BIO_get_mem_data(bio, &bytes);

	return span_make(bytes, (size_t)length);
}

static EVP_PKEY *new_key(enum given_key kind)
{
	EVP_PKEY *key = kind == GIVEN_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");

	assert_non_null(key);
	return key;
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX about;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&about, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &about, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void add_names(X509 *certificate, X509 *issuer, const struct given_certificate *wanted)
{
	char names[512];

	if (wanted->is_authority)
		return;
	if (wanted->ip == NULL)
		snprintf(names, sizeof(names), "DNS:%s", wanted->name);
	else
		snprintf(names, sizeof(names), "DNS:%s,IP:%s", wanted->name, wanted->ip);
	add_extension(certificate, issuer, NID_subject_alt_name, names);
}

static void set_subject(X509 *certificate, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(certificate);

	assert_int_equal(X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
						    (const unsigned char *)"Ingot, Tests", -1, -1,
						    0),
			 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
						    (const unsigned char *)name, -1, -1, 0),
			 1);
}

static X509 *new_certificate(const struct given_issuer *issuer, EVP_PKEY *key,
			     const struct given_certificate *wanted)
{
	X509 *certificate = X509_new();
	X509 *signer = issuer == NULL ? certificate : issuer->certificate;
	int days_to = wanted->days_to == 0 ? VALID_DAYS : wanted->days_to;

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), next_serial++);
	X509_gmtime_adj(X509_getm_notBefore(certificate), (long)wanted->days_from * DAY_S - 60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days_to * DAY_S);
	set_subject(certificate, wanted->name);
	X509_set_issuer_name(certificate, X509_get_subject_name(signer));
	X509_set_pubkey(certificate, key);
	add_extension(certificate, signer, NID_basic_constraints,
		      wanted->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_names(certificate, signer, wanted);
	assert_true(X509_sign(certificate, issuer == NULL ? key : issuer->key,
			      wanted->by_sha1 ? EVP_sha1() : EVP_sha256()) > 0);
	return certificate;
}

static struct given_issuer *new_issuer(struct given_issuer *above, const char *name)
{
	struct given_certificate wanted = {.name = name, .is_authority = true};
	struct given_issuer *issuer;
	BIO *bio = new_text();

	assert_true(issuer_count < ISSUERS_MAX);
	issuer = &issuers[issuer_count++];
	issuer->above = above;
	issuer->key = new_key(GIVEN_EC);
	issuer->certificate = new_certificate(above, issuer->key, &wanted);
	assert_int_equal(PEM_write_bio_X509(bio, issuer->certificate), 1);
	issuer->trust = text_of(bio);
	return issuer;
}

struct given_issuer *given_authority(const char *name)
{
	return new_issuer(NULL, name);
}

struct given_issuer *given_intermediate(struct given_issuer *issuer, const char *name)
{
	return new_issuer(issuer, name);
}

struct span given_trust(const struct given_issuer *issuer)
{
	return issuer->trust;
}

static void write_certificate(BIO *bio, X509 *certificate, enum given_form form)
{
	if (form == GIVEN_PEM)
		assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	else
		assert_int_equal(i2d_X509_bio(bio, certificate), 1);
}

static struct span write_chain(const struct given_issuer *issuer, X509 *leaf, enum given_form form)
{
	BIO *bio = new_text();

	write_certificate(bio, leaf, form);
	for (; issuer != NULL && issuer->above != NULL; issuer = issuer->above)
		write_certificate(bio, issuer->certificate, form);
	return text_of(bio);
}

static struct span write_key(EVP_PKEY *key, enum given_form form)
{
	BIO *bio = new_text();

	if (form == GIVEN_PEM)
		assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	else
		assert_int_equal(i2d_PrivateKey_bio(bio, key), 1);
	return text_of(bio);
}

struct tls_identity given_identity(struct given_issuer *issuer,
				   const struct given_certificate *certificate)
{
	EVP_PKEY *key = new_key(certificate->key);
	X509 *leaf = new_certificate(issuer, key, certificate);
	struct tls_identity identity = {
		.chain = write_chain(issuer, leaf, certificate->form),
		.key = write_key(key, certificate->form),
	};

	X509_free(leaf);
	EVP_PKEY_free(key);
	return identity;
}

static X509 *read_leaf(const struct tls_identity *identity)
{
	BIO *bio = BIO_new_mem_buf(identity->chain.ptr, (int)identity->chain.len);
	X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	assert_non_null(leaf);
	BIO_free(bio);
	return leaf;
}

struct span given_revocation(struct given_issuer *issuer, const struct tls_identity *identity)
{
	X509 *leaf = read_leaf(identity);
	X509_CRL *list = X509_CRL_new();
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, -60);
	ASN1_TIME *later = X509_gmtime_adj(NULL, DAY_S);
	BIO *bio = new_text();

	X509_CRL_set_version(list, 1);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->certificate));
	X509_CRL_set1_lastUpdate(list, now);
	X509_CRL_set1_nextUpdate(list, later);
	X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(leaf));
	X509_REVOKED_set_revocationDate(entry, now);
	assert_int_equal(X509_CRL_add0_revoked(list, entry), 1);
	assert_true(X509_CRL_sign(list, issuer->key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509_CRL(bio, list), 1);
	ASN1_TIME_free(now);
	ASN1_TIME_free(later);
	X509_CRL_free(list);
	X509_free(leaf);
	return text_of(bio);
}

struct span given_encrypted_key(void)
{
	EVP_PKEY *key = new_key(GIVEN_EC);
	BIO *bio = new_text();

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(),
						  (const unsigned char *)"secret", 6, NULL, NULL),
			 1);
	EVP_PKEY_free(key);
	return text_of(bio);
}
