/* SPDX-License-Identifier: Apache-2.0 */
#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void get_head_options_put_and_delete_are_idempotent(void **state)
{
	(void)state;
	assert_true(method_is_idempotent(METHOD_GET));
	assert_true(method_is_idempotent(METHOD_HEAD));
	assert_true(method_is_idempotent(METHOD_OPTIONS));
	assert_true(method_is_idempotent(METHOD_PUT));
	assert_true(method_is_idempotent(METHOD_DELETE));
}

static void post_patch_and_unknown_methods_are_not_idempotent(void **state)
{
	(void)state;
	assert_false(method_is_idempotent(METHOD_POST));
	assert_false(method_is_idempotent(METHOD_PATCH));
	assert_false(method_is_idempotent(METHOD_OTHER));
}

static void every_method_has_a_label(void **state)
{
	(void)state;
	assert_string_equal(method_label(METHOD_OTHER), "_OTHER");
	assert_string_equal(method_label(METHOD_GET), "GET");
	assert_string_equal(method_label(METHOD_PATCH), "PATCH");
	for (unsigned method = 0; method < METHOD_COUNT; method++)
		assert_non_null(method_label((enum method)method));
}

static void the_first_field_with_an_id_is_found(void **state)
{
	struct header headers[] = {
		{S("X-A"), S("0"), HEADER_OTHER, false},
		{S("Cookie"), S("1"), HEADER_COOKIE, false},
		{S("Cookie"), S("2"), HEADER_COOKIE, false},
	};
	struct request_head request = {.headers = headers, .header_count = 3};
	struct response_head response = {.headers = headers, .header_count = 3};

	(void)state;
	request.present[HEADER_COOKIE / 64] |= UINT64_C(1) << HEADER_COOKIE % 64;
	response.present[HEADER_COOKIE / 64] |= UINT64_C(1) << HEADER_COOKIE % 64;

	assert_ptr_equal(request_head_find(&request, HEADER_COOKIE), &headers[1]);
	assert_ptr_equal(response_head_find(&response, HEADER_COOKIE), &headers[1]);
	assert_null(request_head_find(&request, HEADER_HOST));
	assert_null(response_head_find(&response, HEADER_HOST));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_head_options_put_and_delete_are_idempotent),
		cmocka_unit_test(post_patch_and_unknown_methods_are_not_idempotent),
		cmocka_unit_test(every_method_has_a_label),
		cmocka_unit_test(the_first_field_with_an_id_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
