/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fallback.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/pem.h"

enum { FILE_BYTES_MAX = 64 * 1024, SECONDS_A_DAY = 86400 };

/* A file of less life than that is replaced at start. */
enum { DAYS = 365, DAYS_LEFT_MIN = 30 };

static const struct {
	const char *field;
	const char *value;
} subject[] = {{"O", "Acme Co"}, {"CN", "Kubernetes Ingress Controller Fake Certificate"}};

void fallback_fini(struct fallback *fallback)
{
	buf_fini(&fallback->chain);
	buf_wipe(&fallback->key);
}

static bool set_name(X509 *certificate)
{
	X509_NAME *name = X509_get_subject_name(certificate);

	for (size_t i = 0; i < sizeof(subject) / sizeof(subject[0]); i++)
		if (X509_NAME_add_entry_by_txt(name, subject[i].field, MBSTRING_ASC,
					       (const unsigned char *)subject[i].value, -1, -1,
					       0) != 1)
			return false;
	return X509_set_issuer_name(certificate, name) == 1;
}

static bool add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;

	X509_EXTENSION_free(extension);
	return added;
}

static bool set_serial(X509 *certificate)
{
	uint64_t serial;

	return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1;
}

static bool fill(X509 *certificate, EVP_PKEY *key)
{
	return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate), -SECONDS_A_DAY) != NULL &&
	       X509_time_adj_ex(X509_getm_notAfter(certificate), DAYS, 0, NULL) != NULL &&
	       set_name(certificate) && X509_set_pubkey(certificate, key) == 1 &&
	       add_extension(certificate, NID_subject_alt_name, "DNS:ingress.local") &&
	       add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
	       X509_sign(certificate, key, EVP_sha256()) > 0;
}

static int write_der(struct fallback *fallback, X509 *certificate, EVP_PKEY *key)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *chain = NULL;
	unsigned char *secret = NULL;
	int chain_length = i2d_X509(certificate, &chain);
	int secret_length = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &secret);
	int result = -1;

	PKCS8_PRIV_KEY_INFO_free(info);
	if (chain_length > 0 && secret_length > 0) {
		buf_add(&fallback->chain, span_make((char *)chain, (size_t)chain_length));
		buf_reserve(&fallback->key, (size_t)secret_length);
		buf_add(&fallback->key, span_make((char *)secret, (size_t)secret_length));
		result = 0;
	}
	OPENSSL_free(chain);
	if (secret_length > 0)
		OPENSSL_clear_free(secret, (size_t)secret_length);
	return result;
}

/* The file is both in PEM, for people who want to look at it. */
static int write_file(const char *path, X509 *certificate, EVP_PKEY *key, struct error *err)
{
	BIO *bytes = BIO_new(BIO_s_secmem());
	char *text = NULL;
	int result = -1;

	if (bytes == NULL || PEM_write_bio_X509(bytes, certificate) != 1 ||
	    PEM_write_bio_PrivateKey(bytes, key, NULL, NULL, 0, NULL, NULL) != 1) {
		error_set(err, "cannot write the certificate as text");
	} else {
		long length = BIO_get_mem_data(bytes, &text);

		result = file_replace(path, span_make(text, (size_t)length), 0600, err);
	}
	BIO_free(bytes);
	return result;
}

/* path: NULL: it is not kept. */
static int make(struct fallback *fallback, const char *path, struct error *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	struct error why;
	int result = -1;

	if (key != NULL && certificate != NULL && fill(certificate, key))
		result = write_der(fallback, certificate, key);
	if (result == -1)
		error_set(err, "libcrypto cannot make a certificate");
	else if (path != NULL && write_file(path, certificate, key, &why) == -1)
		log_warn("the fallback certificate is another one after a restart", "reason=\"%s\"",
			 log_quote(span_from(why.text)));
	X509_free(certificate);
	EVP_PKEY_free(key);
	return result;
}

static int parse(struct fallback *fallback, struct span text)
{
	BIO *bytes = pem_open(text);
	X509 *certificate = bytes == NULL ? NULL
					  : PEM_read_bio_X509(bytes, NULL, pem_no_passphrase, NULL);
	EVP_PKEY *key = certificate == NULL
				? NULL
				: PEM_read_bio_PrivateKey(bytes, NULL, pem_no_passphrase, NULL);
	int days = 0;
	int seconds = 0;
	int result = -1;

	if (key != NULL && X509_check_private_key(certificate, key) == 1 &&
	    ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1 &&
	    days >= DAYS_LEFT_MIN)
		result = write_der(fallback, certificate, key);
	EVP_PKEY_free(key);
	X509_free(certificate);
	BIO_free(bytes);
	return result;
}

/* False: there is none that can be used. */
static bool read_kept(struct fallback *fallback, const char *path)
{
	struct buf text = {0};
	struct error err;
	bool found;

	buf_reserve(&text, FILE_BYTES_MAX);
	found = file_read(path, FILE_BYTES_MAX, &text, &err) == 0 && text.len > 0 &&
		parse(fallback, buf_span(&text)) == 0;
	buf_wipe(&text);
	return found;
}

int fallback_get(struct fallback *fallback, const char *state_dir, struct error *err)
{
	char path[PATH_MAX];
	int result;

	*fallback = (struct fallback){0};
	if (state_dir != NULL) {
		snprintf(path, sizeof(path), "%s/fallback-certificate.pem", state_dir);
		if (read_kept(fallback, path))
			return 0;
	}
	result = make(fallback, state_dir == NULL ? NULL : path, err);
	ERR_clear_error();
	return result;
}
