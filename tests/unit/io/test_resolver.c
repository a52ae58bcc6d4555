/* SPDX-License-Identifier: Apache-2.0 */
#include "io/resolver.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns_server.h"
#include "given_loop.h"

static const struct dns_record records[] = {
	{"db.example", DNS_TYPE_A, "192.0.2.1", 60},
	{"db.example", DNS_TYPE_A, "192.0.2.2", 60},
	{"db.example", DNS_TYPE_AAAA, "2001:db8::1", 30},
	{"v4.example", DNS_TYPE_A, "192.0.2.4", 7},
	{"v6.example", DNS_TYPE_AAAA, "2001:db8::6", 8},
	{"alias.example", DNS_TYPE_CNAME, "v4.example", 3},
	{"text.example", 16, "", 60},
};

static struct given_loop given;
static struct dns_server server;
static struct resolver *resolver;

/* What one question brought. */
struct heard {
	unsigned times;
	struct resolver_answer answer;
};

static void on_answer(void *owner, const struct resolver_answer *answer)
{
	struct heard *heard = owner;

	heard->times++;
	heard->answer = *answer;
}

static bool is_answered(void *owner)
{
	return ((struct heard *)owner)->times > 0;
}

static struct heard ask(const char *name)
{
	struct heard heard = {0};

	resolver_ask(resolver, name, on_answer, &heard);
	run_until(&given, is_answered, &heard);
	run_turns(&given, 2);
	assert_int_equal(heard.times, 1);
	return heard;
}

static bool has_ip(const struct resolver_answer *answer, const char *text)
{
	struct ip ip;

	assert_true(ip_parse(span_from(text), &ip));
	for (uint32_t i = 0; i < answer->count; i++)
		if (ip_equals(&answer->ips[i], &ip))
			return true;
	return false;
}

static int begin(void **state)
{
	struct error err;

	(void)state;
	given_loop_init(&given);
	dns_server_start(&server, given.loop, records, sizeof(records) / sizeof(records[0]));
	resolver = resolver_new(given.loop, server.address, &err);
	return resolver == NULL ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	resolver_free(resolver);
	dns_server_stop(&server);
	given_loop_fini(&given);
	return 0;
}

static void addresses_of_both_families_come_with_the_smallest_ttl(void **state)
{
	struct heard heard = ask("db.example");

	(void)state;
	assert_int_equal(heard.answer.status, RESOLVER_OK);
	assert_int_equal(heard.answer.count, 3);
	assert_true(has_ip(&heard.answer, "192.0.2.1"));
	assert_true(has_ip(&heard.answer, "192.0.2.2"));
	assert_true(has_ip(&heard.answer, "2001:db8::1"));
	assert_int_equal(heard.answer.ttl_s, 30);
}

static void one_family_is_enough(void **state)
{
	struct heard v4 = ask("v4.example");
	struct heard v6 = ask("v6.example");

	(void)state;
	assert_int_equal(v4.answer.status, RESOLVER_OK);
	assert_int_equal(v4.answer.count, 1);
	assert_int_equal(v4.answer.ttl_s, 7);
	assert_int_equal(v6.answer.status, RESOLVER_OK);
	assert_true(has_ip(&v6.answer, "2001:db8::6"));
	assert_int_equal(v6.answer.ttl_s, 8);
}

static void an_alias_is_followed(void **state)
{
	struct heard heard = ask("alias.example");

	(void)state;
	assert_int_equal(heard.answer.status, RESOLVER_OK);
	assert_true(has_ip(&heard.answer, "192.0.2.4"));
	assert_true(heard.answer.ttl_s <= 7);
}

static void a_name_that_does_not_exist_is_absent(void **state)
{
	struct heard heard = ask("nowhere.example");

	(void)state;
	assert_int_equal(heard.answer.status, RESOLVER_ABSENT);
	assert_int_equal(heard.answer.count, 0);
}

static void a_name_without_addresses_is_absent(void **state)
{
	struct heard heard = ask("text.example");

	(void)state;
	assert_int_equal(heard.answer.status, RESOLVER_ABSENT);
}

