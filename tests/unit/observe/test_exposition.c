/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_written(struct buf *out, const char *expected)
{
	assert_string_equal(buf_text(out), expected);
	buf_fini(out);
}

static void a_family_has_help_and_type(void **state)
{
	struct buf out = {0};

	(void)state;

	exposition_family(&out, "x_total", EXPOSITION_COUNTER, "How many");

	assert_written(&out, "# HELP x_total How many\n# TYPE x_total counter\n");
}

static void a_sample_without_labels_has_no_braces(void **state)
{
	struct buf out = {0};

	(void)state;

	exposition_count(&out, "x", LABELS_NONE, UINT64_MAX);

	assert_written(&out, "x 18446744073709551615\n");
}

static void labels_stand_in_the_order_given(void **state)
{
	struct buf out = {0};

	(void)state;

	exposition_count(&out, "x", LABELS({"b", S("1")}, {"a", S("")}), 7);

	assert_written(&out, "x{b=\"1\",a=\"\"} 7\n");
}

static void label_values_are_escaped(void **state)
{
	struct buf out = {0};

	(void)state;

	exposition_count(&out, "x", LABELS({"a", S("q\" b\\ n\n } ä")}), 1);

	assert_written(&out, "x{a=\"q\\\" b\\\\ n\\n } ä\"} 1\n");
}

static void numbers_read_back_as_they_were(void **state)
{
	struct buf out = {0};

	(void)state;

	exposition_number(&out, "x", LABELS_NONE, 0.1);
	exposition_number(&out, "x", LABELS_NONE, 1.0 / 3);
	exposition_number(&out, "x", LABELS_NONE, 0);
	exposition_number(&out, "x", LABELS_NONE, 1764000000.25);

	assert_written(&out, "x 0.1\nx 0.3333333333333333\nx 0\nx 1764000000.25\n");
}

static void bounds_look_as_go_writes_them(void **state)
{
	struct buf out = {0};

	(void)state;

	exposition_number(&out, "x", LABELS_NONE, 0.0005);
	exposition_number(&out, "x", LABELS_NONE, 2.5);
	exposition_number(&out, "x", LABELS_NONE, 1000);
	exposition_number(&out, "x", LABELS_NONE, 1000000);

	assert_written(&out, "x 0.0005\nx 2.5\nx 1000\nx 1e+06\n");
}

static void buckets_become_cumulative(void **state)
{
	static const double bounds[] = {0.5, 1};
	static const uint64_t buckets[] = {2, 0, 3};
	const struct exposition_histogram histogram = {
		.bounds = bounds, .buckets = buckets, .count = 3, .sum = 9.5};
	struct buf out = {0};

	(void)state;

	exposition_histogram(&out, "x", LABELS({"a", S("b")}), &histogram);

	assert_written(&out, "x_bucket{a=\"b\",le=\"0.5\"} 2\n"
			     "x_bucket{a=\"b\",le=\"1\"} 2\n"
			     "x_bucket{a=\"b\",le=\"+Inf\"} 5\n"
			     "x_sum{a=\"b\"} 9.5\n"
			     "x_count{a=\"b\"} 5\n");
}

static void a_histogram_of_one_bucket_is_a_sum(void **state)
{
	static const uint64_t bucket = 4;
	const struct exposition_histogram histogram = {.buckets = &bucket, .count = 1, .sum = 8};
	struct buf out = {0};

	(void)state;

	exposition_histogram(&out, "x", LABELS_NONE, &histogram);

	assert_written(&out, "x_bucket{le=\"+Inf\"} 4\nx_sum 8\nx_count 4\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_family_has_help_and_type),
		cmocka_unit_test(a_sample_without_labels_has_no_braces),
		cmocka_unit_test(labels_stand_in_the_order_given),
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(numbers_read_back_as_they_were),
		cmocka_unit_test(bounds_look_as_go_writes_them),
		cmocka_unit_test(buckets_become_cumulative),
		cmocka_unit_test(a_histogram_of_one_bucket_is_a_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
