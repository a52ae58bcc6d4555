/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/names.h"

#include <string.h>

#include "dns_server.h"
#include "given_loop.h"

static const struct dns_record records[] = {
	{"db.example", DNS_TYPE_A, "192.0.2.1", 60},
	{"db.example", DNS_TYPE_AAAA, "2001:db8::1", 90},
	{"brief.example", DNS_TYPE_A, "192.0.2.2", 0},
	{"long.example", DNS_TYPE_A, "192.0.2.3", 86400},
};

/* As names.c sees the loop's clock (linked with --wrap): the real one and this much more. */
static uint64_t ahead_s;

uint64_t __real_loop_now_ns(const struct loop *loop);
uint64_t __wrap_loop_now_ns(const struct loop *loop);

uint64_t __wrap_loop_now_ns(const struct loop *loop)
{
	return __real_loop_now_ns(loop) + ahead_s * 1000000000;
}

/* A name of A and AAAA is two questions. */
enum { QUESTIONS = 2 };

static struct given_loop given;
static struct dns_server server;
static struct worker_counters counters;
static struct names names;

struct caller {
	struct name_waiter waiter;
	unsigned times;
	struct caller *cancels;
	bool asks_again;
	enum names_status status; /* of asking again */
};

static struct balance_choice choice;

static void on_known(struct name_waiter *waiter);

static enum names_status find(const char *name, struct caller *caller)
{
	choice = (struct balance_choice){0};
	return names_find(&names, span_from(name), 5432, &caller->waiter, on_known, &choice);
}

static void on_known(struct name_waiter *waiter)
{
	struct caller *caller = container_of(waiter, struct caller, waiter);

	caller->times++;
	if (caller->cancels != NULL)
		name_waiter_cancel(&caller->cancels->waiter);
	if (caller->asks_again)
		caller->status = find("db.example", caller);
}

static bool was_called(void *owner)
{
	return ((struct caller *)owner)->times > 0;
}

static void given_caller(struct caller *caller)
{
	*caller = (struct caller){0};
	name_waiter_init(&caller->waiter);
}

/* Waits until the name was resolved, or failed, and asks once more. */
static enum names_status find_at_last(const char *name)
{
	struct caller caller;
	enum names_status status;

	given_caller(&caller);
	status = find(name, &caller);
	if (status != NAMES_ASKED)
		return status;
	run_until(&given, was_called, &caller);
	assert_int_equal(caller.times, 1);
	return find(name, &caller);
}

static uint64_t answers_expected;

static bool has_answers(void *owner)
{
	(void)owner;
	return counters.names_resolved + counters.names_failed >= answers_expected;
}

/* Until the question that was asked in the background is answered. */
static void await_answer(void)
{
	answers_expected = counters.names_resolved + counters.names_failed + 1;
	run_until(&given, has_answers, NULL);
}

static int begin(void **state)
{
	struct resolver *resolver;
	struct error err;

	(void)state;
	ahead_s = 0;
	counters = (struct worker_counters){0};
	given_loop_init(&given);
	dns_server_start(&server, given.loop, records, sizeof(records) / sizeof(records[0]));
	resolver = resolver_new(given.loop, server.address, &err);
	assert_non_null(resolver);
	names_init(&names, given.loop, resolver, &counters);
	return 0;
}

static int end(void **state)
{
	(void)state;
	names_fini(&names);
	dns_server_stop(&server);
	given_loop_fini(&given);
	return 0;
}

static void assert_endpoint(uint32_t index, const char *ip_text)
{
	struct ip ip;

	assert_true(ip_parse(span_from(ip_text), &ip));
	assert_true(index < choice.count);
	assert_true(ip_equals(&choice.endpoints[index].ip, &ip));
	assert_int_equal(choice.endpoints[index].port, 5432);
	assert_int_equal(choice.endpoints[index].slot, TABLE_NONE);
}

