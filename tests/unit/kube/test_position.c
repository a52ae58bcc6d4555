/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object/position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void add(struct position_writer *writer, const char *path, uint32_t line, uint32_t column)
{
	position_add(writer, span_from(path), (struct position){line, column});
}

static void writer_end(struct position_writer *writer)
{
	buf_fini(&writer->bytes);
	buf_fini(&writer->last);
}

static void assert_at(const struct position_writer *writer, const char *path, uint32_t line,
		      uint32_t column)
{
	struct position at = {0};

	if (!position_find(buf_span(&writer->bytes), span_from(path), &at))
		fail_msg("%s is nowhere", path);
	assert_int_equal(at.line, line);
	assert_int_equal(at.column, column);
}

static void a_field_is_found_or_its_nearest_parent(void **state)
{
	struct position_writer writer = {0};

	(void)state;
	add(&writer, "spec", 3, 1);
	add(&writer, "spec.rules", 4, 3);
	add(&writer, "spec.rules[0]", 5, 3);
	add(&writer, "spec.rules[0].host", 5, 5);
	add(&writer, "spec.rules[10]", 9, 3);
	add(&writer, "specification", 12, 1);

	assert_at(&writer, "spec.rules[0].host", 5, 5);
	assert_at(&writer, "spec.rules[0].http.paths[1]", 5, 3);
	assert_at(&writer, "spec.rules[1]", 4, 3);
	assert_at(&writer, "spec.rules[10].host", 9, 3);
	assert_at(&writer, "specification", 12, 1);
	assert_at(&writer, "spec.x", 3, 1);
	writer_end(&writer);
}

static void a_name_that_only_begins_alike_is_no_parent(void **state)
{
	struct position_writer writer = {0};
	struct position at;

	(void)state;
	add(&writer, "spec", 3, 1);

	assert_false(position_find(buf_span(&writer.bytes), S("specification"), &at));
	assert_false(position_find(buf_span(&writer.bytes), S("data[x.y]"), &at));
	assert_false(position_find((struct span){NULL, 0}, S("spec"), &at));
	writer_end(&writer);
}

static void keys_in_brackets_are_one_element(void **state)
{
	struct position_writer writer = {0};

	(void)state;
	add(&writer, "metadata.annotations", 4, 3);
	add(&writer, "metadata.annotations[a.example/b]", 5, 5);

	assert_at(&writer, "metadata.annotations[a.example/b]", 5, 5);
	assert_at(&writer, "metadata.annotations[a.example/c]", 4, 3);
	writer_end(&writer);
}

static void lines_may_lead_back_and_be_large(void **state)
{
	struct position_writer writer = {0};

	(void)state;
	add(&writer, "a", 2000000000, 2000000000);
	add(&writer, "b", 1, 1);
	add(&writer, "c", 4000000, 300);

	assert_at(&writer, "a", 2000000000, 2000000000);
	assert_at(&writer, "b", 1, 1);
	assert_at(&writer, "c", 4000000, 300);
	writer_end(&writer);
}

static void a_path_as_long_as_allowed_is_kept(void **state)
{
	struct position_writer writer = {0};
	char path[POSITION_PATH_MAX + 1];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[POSITION_PATH_MAX] = '\0';
	add(&writer, path, 7, 9);

	assert_at(&writer, path, 7, 9);
	writer_end(&writer);
}

static void a_hundred_fields_of_endpoints_take_few_bytes(void **state)
{
	struct position_writer writer = {0};

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		char path[64];

		snprintf(path, sizeof(path), "endpoints[%u].conditions.ready", i);
		add(&writer, path, 10 + i, 7);
	}

	assert_at(&writer, "endpoints[57].conditions.ready", 67, 7);
	assert_true(writer.bytes.len < 100 * 32);
	writer_end(&writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_is_found_or_its_nearest_parent),
		cmocka_unit_test(a_name_that_only_begins_alike_is_no_parent),
		cmocka_unit_test(keys_in_brackets_are_one_element),
		cmocka_unit_test(lines_may_lead_back_and_be_large),
		cmocka_unit_test(a_path_as_long_as_allowed_is_kept),
		cmocka_unit_test(a_hundred_fields_of_endpoints_take_few_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
