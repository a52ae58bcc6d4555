/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pem.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* What a reader of certificates makes of a text that holds none. */
static bool ends(struct span text)
{
	BIO *bio = pem_open(text);
	bool at_end;

	assert_non_null(bio);
	assert_null(PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL));
	at_end = pem_is_at_end();
	ERR_clear_error();
	BIO_free(bio);
	return at_end;
}

static void a_text_without_a_block_has_ended(void **state)
{
	(void)state;
	assert_true(ends(S("")));
	assert_true(ends(S("nothing of the kind\n")));
}

static void a_block_that_cannot_be_read_is_no_end(void **state)
{
	(void)state;
	assert_false(ends(S("-----BEGIN CERTIFICATE-----\nAAAA\n")));
	assert_false(ends(S("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")));
}

static void a_key_that_needs_a_passphrase_cannot_be_read(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *text = BIO_new(BIO_s_mem());
	const unsigned char word[] = {'w', 'o', 'r', 'd'};

	(void)state;
	assert_int_equal(PEM_write_bio_PrivateKey(text, key, EVP_aes_128_cbc(), word, sizeof(word),
						  NULL, NULL),
			 1);

	assert_null(PEM_read_bio_PrivateKey(text, NULL, pem_no_passphrase, NULL));
	ERR_clear_error();
	BIO_free(text);
	EVP_PKEY_free(key);
}

static void more_than_an_int_counts_is_not_opened(void **state)
{
	const struct span endless = {"", (size_t)INT32_MAX + 1};

	(void)state;
	assert_null(pem_open(endless));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_without_a_block_has_ended),
		cmocka_unit_test(a_block_that_cannot_be_read_is_no_end),
		cmocka_unit_test(a_key_that_needs_a_passphrase_cannot_be_read),
		cmocka_unit_test(more_than_an_int_counts_is_not_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
