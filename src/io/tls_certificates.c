/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/pem.h"

int tls_certificates_error(struct error *err, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	error_set(err, "%s: %s", what, reason == NULL ? "no reason given" : reason);
	ERR_clear_error();
	return -1;
}

static bool is_pem(struct span bytes)
{
	static const char mark[] = "-----BEGIN ";

	return bytes.len > 0 && memmem(bytes.ptr, bytes.len, mark, sizeof(mark) - 1) != NULL;
}

/* The next certificate of PEM or DER; NULL: the end, or (*bad) what follows is none. */
static X509 *read_certificate(BIO *bio, bool pem, bool *bad)
{
	X509 *certificate;

	if (!pem && BIO_pending(bio) == 0)
		return NULL;
	certificate = pem ? PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL)
			  : d2i_X509_bio(bio, NULL);
	if (certificate == NULL)
		*bad = !(pem && pem_is_at_end());
	return certificate;
}

static void free_certificates(STACK_OF(X509) * certificates)
{
	sk_X509_pop_free(certificates, X509_free);
}

/* All of them, at least one. NULL with the reason. */
static STACK_OF(X509) * read_certificates(struct span bytes, struct error *err)
{
	STACK_OF(X509) *certificates = sk_X509_new_null();
	BIO *bio = pem_open(bytes);
	bool bad = certificates == NULL || bio == NULL;
	X509 *certificate;

	while (!bad && (certificate = read_certificate(bio, is_pem(bytes), &bad)) != NULL)
		bad = sk_X509_push(certificates, certificate) == 0;
	BIO_free(bio);
	if (bad) {
		tls_certificates_error(err, "a certificate cannot be read");
		free_certificates(certificates);
		return NULL;
	}
	ERR_clear_error();
	if (sk_X509_num(certificates) == 0) {
		error_set(err, "there is no certificate");
		free_certificates(certificates);
		return NULL;
	}
	return certificates;
}

static EVP_PKEY *read_key(struct span bytes, struct error *err)
{
	BIO *bio;
	EVP_PKEY *key;

	if (bytes.len == 0) {
		error_set(err, "there is no key");
		return NULL;
	}
	bio = pem_open(bytes);
	if (is_pem(bytes))
		key = PEM_read_bio_PrivateKey(bio, NULL, pem_no_passphrase, NULL);
	else
		key = d2i_PrivateKey_bio(bio, NULL);
	BIO_free(bio);
	if (key == NULL)
		tls_certificates_error(err, "the key cannot be read");
	/* decoders that were tried in vain leave their reasons behind */
	ERR_clear_error();
	return key;
}

static int use(SSL_CTX *ssl_ctx, STACK_OF(X509) * chain, EVP_PKEY *key, struct error *err)
{
	X509 *leaf = sk_X509_shift(chain);
	int result = 0;

	if (X509_check_private_key(leaf, key) != 1)
		result = tls_certificates_error(err, "the key does not belong to the certificate");
	else if (SSL_CTX_use_cert_and_key(ssl_ctx, leaf, key, chain, 0) != 1)
		result = tls_certificates_error(err, "the certificate cannot be used");
	X509_free(leaf);
	return result;
}

int tls_certificates_use(SSL_CTX *ssl_ctx, const struct tls_identity *identity, struct error *err)
{
	STACK_OF(X509) *chain = read_certificates(identity->chain, err);
	EVP_PKEY *key = chain == NULL ? NULL : read_key(identity->key, err);
	int result = -1;

	if (key != NULL)
		result = use(ssl_ctx, chain, key, err);
	EVP_PKEY_free(key);
	free_certificates(chain);
	return result;
}

/* 0, or -1 without memory. A name that is there twice is told once. */
static int trust_one(SSL_CTX *ssl_ctx, X509 *authority)
{
	if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl_ctx), authority) != 1 ||
	    SSL_CTX_add_client_CA(ssl_ctx, authority) != 1)
		return -1;
	return 0;
}

int tls_certificates_trust(SSL_CTX *ssl_ctx, struct span authorities, struct error *err)
{
	STACK_OF(X509) *certificates = read_certificates(authorities, err);
	int result = 0;

	if (certificates == NULL)
		return -1;
	for (int i = 0; i < sk_X509_num(certificates) && result == 0; i++)
		result = trust_one(ssl_ctx, sk_X509_value(certificates, i));
	free_certificates(certificates);
	return result == 0 ? 0 : tls_certificates_error(err, "an authority cannot be used");
}

static X509_CRL *read_list(BIO *bio, bool pem, bool *bad)
{
	X509_CRL *list;

	if (!pem && BIO_pending(bio) == 0)
		return NULL;
	list = pem ? PEM_read_bio_X509_CRL(bio, NULL, pem_no_passphrase, NULL)
		   : d2i_X509_CRL_bio(bio, NULL);
	if (list == NULL)
		*bad = !(pem && pem_is_at_end());
	return list;
}

int tls_certificates_revoke(SSL_CTX *ssl_ctx, struct span lists, struct error *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl_ctx);
	BIO *bio = pem_open(lists);
	bool bad = bio == NULL;
	X509_CRL *list;

	while (!bad && (list = read_list(bio, is_pem(lists), &bad)) != NULL) {
		bad = X509_STORE_add_crl(store, list) != 1;
		X509_CRL_free(list);
	}
	BIO_free(bio);
	if (bad ||
	    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) != 1)
		return tls_certificates_error(err, "a revocation list cannot be read");
	ERR_clear_error();
	return 0;
}
