/* SPDX-License-Identifier: Apache-2.0 */
#include "model/dh_parameters.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "given_certificates.h"

/* ffdhe2048 (RFC 7919, A.1) */
static const char good[] = "-----BEGIN DH PARAMETERS-----\n"
			   "MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz\n"
			   "+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a\n"
			   "87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7\n"
			   "YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi\n"
			   "7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD\n"
			   "ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==\n"
			   "-----END DH PARAMETERS-----\n";

/* group 5 (RFC 3526, 2) */
static const char short_ones[] =
	"-----BEGIN DH PARAMETERS-----\n"
	"MIHHAoHBAP//////////yQ/aoiFowjTExmKLgNwc0SkCTgiKZ8x0Agu+pjsTmyJR\n"
	"Sgh5jjQE3e+VGbPNOkMbMCsKbfJfFDdP4TVtbVHCReSFtXZiXn7G9ExC6aY37WsL\n"
	"/1y29Aa37e44a/taiZ+lrp8kEXxLH+ZJKGZR7ORbPcIAfLihY78FmNpINhxV05pp\n"
	"Fj+o/STPX4NlXSPco62WHGLzViCFUrue1SkHcJaWbWcMNU5KvJgE8XRsCMojcyf/\n"
	"/////////wIBAg==\n"
	"-----END DH PARAMETERS-----\n";

static void assert_refused(struct span pem, const char *reason)
{
	struct buf der = {0};
	struct error err = {0};

	assert_int_equal(dh_parameters_read(pem, &der, &err), -1);
	if (strstr(err.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
	assert_int_equal(der.len, 0);
	assert_int_equal(ERR_peek_error(), 0);
}

static void parameters_become_der(void **state)
{
	struct buf der = {0};
	struct error err = {0};

	assert_int_equal(dh_parameters_read(span_from(good), &der, &err), 0);

	assert_true(der.len > DH_BITS_MIN / 8);
	assert_int_equal((unsigned char)der.ptr[0], 0x30);
	buf_fini(&der);
	(void)state;
}

static void short_parameters_are_refused(void **state)
{
	assert_refused(span_from(short_ones), "has 1536 bits; it takes 2048 to 4096");
	(void)state;
}

static void what_is_no_parameter_is_refused(void **state)
{
	assert_refused((struct span){NULL, 0}, "no parameters in PEM form");
	assert_refused(S("no PEM"), "no parameters in PEM form");
	assert_refused(given_trust(given_authority("root")), "no parameters in PEM form");
	assert_refused(span_take(span_from(good), sizeof(good) / 2), "no parameters in PEM form");
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_become_der),
		cmocka_unit_test(short_parameters_are_refused),
		cmocka_unit_test(what_is_no_parameter_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
