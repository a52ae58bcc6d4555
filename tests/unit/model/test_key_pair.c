/* SPDX-License-Identifier: Apache-2.0 */
#include "model/key_pair.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "given_certificates.h"

static void assert_refused(struct span chain, struct span key, const char *reason)
{
	struct key_pair pair;
	struct error err = {0};

	assert_int_equal(key_pair_read(&pair, chain, key, &err), -1);
	if (strstr(err.text, reason) == NULL)
		fail_msg("\"%s\", expected: %s", err.text, reason);
	assert_null(pair.chain.ptr);
	assert_null(pair.key.ptr);
}

static void a_pair_is_read_with_kind_names_and_times(void **state)
{
	struct tls_identity ec = given_identity(
		NULL, &(struct given_certificate){.name = "Shop.Example", .days_to = 20});
	struct tls_identity rsa = given_identity(
		NULL, &(struct given_certificate){.name = "*.shop.example", .key = GIVEN_RSA});
	struct key_pair pair;
	struct error err = {0};

	(void)state;
	assert_int_equal(key_pair_read(&pair, ec.chain, ec.key, &err), 0);
	assert_int_equal(pair.kind, KEY_PAIR_ECDSA);
	assert_true(span_equals(buf_span(&pair.names), S("shop.example\n")));
	assert_true(pair.not_before <= time(NULL));
	assert_in_range(pair.not_after - time(NULL), 18 * 86400, 21 * 86400);
	assert_true(pair.chain.len > 100 && pair.key.len > 60);
	key_pair_fini(&pair);
	assert_int_equal(key_pair_read(&pair, rsa.chain, rsa.key, &err), 0);
	assert_int_equal(pair.kind, KEY_PAIR_RSA);
	key_pair_fini(&pair);
}

static void a_chain_is_kept_whole_and_in_order(void **state)
{
	struct given_issuer *root = given_authority("root");
	struct given_issuer *middle = given_intermediate(root, "middle");
	struct tls_identity leaf = given_identity(middle,
						  &(struct given_certificate){.name = "a.example"});
	struct tls_identity alone = given_identity(
		NULL, &(struct given_certificate){.name = "a.example", .form = GIVEN_DER});
	struct key_pair pair;
	struct error err = {0};

	(void)state;
	assert_int_equal(key_pair_read(&pair, leaf.chain, leaf.key, &err), 0);

	assert_true(pair.chain.len > alone.chain.len * 3 / 2);
	key_pair_fini(&pair);
}