static void an_address_is_its_own_answer(void **state)
{
	struct caller caller;

	(void)state;
	given_caller(&caller);
	assert_int_equal(find("192.0.2.9", &caller), NAMES_KNOWN);
	assert_endpoint(0, "192.0.2.9");
	ahead_s = 1000000;
	assert_int_equal(find("192.0.2.9", &caller), NAMES_KNOWN);
	assert_int_equal(find("2001:db8::9", &caller), NAMES_KNOWN);
	assert_endpoint(0, "2001:db8::9");
	assert_int_equal(server.questions, 0);
}

static void a_name_is_asked_for_and_then_known(void **state)
{
	struct caller caller;

	(void)state;
	given_caller(&caller);
	assert_int_equal(find("db.example", &caller), NAMES_ASKED);
	assert_int_equal(caller.times, 0);
	run_until(&given, was_called, &caller);

	assert_int_equal(find("db.example", &caller), NAMES_KNOWN);
	assert_int_equal(choice.count, 2);
	assert_int_equal(caller.times, 1);
	assert_int_equal(counters.names_resolved, 1);
}

static void ports_of_one_name_are_endpoints_of_their_own(void **state)
{
	struct caller caller;

	(void)state;
	given_caller(&caller);
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	assert_int_equal(names_find(&names, S("db.example"), 80, &caller.waiter, on_known, &choice),
			 NAMES_ASKED);
	run_until(&given, was_called, &caller);
	assert_int_equal(names_find(&names, S("db.example"), 80, &caller.waiter, on_known, &choice),
			 NAMES_KNOWN);
	assert_int_equal(choice.endpoints[0].port, 80);
}

static void an_answer_serves_for_its_smallest_ttl(void **state)
{
	(void)state;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	assert_int_equal(server.questions, QUESTIONS);
	ahead_s = 58;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	run_turns(&given, 3);
	assert_int_equal(server.questions, QUESTIONS);

	ahead_s = 61;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	await_answer();
	assert_int_equal(server.questions, 2 * QUESTIONS);
}

static void ttls_are_kept_between_a_second_and_five_minutes(void **state)
{
	(void)state;
	assert_int_equal(find_at_last("brief.example"), NAMES_KNOWN);
	assert_int_equal(find_at_last("brief.example"), NAMES_KNOWN);
	assert_int_equal(find_at_last("long.example"), NAMES_KNOWN);
	assert_int_equal(server.questions, 2 * QUESTIONS);

	ahead_s = 2;
	assert_int_equal(find_at_last("brief.example"), NAMES_KNOWN);
	await_answer();
	assert_int_equal(server.questions, 3 * QUESTIONS);
	ahead_s = 301;
	assert_int_equal(find_at_last("long.example"), NAMES_KNOWN);
	await_answer();
	assert_int_equal(server.questions, 4 * QUESTIONS);
}

static void a_refreshed_name_has_its_new_addresses(void **state)
{
	static const struct dns_record moved[] = {{"db.example", DNS_TYPE_A, "192.0.2.77", 60}};

	(void)state;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	server.records = moved;
	server.record_count = 1;
	ahead_s = 61;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	assert_int_equal(choice.count, 2);
	await_answer();

	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	assert_int_equal(choice.count, 1);
	assert_endpoint(0, "192.0.2.77");
}

static void an_absent_name_fails_and_is_asked_for_again_after_five_seconds(void **state)
{
	(void)state;
	assert_int_equal(find_at_last("nowhere.example"), NAMES_FAILED);
	assert_int_equal(find_at_last("nowhere.example"), NAMES_FAILED);
	assert_int_equal(server.questions, QUESTIONS);
	assert_int_equal(counters.names_failed, 1);

	ahead_s = 6;
	assert_int_equal(find_at_last("nowhere.example"), NAMES_FAILED);
	assert_int_equal(server.questions, 2 * QUESTIONS);
}

static void a_name_that_vanishes_is_served_no_more(void **state)
{
	(void)state;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	server.record_count = 0;
	ahead_s = 61;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	await_answer();

	assert_int_equal(find_at_last("db.example"), NAMES_FAILED);
}

static void old_addresses_serve_for_an_hour_while_no_server_answers(void **state)
{
	unsigned questions;

	(void)state;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	server.mood = DNS_FAILS;
	ahead_s = 61;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	await_answer();
	questions = server.questions;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	run_turns(&given, 3);
	assert_int_equal(server.questions, questions);

	ahead_s = 3590;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	assert_int_equal(choice.count, 2);
	await_answer();
	ahead_s = 3601;
	assert_int_equal(find_at_last("db.example"), NAMES_FAILED);
}

