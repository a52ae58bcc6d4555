/* SPDX-License-Identifier: Apache-2.0 */
/* Writes Secrets with certificates that were never there before, one file each.
 *
 *   usage: certificates DIRECTORY FIRST COUNT SUFFIX
 *
 * DIRECTORY/secretN.yaml holds Secret bench/appN: a P-256 key and its own certificate for the name appN.SUFFIX.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "program.h"

enum { DAYS = 30, HOST_BYTES = 65, TEXT_BYTES = 80, PATH_MAX_BYTES = 4096 };

static void must(int done)
{
	if (done <= 0)
		program_fail("libcrypto makes no certificate");
}

static void add_name(X509 *certificate, const char *host)
{
	char text[TEXT_BYTES];
	X509_EXTENSION *extension;
	X509_NAME *subject = X509_get_subject_name(certificate);

	if (snprintf(text, sizeof(text), "DNS:%s", host) >= TEXT_BYTES)
		program_fail("a name is too long");
	must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)host,
					-1, -1, 0));
	must(X509_set_issuer_name(certificate, subject));
	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
	must(extension != NULL && X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

static X509 *make_certificate(EVP_PKEY *key, const char *host)
{
	X509 *certificate = X509_new();
	uint32_t serial;

	must(certificate != NULL && RAND_bytes((unsigned char *)&serial, sizeof(serial)));
	must(X509_set_version(certificate, X509_VERSION_3));
	must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial));
	must(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL &&
	     X509_gmtime_adj(X509_getm_notAfter(certificate), DAYS * 86400) != NULL);
	must(X509_set_pubkey(certificate, key));
	add_name(certificate, host);
	must(X509_sign(certificate, key, EVP_sha256()));
	return certificate;
}

/* What the BIO holds, as a field of a Secret. */
static void write_field(FILE *file, const char *name, BIO *pem)
{
	char *text;
	long length = BIO_get_mem_data(pem, &text);
	unsigned char *base64 = malloc((size_t)length * 4 / 3 + 4);

	if (base64 == NULL)
		program_fail("out of memory");
	must(EVP_EncodeBlock(base64, (const unsigned char *)text, (int)length));
	fprintf(file, "  %s: %s\n", name, base64);
	free(base64);
	BIO_free(pem);
}

static void write_secret(const char *path, uint64_t number, EVP_PKEY *key, X509 *certificate)
{
	BIO *chain_pem = BIO_new(BIO_s_mem());
	BIO *key_pem = BIO_new(BIO_s_mem());
	FILE *file = fopen(path, "we");

	if (file == NULL)
		program_fail_sys("cannot write %s", path);
	must(chain_pem != NULL && PEM_write_bio_X509(chain_pem, certificate));
	must(key_pem != NULL &&
	     PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL));
	fprintf(file,
		"apiVersion: v1\nkind: Secret\nmetadata:\n  name: app%lu\n"
		"  namespace: bench\ntype: kubernetes.io/tls\ndata:\n",
		number);
	write_field(file, "tls.crt", chain_pem);
	write_field(file, "tls.key", key_pem);
	if (fclose(file) != 0)
		program_fail_sys("cannot write %s", path);
}

static void make_secret(const char *directory, uint64_t number, const char *suffix)
{
	char path[PATH_MAX_BYTES];
	char host[HOST_BYTES];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate;

	must(key != NULL);
	if (snprintf(host, sizeof(host), "app%lu.%s", number, suffix) >= HOST_BYTES ||
	    snprintf(path, sizeof(path), "%s/secret%lu.yaml", directory, number) >= PATH_MAX_BYTES)
		program_fail("a name is too long");
	certificate = make_certificate(key, host);
	write_secret(path, number, key, certificate);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

int main(int argc, char **argv)
{
	uint64_t first;
	uint64_t count;

	if (argc != 5)
		program_fail("usage: certificates DIRECTORY FIRST COUNT SUFFIX");
	first = program_number(argv[2], 0, 1 << 20);
	count = program_number(argv[3], 1, 1 << 20);
	for (uint64_t number = first; number < first + count; number++)
		make_secret(argv[1], number, argv[4]);
	return 0;
}
