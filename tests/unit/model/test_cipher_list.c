/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of ciphers and curves. */
#include "model/cipher_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
	*state = cipher_judge_new();
	return 0;
}

static int tear_down(void **state)
{
	cipher_judge_free(*state);
	return 0;
}

static void assert_fault(const char *fault, const char *part)
{
	assert_non_null(fault);
	assert_non_null(strstr(fault, part));
}

static void lists_that_can_be_used_are_good(void **state)
{
	assert_null(cipher_judge_ciphers(*state, S("ECDHE-RSA-AES128-GCM-SHA256")));
	assert_null(cipher_judge_ciphers(*state, S("HIGH")));
	assert_null(cipher_judge_ciphers(*state, S("HIGH:!aNULL:!MD5:@STRENGTH")));
	assert_null(cipher_judge_ciphers(*state, S("DEFAULT:@SECLEVEL=0")));
	assert_null(cipher_judge_ciphers(*state, S("NO-SUCH:ECDHE+AESGCM")));
	assert_null(cipher_judge_curves(*state, S("X25519:P-256:secp384r1")));
}

static void lists_without_anything_that_exists_are_bad(void **state)
{
	assert_fault(cipher_judge_ciphers(*state, S("NO-SUCH")), "no cipher that exists");
	assert_fault(cipher_judge_ciphers(*state, S("AES128 AES256")), "with colons");
	assert_fault(cipher_judge_ciphers(*state, S("")), "with colons");
	assert_fault(cipher_judge_curves(*state, S("P-256:P-0")), "curve that does not exist");
	assert_fault(cipher_judge_curves(*state, S("P-256 P-384")), "with colons");
}

static void what_neither_encrypts_nor_authenticates_is_bad(void **state)
{
	assert_fault(cipher_judge_ciphers(*state, S("eNULL:HIGH:@SECLEVEL=0")), "do not encrypt");
	assert_fault(cipher_judge_ciphers(*state, S("HIGH:aNULL:@SECLEVEL=0")), "do not encrypt");
}

static void a_lowered_level_does_not_last(void **state)
{
	assert_non_null(cipher_judge_ciphers(*state, S("HIGH:@SECLEVEL=0")));

	assert_null(cipher_judge_ciphers(*state, S("HIGH")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lists_that_can_be_used_are_good, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lists_without_anything_that_exists_are_bad, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_neither_encrypts_nor_authenticates_is_bad,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_lowered_level_does_not_last, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