static void what_is_no_pair_is_refused_with_the_reason(void **state)
{
	struct tls_identity a = given_identity(NULL,
					       &(struct given_certificate){.name = "a.example"});
	struct tls_identity b = given_identity(NULL,
					       &(struct given_certificate){.name = "b.example"});

	(void)state;
	assert_refused(S(""), a.key, "tls.crt holds no certificate");
	assert_refused(S("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), a.key,
		       "certificate 1 of tls.crt is none");
	assert_refused(a.chain, S(""), "tls.key holds no private key");
	assert_refused(a.chain, given_encrypted_key(), "tls.key holds no private key");
	assert_refused(a.chain, b.key, "not the key of the first certificate");
}

static void what_libssl_would_not_show_is_refused_with_the_reason(void **state)
{
	const struct given_certificate weak = {.name = "a.example", .by_sha1 = true};
	struct given_issuer *root = given_authority("root");
	struct tls_identity of_root = given_identity(root, &weak);
	struct tls_identity own = given_identity(NULL, &weak);
	struct tls_identity good = given_identity(root,
						  &(struct given_certificate){.name = "a.example"});
	struct buf chain = {0};
	struct key_pair pair;
	struct error err = {0};

	(void)state;
	assert_refused(of_root.chain, of_root.key,
		       "certificate 1 of tls.crt is signed by ecdsa-with-SHA1, which is too weak");
	buf_add(&chain, good.chain);
	buf_add(&chain, of_root.chain);
	assert_refused(buf_span(&chain), good.key, "certificate 2 of tls.crt is signed by");
	buf_fini(&chain);

	/* nobody looks at the signature of one that signs itself */
	assert_int_equal(key_pair_read(&pair, own.chain, own.key, &err), 0);
	key_pair_fini(&pair);
}

/* A certificate in PEM for that key, signed with it. */
static BIO *given_certificate_of(EVP_PKEY *key)
{
	BIO *text = BIO_new(BIO_s_mem());
	X509 *certificate = X509_new();

	X509_set_version(certificate, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	assert_true(X509_sign(certificate, key,
			      EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) >
		    0);
	assert_int_equal(PEM_write_bio_X509(text, certificate), 1);
	X509_free(certificate);
	return text;
}

static BIO *given_key_text(EVP_PKEY *key)
{
	BIO *text = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(text, key, NULL, NULL, 0, NULL, NULL), 1);
	return text;
}

static struct span text_of(BIO *bio)
{
	char *bytes;
	long length = BIO_get_mem_data(bio, &bytes);

	return span_make(bytes, (size_t)length);
}

static EVP_PKEY *given_compressed_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	assert_int_equal(EVP_PKEY_set_utf8_string_param(
				 key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"),
			 1);
	return key;
}

enum { KEYS = 6 };

static void a_certificate_takes_its_own_key_and_no_other(void **state)
{
	EVP_PKEY *keys[KEYS] = {
		EVP_EC_gen("P-256"),    EVP_EC_gen("P-256"),
		EVP_EC_gen("P-384"),    EVP_RSA_gen(2048),
		given_compressed_key(), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
	};
	BIO *chains[KEYS];
	BIO *texts[KEYS];

	(void)state;
	for (int i = 0; i < KEYS; i++) {
		chains[i] = given_certificate_of(keys[i]);
		texts[i] = given_key_text(keys[i]);
	}

	for (int i = 0; i < KEYS; i++) {
		struct key_pair pair;
		struct error err = {0};

		if (key_pair_read(&pair, text_of(chains[i]), text_of(texts[i]), &err) == -1)
			fail_msg("key %d: %s", i, err.text);
		key_pair_fini(&pair);
		for (int j = 0; j < KEYS; j++)
			if (j != i)
				assert_refused(text_of(chains[i]), text_of(texts[j]),
					       "not the key of the first certificate");
	}
	for (int i = 0; i < KEYS; i++) {
		BIO_free(chains[i]);
		BIO_free(texts[i]);
		EVP_PKEY_free(keys[i]);
	}
}

static void too_many_certificates_are_refused(void **state)
{
	struct tls_identity a = given_identity(NULL,
					       &(struct given_certificate){.name = "a.example"});
	struct buf chain = {0};

	(void)state;
	for (int i = 0; i < 11; i++)
		buf_add(&chain, a.chain);

	assert_refused(buf_span(&chain), a.key, "more than the 10 certificates");
	buf_fini(&chain);
}

static void a_wildcard_covers_one_label(void **state)
{
	struct span names = S("shop.example\n*.shop.example\n");

	(void)state;
	assert_true(key_pair_covers(names, S("shop.example")));
	assert_true(key_pair_covers(names, S("a.shop.example")));
	assert_true(key_pair_covers(names, S("*.shop.example")));
	assert_false(key_pair_covers(names, S("a.b.shop.example")));
	assert_false(key_pair_covers(names, S(".shop.example")));
	assert_false(key_pair_covers(names, S("example")));
	assert_false(key_pair_covers(S("shop.example\n"), S("*.shop.example")));
	assert_false(key_pair_covers(S(""), S("shop.example")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_is_read_with_kind_names_and_times),
		cmocka_unit_test(a_chain_is_kept_whole_and_in_order),
		cmocka_unit_test(what_is_no_pair_is_refused_with_the_reason),
		cmocka_unit_test(what_libssl_would_not_show_is_refused_with_the_reason),
		cmocka_unit_test(a_certificate_takes_its_own_key_and_no_other),
		cmocka_unit_test(too_many_certificates_are_refused),
		cmocka_unit_test(a_wildcard_covers_one_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
