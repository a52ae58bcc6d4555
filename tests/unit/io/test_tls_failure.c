/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void the_last_reason_of_libssl_is_told_and_its_queue_is_empty(void **state)
{
	(void)state;
	ERR_raise(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER);
	ERR_raise(ERR_LIB_SSL, SSL_R_NO_APPLICATION_PROTOCOL);

	assert_string_equal(tls_failure_take(), "no application protocol");
	assert_int_equal(ERR_peek_error(), 0);
}

static void an_alert_of_the_peer_is_told_as_its_own(void **state)
{
	(void)state;
	ERR_raise(ERR_LIB_SSL, SSL_AD_REASON_OFFSET + SSL_AD_UNKNOWN_CA);

	assert_string_equal(tls_failure_take(), "peer refused the certificate");
}

static void every_other_reason_has_the_same_word(void **state)
{
	(void)state;
	ERR_raise(ERR_LIB_SSL, SSL_R_BAD_EXTENSION);
	assert_string_equal(tls_failure_take(), "protocol error");
	/* the number of a reason of another library means something else */
	ERR_raise(ERR_LIB_EVP, SSL_R_NO_APPLICATION_PROTOCOL);
	assert_string_equal(tls_failure_take(), "protocol error");
	assert_string_equal(tls_failure_take(), "protocol error");
}

static void a_verdict_on_a_certificate_has_its_word(void **state)
{
	(void)state;
	assert_null(tls_failure_of_certificate(X509_V_OK));
	assert_string_equal(tls_failure_of_certificate(X509_V_ERR_CERT_REVOKED),
			    "certificate revoked");
	assert_string_equal(tls_failure_of_certificate(X509_V_ERR_OUT_OF_MEM), "bad certificate");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_reason_of_libssl_is_told_and_its_queue_is_empty),
		cmocka_unit_test(an_alert_of_the_peer_is_told_as_its_own),
		cmocka_unit_test(every_other_reason_has_the_same_word),
		cmocka_unit_test(a_verdict_on_a_certificate_has_its_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
