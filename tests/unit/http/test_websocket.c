/* SPDX-License-Identifier: Apache-2.0 */
#include "http/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* RFC 6455, 1.3 */
#define KEY    S("dGhlIHNhbXBsZSBub25jZQ==")
#define ACCEPT S("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

static void a_key_is_sixteen_bytes_in_base64(void **state)
{
	(void)state;
	assert_true(websocket_key_is_valid(KEY));
	assert_true(websocket_key_is_valid(S("++//AAAAzzzz0000999999==")));
}

static void other_keys_are_refused(void **state)
{
	static const struct span keys[] = {
		S(""),
		S("dGhlIHNhbXBsZSBub25jZQ="),
		S("dGhlIHNhbXBsZSBub25jZQ==="),
		S("dGhlIHNhbXBsZSBub25jZQA="),
		S("dGhlIHNhbXBsZSBub25jZ==="),
		S("dGhlIHNhbXBsZSBub25jZQAA"),
		S("dGhlIHNhbXBsZSBu 25jZQ=="),
		S("dGhlIHNhbXBsZSBu-_5jZQ=="),
		S("dGhlIHNhbXBsZSBub2\0jZQ=="),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_false(websocket_key_is_valid(keys[i]));
}

static void the_answer_of_the_rfc_fits_its_key(void **state)
{
	(void)state;
	assert_true(websocket_accept_fits(KEY, ACCEPT));
}

static void another_answer_does_not_fit(void **state)
{
	(void)state;
	assert_false(websocket_accept_fits(KEY, S("s3pPLMBiTxaQ9kYGzzhZRbK+xOp=")));
	assert_false(websocket_accept_fits(KEY, S("S3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
	assert_false(websocket_accept_fits(KEY, S("s3pPLMBiTxaQ9kYGzzhZRbK+xOo")));
	assert_false(websocket_accept_fits(KEY, S("")));
	assert_false(websocket_accept_fits(S("AGhlIHNhbXBsZSBub25jZQ=="), ACCEPT));
	assert_false(websocket_accept_fits(S(""), ACCEPT));
}

static void a_key_of_our_own_is_its_nonce_in_base64(void **state)
{
	const uint8_t nonce[] = "the sample nonce";
	char key[WEBSOCKET_KEY_BYTES];

	(void)state;
	websocket_key_write(key, nonce);

	assert_true(span_equals(span_make(key, sizeof(key)), KEY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_sixteen_bytes_in_base64),
		cmocka_unit_test(other_keys_are_refused),
		cmocka_unit_test(the_answer_of_the_rfc_fits_its_key),
		cmocka_unit_test(another_answer_does_not_fit),
		cmocka_unit_test(a_key_of_our_own_is_its_nonce_in_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
