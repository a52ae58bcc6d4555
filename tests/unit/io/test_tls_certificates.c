/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_certificates.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "given_certificates.h"

static SSL_CTX *ssl_ctx;
static struct given_issuer *authority;

static int begin(void **state)
{
	(void)state;
	if (authority == NULL)
		authority = given_authority("Authority");
	ssl_ctx = SSL_CTX_new(TLS_server_method());
	return 0;
}

static int end(void **state)
{
	(void)state;
	SSL_CTX_free(ssl_ctx);
	assert_int_equal(ERR_peek_error(), 0);
	return 0;
}

static struct tls_identity given_leaf(struct given_issuer *issuer, enum given_key key,
				      enum given_form form)
{
	const struct given_certificate leaf = {.name = "shop.example", .key = key, .form = form};

	return given_identity(issuer, &leaf);
}

static int chain_length(void)
{
	STACK_OF(X509) * chain;

	SSL_CTX_get0_chain_certs(ssl_ctx, &chain);
	return sk_X509_num(chain);
}

static void pem_and_der_are_both_read_with_what_leads_to_the_root(void **state)
{
	struct given_issuer *between = given_intermediate(authority, "Between");
	struct error err = {0};

	(void)state;
	for (int key = GIVEN_EC; key <= GIVEN_RSA; key++) {
		for (int form = GIVEN_PEM; form <= GIVEN_DER; form++) {
			struct tls_identity identity = given_leaf(between, (enum given_key)key,
								  (enum given_form)form);

			SSL_CTX_free(ssl_ctx);
			ssl_ctx = SSL_CTX_new(TLS_server_method());
			assert_int_equal(tls_certificates_use(ssl_ctx, &identity, &err), 0);
			assert_int_equal(chain_length(), 1);
		}
	}
}

static void expect_error(struct tls_identity identity, const char *text)
{
	struct error err = {0};

	assert_int_equal(tls_certificates_use(ssl_ctx, &identity, &err), -1);
	if (strstr(err.text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
	assert_int_equal(ERR_peek_error(), 0);
}

static void what_is_wrong_is_said(void **state)
{
	struct tls_identity good = given_leaf(authority, GIVEN_EC, GIVEN_PEM);
	struct tls_identity der = given_leaf(authority, GIVEN_EC, GIVEN_DER);
	struct tls_identity other = given_leaf(authority, GIVEN_EC, GIVEN_PEM);

	(void)state;
	expect_error((struct tls_identity){.key = good.key}, "there is no certificate");
	expect_error((struct tls_identity){good.key, good.key}, "there is no certificate");
	expect_error((struct tls_identity){.chain = good.chain}, "there is no key");
	expect_error((struct tls_identity){good.chain, good.chain}, "the key cannot be read");
	expect_error((struct tls_identity){good.chain, given_encrypted_key()},
		     "the key cannot be read");
	expect_error((struct tls_identity){good.chain, other.key}, "does not belong");
	expect_error((struct tls_identity){S("no certificate at all"), good.key},
		     "a certificate cannot be read");
	expect_error((struct tls_identity){span_take(der.chain, der.chain.len - 1), der.key},
		     "a certificate cannot be read");
	expect_error((struct tls_identity){der.chain, span_take(der.key, der.key.len - 1)},
		     "the key cannot be read");
	expect_error((struct tls_identity){S("-----BEGIN CERTIFICATE-----\nAAAA\n"), good.key},
		     "a certificate cannot be read");
}

static void every_authority_of_a_bundle_is_trusted_and_named(void **state)
{
	struct span second = given_trust(given_authority("Second"));
	struct span first = given_trust(authority);
	char bundle[8192];
	struct error err = {0};

	(void)state;
	memcpy(bundle, first.ptr, first.len);
	memcpy(bundle + first.len, second.ptr, second.len);
	assert_int_equal(
		tls_certificates_trust(ssl_ctx, span_make(bundle, first.len + second.len), &err),
		0);

	assert_int_equal(sk_X509_NAME_num(SSL_CTX_get_client_CA_list(ssl_ctx)), 2);
	assert_int_equal(tls_certificates_trust(ssl_ctx, S("nobody"), &err), -1);
	assert_non_null(strstr(err.text, "cannot be read"));
}

static void a_revocation_list_that_is_none_is_refused(void **state)
{
	struct tls_identity leaf = given_leaf(authority, GIVEN_EC, GIVEN_PEM);
	struct error err = {0};

	(void)state;
	assert_int_equal(tls_certificates_revoke(ssl_ctx, given_revocation(authority, &leaf), &err),
			 0);
	assert_int_equal(tls_certificates_revoke(ssl_ctx, S("no list"), &err), -1);
	assert_non_null(strstr(err.text, "a revocation list cannot be read"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(pem_and_der_are_both_read_with_what_leads_to_the_root),
		TEST(what_is_wrong_is_said),
		TEST(every_authority_of_a_bundle_is_trusted_and_named),
		TEST(a_revocation_list_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
