/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/policy/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bug.h"
#include "proxy/exchange.h"
#include "proxy/tables.h"
#include "proxy/worker.h"

/* The loop's clock (linked with --wrap). */
static uint64_t now_ns;

uint64_t __wrap_loop_now_ns(const struct loop *loop);

uint64_t __wrap_loop_now_ns(const struct loop *loop)
{
	(void)loop;
	return now_ns;
}

static const uint64_t second_ns = 1000000000;
static struct exchange *exchange;
static struct route_policy policy;
static struct table_settings settings;
static struct shard shard;

/* A GET of which one attempt was made; errors and time-outs may be followed by another. */
static int begin(void **state)
{
	(void)state;
	exchange = calloc(1, sizeof(*exchange));
	assert_non_null(exchange);
	exchange->worker = calloc(1, sizeof(*exchange->worker));
	assert_non_null(exchange->worker);
	policy = (struct route_policy){
		.next_upstream = BIT(NEXT_UPSTREAM_ERROR) | BIT(NEXT_UPSTREAM_TIMEOUT),
		.next_upstream_tries = 3,
	};
	settings = (struct table_settings){0};
	shard.routes.settings = &settings;
	exchange->table = &shard;
	exchange->policy = &policy;
	exchange->request.method_id = METHOD_GET;
	exchange->to_upstream.reader.keeps = true;
	exchange->attempt_count = 1;
	exchange->tries = 1;
	now_ns = 100 * second_ns;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(exchange->worker);
	free(exchange);
	return 0;
}

static void another_try_may_follow_until_the_time_for_tries_is_over(void **state)
{
	(void)state;
	policy.next_upstream_timeout_ms = 2000;
	exchange->first_attempt_ns = now_ns;
	now_ns += 2 * second_ns - 1;
	assert_true(retry_may_follow_fault(exchange, FAULT_CONNECT_REFUSED));

	now_ns++;
	assert_false(retry_may_follow_fault(exchange, FAULT_CONNECT_REFUSED));
}

static void the_time_for_tries_begins_with_the_first_one_and_not_with_the_request(void **state)
{
	(void)state;
	policy.next_upstream_timeout_ms = 2000;
	exchange->started_ns = now_ns - 50 * second_ns;
	exchange->first_attempt_ns = now_ns;
	now_ns += second_ns;

	assert_true(retry_may_follow_fault(exchange, FAULT_CONNECT_REFUSED));
}

static void a_later_try_does_not_begin_the_time_anew(void **state)
{
	(void)state;
	policy.next_upstream_timeout_ms = 2000;
	exchange->first_attempt_ns = now_ns - 3 * second_ns;
	exchange->attempt_ns = now_ns;

	assert_false(retry_may_follow_fault(exchange, FAULT_CONNECT_REFUSED));
}

static void without_a_time_for_tries_their_number_decides(void **state)
{
	(void)state;
	now_ns += 1000 * second_ns;
	assert_true(retry_may_follow_fault(exchange, FAULT_CONNECT_REFUSED));

	exchange->tries = 3;
	assert_false(retry_may_follow_fault(exchange, FAULT_CONNECT_REFUSED));
}

static void want_of_memory_or_descriptors_is_no_reason_to_try_again(void **state)
{
	(void)state;
	assert_false(retry_may_follow_fault(exchange, FAULT_OUT_OF_MEMORY));
	assert_false(retry_may_follow_fault(exchange, FAULT_OUT_OF_DESCRIPTORS));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(another_try_may_follow_until_the_time_for_tries_is_over),
		TEST(the_time_for_tries_begins_with_the_first_one_and_not_with_the_request),
		TEST(a_later_try_does_not_begin_the_time_anew),
		TEST(without_a_time_for_tries_their_number_decides),
		TEST(want_of_memory_or_descriptors_is_no_reason_to_try_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