static void what_is_no_name_is_absent_without_a_question(void **state)
{
	char label[80];

	(void)state;
	memset(label, 'a', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';

	assert_int_equal(ask(label).answer.status, RESOLVER_ABSENT);
	assert_int_equal(ask("a..b").answer.status, RESOLVER_ABSENT);
	assert_int_equal(server.questions, 0);
}

static void a_server_that_fails_is_a_failure_and_no_absence(void **state)
{
	(void)state;
	server.mood = DNS_FAILS;

	assert_int_equal(ask("db.example").answer.status, RESOLVER_FAILED);
}

static void silence_is_a_failure_after_two_seconds(void **state)
{
	uint64_t before_ns = clock_monotonic_ns();

	(void)state;
	server.mood = DNS_SILENT;

	assert_int_equal(ask("db.example").answer.status, RESOLVER_FAILED);
	assert_in_range((clock_monotonic_ns() - before_ns) / 1000000, 1000, 3000);
	assert_int_equal(server.questions, 4);
}

static void bytes_that_are_no_answer_are_a_failure(void **state)
{
	(void)state;
	server.mood = DNS_MUMBLES;

	assert_int_equal(ask("db.example").answer.status, RESOLVER_FAILED);
}

static void a_truncated_answer_is_asked_for_again_over_tcp(void **state)
{
	struct heard heard;

	(void)state;
	server.mood = DNS_TRUNCATES;
	heard = ask("db.example");

	assert_int_equal(heard.answer.status, RESOLVER_OK);
	assert_int_equal(heard.answer.count, 3);
	assert_int_equal(server.by_tcp, 2);
}

static bool are_all_answered(void *owner)
{
	struct heard *all = owner;

	for (unsigned i = 0; i < 50; i++)
		if (all[i].times == 0)
			return false;
	return true;
}

static void many_questions_are_under_way_at_one_time(void **state)
{
	static struct heard all[50];

	(void)state;
	memset(all, 0, sizeof(all));
	for (unsigned i = 0; i < 50; i++)
		resolver_ask(resolver, i % 2 == 0 ? "db.example" : "nowhere.example", on_answer,
			     &all[i]);
	run_until(&given, are_all_answered, all);

	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(all[i].times, 1);
		assert_int_equal(all[i].answer.status, i % 2 == 0 ? RESOLVER_OK : RESOLVER_ABSENT);
	}
}

static void questions_under_way_are_not_answered_after_the_end(void **state)
{
	struct resolver *own;
	struct heard heard = {0};
	struct error err;

	(void)state;
	own = resolver_new(given.loop, server.address, &err);
	assert_non_null(own);
	resolver_ask(own, "db.example", on_answer, &heard);
	resolver_free(own);
	run_turns(&given, 5);

	assert_int_equal(heard.times, 0);
}

static void a_server_that_is_no_address_is_refused(void **state)
{
	struct error err;

	(void)state;
	assert_null(resolver_new(given.loop, "not an address", &err));
	assert_non_null(strstr(err.text, "\"not an address\" is not address[:port]"));
}

/* select(2) and its sets end at descriptor 1023; a worker has many more. */
static void descriptors_above_those_of_select_serve_as_well(void **state)
{
	struct rlimit limit;
	int low[1100];
	unsigned count = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 2048)
		skip();
	limit.rlim_cur = 2048;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	do
		low[count] = dup(STDERR_FILENO);
	while (low[count++] < 1030);

	server.mood = DNS_TRUNCATES;
	assert_int_equal(ask("db.example").answer.status, RESOLVER_OK);
	while (count > 0)
		close(low[--count]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(addresses_of_both_families_come_with_the_smallest_ttl),
		TEST(one_family_is_enough),
		TEST(an_alias_is_followed),
		TEST(a_name_that_does_not_exist_is_absent),
		TEST(a_name_without_addresses_is_absent),
		TEST(what_is_no_name_is_absent_without_a_question),
		TEST(a_server_that_fails_is_a_failure_and_no_absence),
		TEST(silence_is_a_failure_after_two_seconds),
		TEST(bytes_that_are_no_answer_are_a_failure),
		TEST(a_truncated_answer_is_asked_for_again_over_tcp),
		TEST(many_questions_are_under_way_at_one_time),
		TEST(questions_under_way_are_not_answered_after_the_end),
		TEST(a_server_that_is_no_address_is_refused),
		TEST(descriptors_above_those_of_select_serve_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
