/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object/position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static void add(struct position_writer *writer, const char *path, uint32_t line, uint32_t column)
{
	position_add(writer, span_from(path), (struct position){line, column});
}

/* False: it is nowhere. */
static bool find(struct position_writer *writer, struct span path, struct position *at)
{
	struct buf bytes = {0};
	bool is_found;

	position_write(writer, &bytes);
	is_found = position_find(buf_span(&bytes), path, at);
	buf_fini(&bytes);
	return is_found;
}

static void assert_at(struct position_writer *writer, const char *path, uint32_t line,
		      uint32_t column)
{
	struct position at = {0};

	if (!find(writer, span_from(path), &at))
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
	position_writer_fini(&writer);
}

static void a_name_that_only_begins_alike_is_no_parent(void **state)
{
	struct position_writer writer = {0};
	struct position at;

	(void)state;
	add(&writer, "spec", 3, 1);

	assert_false(find(&writer, S("specification"), &at));
	assert_false(find(&writer, S("data[x.y]"), &at));
	assert_false(position_find((struct span){NULL, 0}, S("spec"), &at));
	position_writer_fini(&writer);
}

static void keys_in_brackets_are_one_element(void **state)
{
	struct position_writer writer = {0};

	(void)state;
	add(&writer, "metadata.annotations", 4, 3);
	add(&writer, "metadata.annotations[a.example/b]", 5, 5);

	assert_at(&writer, "metadata.annotations[a.example/b]", 5, 5);
	assert_at(&writer, "metadata.annotations[a.example/c]", 4, 3);
	position_writer_fini(&writer);
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
	position_writer_fini(&writer);
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
	position_writer_fini(&writer);
}

static void a_hundred_fields_of_endpoints_take_few_bytes(void **state)
{
	struct position_writer writer = {0};
	struct buf bytes = {0};

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		char path[64];

		snprintf(path, sizeof(path), "endpoints[%u].conditions.ready", i);
		add(&writer, path, 10 + i, 7);
	}

	assert_at(&writer, "endpoints[57].conditions.ready", 67, 7);
	position_write(&writer, &bytes);
	assert_true(bytes.len < 100 * 32);
	buf_fini(&bytes);
	position_writer_fini(&writer);
}

static void of_two_fields_with_one_path_the_first_counts(void **state)
{
	struct position_writer writer = {0};

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		add(&writer, "spec.rules", 4 + i, 3);

	assert_at(&writer, "spec.rules", 4, 3);
	assert_at(&writer, "spec.rules[1].host", 4, 3);
	position_writer_fini(&writer);
}

/* Fields of rules in blocks, each with a parent that may be in another. */
static void each_of_many_fields_is_found(void **state)
{
	enum { RULES = 1000 };
	struct position_writer writer = {0};
	struct buf bytes = {0};
	struct position at = {0};
	char path[64];

	(void)state;
	add(&writer, "spec", 1, 1);
	for (unsigned i = 0; i < RULES; i++) {
		snprintf(path, sizeof(path), "spec.rules[%u]", i);
		add(&writer, path, 10 + 2 * i, 3);
		snprintf(path, sizeof(path), "spec.rules[%u].host", i);
		add(&writer, path, 11 + 2 * i, 5);
	}
	position_write(&writer, &bytes);

	for (unsigned i = 0; i < RULES; i++) {
		snprintf(path, sizeof(path), "spec.rules[%u].host", i);
		assert_true(position_find(buf_span(&bytes), span_from(path), &at));
		assert_int_equal(at.line, 11 + 2 * i);
		snprintf(path, sizeof(path), "spec.rules[%u].http.paths[0]", i);
		assert_true(position_find(buf_span(&bytes), span_from(path), &at));
		assert_int_equal(at.line, 10 + 2 * i);
	}
	assert_true(position_find(buf_span(&bytes), S("spec.rules[1000]"), &at));
	assert_int_equal(at.line, 1);
	buf_fini(&bytes);
	position_writer_fini(&writer);
}

static int64_t cpu_ns(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The least time that it took to find a thousand fields among so many. */
static int64_t measure(unsigned fields)
{
	struct position_writer writer = {0};
	struct buf bytes = {0};
	int64_t least = INT64_MAX;
	char path[64];

	for (unsigned i = 0; i < fields; i++) {
		snprintf(path, sizeof(path), "spec.rules[%u]", i);
		add(&writer, path, i, 1);
	}
	position_write(&writer, &bytes);
	for (unsigned try = 0; try < 3; try++) {
		int64_t took = -cpu_ns();

		for (unsigned i = 0; i < 1000; i++) {
			struct position at;

			snprintf(path, sizeof(path), "spec.rules[%u]", fields - 1 - i);
			assert_true(position_find(buf_span(&bytes), span_from(path), &at));
		}
		took += cpu_ns();
		least = took < least ? took : least;
	}
	buf_fini(&bytes);
	position_writer_fini(&writer);
	return least;
}

static void a_field_among_many_costs_little_more_than_among_few(void **state)
{
	(void)state;

	/* a look at each would be a hundred times as much */
	assert_in_range(measure(100000), 0, 10 * measure(1000));
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
		cmocka_unit_test(of_two_fields_with_one_path_the_first_counts),
		cmocka_unit_test(each_of_many_fields_is_found),
		cmocka_unit_test(a_field_among_many_costs_little_more_than_among_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
