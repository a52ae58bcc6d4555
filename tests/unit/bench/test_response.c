/* SPDX-License-Identifier: Apache-2.0 */
#include "response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define ANSWER "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 5\r\n\r\nhello"

static struct response *given_response(void)
{
	struct response *response = test_malloc(sizeof(*response));

	assert_non_null(response);
	response_init(response);
	return response;
}

static enum response_progress take_text(const char *text)
{
	struct response *response = given_response();
	enum response_progress progress = response_take(response, span_from(text));

	test_free(response);
	return progress;
}

static void an_answer_at_once_is_done(void **state)
{
	(void)state;

	assert_int_equal(take_text(ANSWER), RESPONSE_DONE);
}

static void an_answer_byte_by_byte_is_done_with_its_last(void **state)
{
	struct response *response = given_response();
	struct span rest = S(ANSWER);
	(void)state;

	while (rest.len > 1) {
		assert_int_equal(response_take(response, span_take(rest, 1)), RESPONSE_MORE);
		rest = span_skip(rest, 1);
	}

	assert_int_equal(response_take(response, rest), RESPONSE_DONE);
	test_free(response);
}

static void an_empty_body_is_done_with_the_head(void **state)
{
	(void)state;

	assert_int_equal(take_text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), RESPONSE_DONE);
}

static void what_is_no_success_or_has_no_length_is_bad(void **state)
{
	(void)state;

	assert_int_equal(take_text("HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n"), RESPONSE_BAD);
	assert_int_equal(take_text("HTTP/1.1 200 OK\r\nX: 1\r\n\r\n"), RESPONSE_BAD);
	assert_int_equal(take_text("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"), RESPONSE_BAD);
}

static void a_head_without_end_is_bad(void **state)
{
	static char endless[RESPONSE_HEAD_MAX];
	struct response *response = given_response();
	(void)state;

	memset(endless, 'x', sizeof(endless));

	assert_int_equal(response_take(response, span_make(endless, sizeof(endless))),
			 RESPONSE_MORE);
	assert_int_equal(response_take(response, S("x")), RESPONSE_BAD);
	test_free(response);
}

static void a_connection_that_ends_is_seen(void **state)
{
	struct response *response = given_response();
	(void)state;

	response_take(response,
		      S("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));

	assert_true(response->ends_connection);
	test_free(response);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_at_once_is_done),
		cmocka_unit_test(an_answer_byte_by_byte_is_done_with_its_last),
		cmocka_unit_test(an_empty_body_is_done_with_the_head),
		cmocka_unit_test(what_is_no_success_or_has_no_length_is_bad),
		cmocka_unit_test(a_head_without_end_is_bad),
		cmocka_unit_test(a_connection_that_ends_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
