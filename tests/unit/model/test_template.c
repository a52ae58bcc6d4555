/* SPDX-License-Identifier: Apache-2.0 */
#include "model/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "kube/edge_text.h"

/* The parts as "text|<variable>|<variable:of what>|?unknown". */
static void describe(const struct model_template *template, struct buf *out)
{
	for (uint32_t i = 0; i < template->count; i++) {
		const struct model_template_part *part = &template->parts[i];
		struct span name = variable_name(part->variable);

		if (i > 0)
			buf_add(out, S("|"));
		switch (part->kind) {
		case MODEL_PART_TEXT:
			buf_add(out, part->text);
			break;
		case MODEL_PART_UNKNOWN:
			buf_printf(out, "?%.*s", (int)part->text.len, part->text.ptr);
			break;
		case MODEL_PART_VARIABLE:
			buf_printf(out, "<%.*s:%.*s>", (int)name.len, name.ptr, (int)part->text.len,
				   part->text.ptr);
			break;
		}
	}
}

static void assert_parts(const char *text, const char *expected)
{
	struct edge_text edge = edge_text_new(span_from(text));
	struct model_template template;
	struct buf parts = {0};
	struct arena arena;

	arena_init(&arena, NULL, 0, SIZE_MAX);
	assert_null(template_parse(&arena, edge.text, &template));
	describe(&template, &parts);
	assert_string_equal(buf_text(&parts), expected);
	buf_fini(&parts);
	arena_fini(&arena);
	edge_text_free(&edge);
}

static void assert_fault(const char *text, const char *expected)
{
	struct edge_text edge = edge_text_new(span_from(text));
	struct model_template template;
	struct arena arena;
	const char *fault;

	arena_init(&arena, NULL, 0, SIZE_MAX);
	fault = template_parse(&arena, edge.text, &template);
	assert_non_null(fault);
	assert_non_null(strstr(fault, expected));
	arena_fini(&arena);
	edge_text_free(&edge);
}

static void text_without_variables_is_one_part(void **state)
{
	(void)state;
	assert_parts("", "");
	assert_parts("a-b}c{", "a-b}c{");
}

static void variables_stand_bare_or_in_braces(void **state)
{
	(void)state;
	assert_parts("$host", "<host:>");
	assert_parts("${host}", "<host:>");
	assert_parts("$host$uri", "<host:>|<uri:>");
	assert_parts("a${host}b", "a|<host:>|b");
	assert_parts("$host-x", "<host:>|-x");
	assert_parts("${host}_x", "<host:>|_x");
	assert_parts("$host}", "<host:>|}");
}

static void names_of_variables_are_in_any_case_and_say_of_what(void **state)
{
	(void)state;
	assert_parts("$HOST", "<host:>");
	assert_parts("$http_X_User", "<http_:x_user>");
	assert_parts("$cookie_SID", "<cookie_:sid>");
	assert_parts("$arg_id", "<arg_:id>");
	assert_parts("$sent_http_x", "<sent_http_:x>");
}

/* $http_host is a variable of its own, and what begins with a whole name is none. */
static void a_whole_name_wins_over_a_beginning(void **state)
{
	(void)state;
	assert_parts("$http_host", "<http_host:>");
	assert_parts("$http_hosts", "<http_:hosts>");
	assert_parts("$hosts", "?hosts");
}

static void what_nobody_knows_is_unknown(void **state)
{
	(void)state;
	assert_parts("a$nobody-b", "a|?nobody|-b");
	assert_parts("$http_", "?http_");
	assert_parts("$0", "?0");
}

static void captures_are_one_digit_long(void **state)
{
	(void)state;
	assert_parts("$1$9", "<1:>|<9:>");
	assert_parts("$12", "<1:>|2");
	assert_parts("${1}x", "<1:>|x");
}

static void a_dollar_without_a_name_is_a_fault(void **state)
{
	(void)state;
	assert_fault("$", "without a name");
	assert_fault("a$", "without a name");
	assert_fault("$-a", "without a name");
	assert_fault("$$host", "without a name");
	assert_fault("${}", "without a name");
	assert_fault("${", "without a name");
}

static void a_brace_that_is_not_closed_is_a_fault(void **state)
{
	(void)state;
	assert_fault("${host", "without its '}'");
	assert_fault("${host-x}", "without its '}'");
}

static void more_parts_than_a_table_holds_are_a_fault(void **state)
{
	char text[MODEL_TEMPLATE_PARTS_MAX * 2 + 3] = "";

	(void)state;
	for (unsigned i = 0; i < MODEL_TEMPLATE_PARTS_MAX; i++)
		memcpy(text + 2 * i, "$1", 3);
	assert_parts(text, "<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|"
			   "<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|<1:>|"
			   "<1:>|<1:>|<1:>|<1:>");
	memcpy(text + sizeof(text) - 3, "-", 2);
	assert_fault(text, "more than 32");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_without_variables_is_one_part),
		cmocka_unit_test(variables_stand_bare_or_in_braces),
		cmocka_unit_test(names_of_variables_are_in_any_case_and_say_of_what),
		cmocka_unit_test(a_whole_name_wins_over_a_beginning),
		cmocka_unit_test(what_nobody_knows_is_unknown),
		cmocka_unit_test(captures_are_one_digit_long),
		cmocka_unit_test(a_dollar_without_a_name_is_a_fault),
		cmocka_unit_test(a_brace_that_is_not_closed_is_a_fault),
		cmocka_unit_test(more_parts_than_a_table_holds_are_a_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