static void addresses_of_long_ago_do_not_serve_even_while_they_are_refreshed(void **state)
{
	struct caller caller;

	(void)state;
	assert_int_equal(find_at_last("db.example"), NAMES_KNOWN);
	ahead_s = 3601;
	given_caller(&caller);
	assert_int_equal(find("db.example", &caller), NAMES_ASKED);

	run_until(&given, was_called, &caller);
	assert_int_equal(find("db.example", &caller), NAMES_KNOWN);
}

static void all_who_wait_for_a_name_share_one_question(void **state)
{
	struct caller callers[20];

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		given_caller(&callers[i]);
		assert_int_equal(find("db.example", &callers[i]), NAMES_ASKED);
	}
	run_until(&given, was_called, &callers[19]);

	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(callers[i].times, 1);
	assert_int_equal(server.questions, QUESTIONS);
}

static void who_has_gone_is_not_called(void **state)
{
	struct caller callers[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		given_caller(&callers[i]);
		assert_int_equal(find("db.example", &callers[i]), NAMES_ASKED);
	}
	name_waiter_cancel(&callers[0].waiter);
	callers[1].cancels = &callers[2];
	run_until(&given, was_called, &callers[3]);

	assert_int_equal(callers[0].times, 0);
	assert_int_equal(callers[1].times, 1);
	assert_int_equal(callers[2].times, 0);
	name_waiter_cancel(&callers[2].waiter);
}

static void who_is_called_may_ask_again_at_once(void **state)
{
	struct caller caller;

	(void)state;
	given_caller(&caller);
	caller.asks_again = true;
	assert_int_equal(find("db.example", &caller), NAMES_ASKED);
	run_until(&given, was_called, &caller);

	assert_int_equal(caller.status, NAMES_KNOWN);
	assert_int_equal(caller.times, 1);
}

static void without_resolver_only_addresses_are_known(void **state)
{
	struct caller caller;
	struct names alone;

	(void)state;
	given_caller(&caller);
	names_init(&alone, given.loop, NULL, &counters);
	assert_int_equal(names_find(&alone, S("db.example"), 80, &caller.waiter, on_known, &choice),
			 NAMES_FAILED);
	assert_int_equal(names_find(&alone, S("192.0.2.1"), 80, &caller.waiter, on_known, &choice),
			 NAMES_KNOWN);
	names_fini(&alone);
}

static void the_longest_name_is_a_name(void **state)
{
	char name[254];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	for (unsigned i = 49; i < 250; i += 50)
		name[i] = '.';
	name[253] = '\0';

	assert_int_equal(find_at_last(name), NAMES_FAILED);
	assert_int_equal(names.count, 1);
}

static void names_may_end_while_questions_are_under_way(void **state)
{
	static struct caller caller;

	(void)state;
	given_caller(&caller);
	assert_int_equal(find("db.example", &caller), NAMES_ASKED);
	name_waiter_cancel(&caller.waiter);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(an_address_is_its_own_answer),
		TEST(a_name_is_asked_for_and_then_known),
		TEST(ports_of_one_name_are_endpoints_of_their_own),
		TEST(an_answer_serves_for_its_smallest_ttl),
		TEST(ttls_are_kept_between_a_second_and_five_minutes),
		TEST(a_refreshed_name_has_its_new_addresses),
		TEST(an_absent_name_fails_and_is_asked_for_again_after_five_seconds),
		TEST(a_name_that_vanishes_is_served_no_more),
		TEST(old_addresses_serve_for_an_hour_while_no_server_answers),
		TEST(addresses_of_long_ago_do_not_serve_even_while_they_are_refreshed),
		TEST(all_who_wait_for_a_name_share_one_question),
		TEST(who_has_gone_is_not_called),
		TEST(who_is_called_may_ask_again_at_once),
		TEST(without_resolver_only_addresses_are_known),
		TEST(the_longest_name_is_a_name),
		TEST(names_may_end_while_questions_are_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
