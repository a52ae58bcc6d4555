/* SPDX-License-Identifier: Apache-2.0 */
#include "model/authorities.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "given_certificates.h"

static const struct span none = {NULL, 0};

static void assert_refused(struct span certificates, struct span revoked, const char *reason)
{
	struct authorities authorities;
	struct error err = {0};

	assert_int_equal(authorities_read(&authorities, certificates, revoked, &err), -1);
	if (strstr(err.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
	assert_null(authorities.certificates.ptr);
	assert_null(authorities.revoked.ptr);
	assert_int_equal(ERR_peek_error(), 0);
}

static void all_certificates_are_read(void **state)
{
	struct span first = given_trust(given_authority("first"));
	struct span second = given_trust(given_authority("second"));
	struct authorities one;
	struct authorities both;
	struct buf text = {0};
	struct error err = {0};

	buf_add(&text, S("what people write between them\n"));
	buf_add(&text, first);
	buf_add(&text, second);
	assert_int_equal(authorities_read(&one, first, none, &err), 0);
	assert_int_equal(authorities_read(&both, buf_span(&text), none, &err), 0);

	assert_true(span_starts_with(buf_span(&both.certificates), buf_span(&one.certificates)));
	assert_true(both.certificates.len > one.certificates.len);
	assert_int_equal(both.revoked.len, 0);
	authorities_fini(&one);
	authorities_fini(&both);
	buf_fini(&text);
	(void)state;
}

static void lists_of_revoked_ones_are_read(void **state)
{
	struct given_issuer *issuer = given_authority("root");
	struct tls_identity bad = given_identity(issuer,
						 &(struct given_certificate){.name = "bad"});
	struct authorities authorities;
	struct error err = {0};

	assert_int_equal(authorities_read(&authorities, given_trust(issuer),
					  given_revocation(issuer, &bad), &err),
			 0);

	assert_true(authorities.revoked.len > 0);
	authorities_fini(&authorities);
	(void)state;
}

static void what_cannot_be_read_is_refused_whole(void **state)
{
	static const char half[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
	struct span good = given_trust(given_authority("root"));
	struct buf text = {0};

	buf_add(&text, good);
	buf_add(&text, span_from(half));
	assert_refused(S(""), none, "ca.crt holds no certificate");
	assert_refused(S("nothing"), none, "ca.crt holds no certificate");
	assert_refused(span_from(half), none, "ca.crt holds no certificate");
	assert_refused(buf_span(&text), none, "ca.crt holds something that is no certificate");
	assert_refused(good, S(""), "ca.crl");
	assert_refused(good, S("nothing"), "ca.crl");
	assert_refused(good, good, "ca.crl");
	buf_fini(&text);
	(void)state;
}

static void more_than_allowed_are_refused(void **state)
{
	struct span one = given_trust(given_authority("root"));
	struct buf text = {0};

	for (int i = 0; i < 101; i++)
		buf_add(&text, one);
	assert_refused(buf_span(&text), none, "more than the 100 certificates");
	buf_fini(&text);
	(void)state;
}

static void nobody_is_asked_for_a_passphrase(void **state)
{
	static const char encrypted[] = "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
					"DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\n"
					"MIIBMIIBMIIBMIIBMIIBMIIB\n-----END CERTIFICATE-----\n";

	assert_refused(span_from(encrypted), none, "ca.crt holds no certificate");
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_certificates_are_read),
		cmocka_unit_test(lists_of_revoked_ones_are_read),
		cmocka_unit_test(what_cannot_be_read_is_refused_whole),
		cmocka_unit_test(more_than_allowed_are_refused),
		cmocka_unit_test(nobody_is_asked_for_a_passphrase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
