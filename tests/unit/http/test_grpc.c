/* SPDX-License-Identifier: Apache-2.0 */
#include "http/grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool is_grpc(struct span content_type)
{
	struct header header = {
		.name = S("content-type"),
		.value = content_type,
		.id = HEADER_CONTENT_TYPE,
	};
	struct request_head head = {.headers = &header, .header_count = 1};

	head.present[HEADER_CONTENT_TYPE / 64] = UINT64_C(1) << HEADER_CONTENT_TYPE % 64;
	return grpc_is_request(&head);
}

static void a_request_of_grpc_is_known_by_its_content_type(void **state)
{
	(void)state;

	assert_true(is_grpc(S("application/grpc")));
	assert_true(is_grpc(S("application/grpc+proto")));
	assert_true(is_grpc(S("Application/gRPC; charset=utf-8")));
}

static void grpc_web_and_others_are_none(void **state)
{
	struct request_head bare = {0};

	(void)state;

	assert_false(is_grpc(S("application/grpc-web")));
	assert_false(is_grpc(S("application/grpc-web+proto")));
	assert_false(is_grpc(S("application/grpcs")));
	assert_false(is_grpc(S("application/grp")));
	assert_false(is_grpc(S("")));
	assert_false(grpc_is_request(&bare));
}

static void each_status_of_http_stands_for_one_of_grpc(void **state)
{
	(void)state;

	assert_int_equal(grpc_status_of(400), GRPC_INTERNAL);
	assert_int_equal(grpc_status_of(401), GRPC_UNAUTHENTICATED);
	assert_int_equal(grpc_status_of(403), GRPC_PERMISSION_DENIED);
	assert_int_equal(grpc_status_of(404), GRPC_UNIMPLEMENTED);
	assert_int_equal(grpc_status_of(429), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_status_of(502), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_status_of(503), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_status_of(504), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_status_of(413), GRPC_UNKNOWN);
	assert_int_equal(grpc_status_of(500), GRPC_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_of_grpc_is_known_by_its_content_type),
		cmocka_unit_test(grpc_web_and_others_are_none),
		cmocka_unit_test(each_status_of_http_stands_for_one_of_grpc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
