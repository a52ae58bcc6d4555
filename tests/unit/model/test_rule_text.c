/* SPDX-License-Identifier: Apache-2.0 */
#include "model/rule_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "kube/edge_text.h"

static void assert_host(const char *host, const char *part)
{
	struct edge_text edge = edge_text_new(span_from(host));
	const char *fault = rule_text_host_fault(edge.text);

	if (part == NULL)
		assert_null(fault);
	else
		assert_non_null(strstr(fault == NULL ? "no fault" : fault, part));
	edge_text_free(&edge);
}

static void assert_path(const char *path, enum rule_text_path_form form, const char *part)
{
	struct edge_text edge = edge_text_new(span_from(path));
	const char *fault = rule_text_path_fault(edge.text, form);

	if (part == NULL)
		assert_null(fault);
	else
		assert_non_null(strstr(fault == NULL ? "no fault" : fault, part));
	edge_text_free(&edge);
}

static void a_path_longer_than_requests_can_be_is_refused(void **state)
{
	char path[4098] = "/";

	(void)state;
	memset(path + 1, 'a', 4095);
	assert_path(path, RULE_TEXT_STRICT, NULL);
	path[4096] = 'a';
	assert_path(path, RULE_TEXT_STRICT, "4096");
}

static void assert_match_path(const char *path, const char *expected)
{
	struct edge_text edge = edge_text_new(span_from(path));
	struct arena arena;
	struct span match;

	arena_init(&arena, NULL, 0, SIZE_MAX);
	match = rule_text_match_path(edge.text, &arena);
	assert_int_equal(match.len, strlen(expected));
	assert_memory_equal(match.ptr, expected, match.len);
	arena_fini(&arena);
	edge_text_free(&edge);
}

static void names_and_wildcards_are_hosts(void **state)
{
	(void)state;
	assert_host("a", NULL);
	assert_host("1.2.3", NULL);
	assert_host("xn--bcher-kva.example", NULL);
	assert_host("*.shop.example", NULL);
	assert_host("*.example", NULL);
}

static void what_is_no_host_is_told_why(void **state)
{
	char label[80];

	(void)state;
	memset(label, 'a', 64);
	label[64] = '\0';
	assert_host(label, "longer than 63");
	assert_host("a_b.example", "'_' is not allowed");
	assert_host("a\nb", "'?' is not allowed");
	assert_host("Shop", "lower case");
	assert_host("*", "first label");
	assert_host("*.*.example", "first label");
	assert_host("*.", "label is empty");
	assert_host("a.", "label is empty");
	assert_host("a-.example", "begins or ends with '-'");
	assert_host("1.2.3.4", "IP address");
	assert_host("::1", "IP address");
	assert_host("a:80", "port");
}

static void a_host_has_at_most_253_characters(void **state)
{
	char host[300];

	(void)state;
	for (size_t i = 0; i < sizeof(host); i++)
		host[i] = i % 2 == 0 ? 'a' : '.';
	host[253] = '\0';
	assert_host(host, NULL);
	host[253] = '.';
	host[254] = 'a';
	host[255] = '\0';
	assert_host(host, "longer than the 253");
}

static void paths_that_could_never_match_are_refused(void **state)
{
	(void)state;
	assert_path("a", RULE_TEXT_FREE, "begin with '/'");
	assert_path("/a//", RULE_TEXT_STRICT, "'//'");
	assert_path("//", RULE_TEXT_FREE, "'//'");
	assert_path("/..", RULE_TEXT_FREE, "end in");
	assert_path("/.", RULE_TEXT_STRICT, "end in");
	assert_path("/a/../b", RULE_TEXT_STRICT, "'/../'");
	assert_path("/%2F", RULE_TEXT_STRICT, "'%2F'");
}

static void dots_within_an_element_are_no_matter(void **state)
{
	(void)state;
	assert_path("/a..", RULE_TEXT_STRICT, NULL);
	assert_path("/..a/.b", RULE_TEXT_STRICT, NULL);
	assert_path("/%2f", RULE_TEXT_FREE, NULL);
	assert_path("/", RULE_TEXT_STRICT, NULL);
}

static void a_path_takes_the_form_in_which_requests_are_compared(void **state)
{
	(void)state;
	assert_match_path("/a-b._~!$&'()*+,;=:@c", "/a-b._~!$&'()*+,;=:@c");
	assert_match_path("/%41%7e%2d", "/A~-");
	assert_match_path("/%2f%c3%a9", "/%2F%C3%A9");
	assert_match_path("/\xc3\xa9 \"", "/%C3%A9%20%22");
	assert_match_path("/%", "/%25");
	assert_match_path("/%4", "/%254");
	assert_match_path("/%zz", "/%25zz");
	assert_match_path("/a?b#c", "/a%3Fb%23c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_longer_than_requests_can_be_is_refused),
		cmocka_unit_test(names_and_wildcards_are_hosts),
		cmocka_unit_test(what_is_no_host_is_told_why),
		cmocka_unit_test(a_host_has_at_most_253_characters),
		cmocka_unit_test(paths_that_could_never_match_are_refused),
		cmocka_unit_test(dots_within_an_element_are_no_matter),
		cmocka_unit_test(a_path_takes_the_form_in_which_requests_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
