/* SPDX-License-Identifier: Apache-2.0 */
#include "model/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_nearest(const char *wanted, const char *expected)
{
	static const char *const names[] = {
		"cart", "carts", "checkout", "proxy-body-size", "proxy-buffer-size", "web"};
	struct nearest nearest = nearest_to(span_from(wanted));

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		nearest_offer(&nearest, span_from(names[i]));
	assert_true(span_equals(nearest.best, span_from(expected)));
}

static void the_name_with_the_fewest_edits_is_meant(void **state)
{
	(void)state;
	assert_nearest("cart", "cart");
	assert_nearest("card", "cart");
	assert_nearest("catr", "cart");
	assert_nearest("cartts", "carts");
	assert_nearest("chekcout", "checkout");
	assert_nearest("proxy-body-sise", "proxy-body-size");
	assert_nearest("wbe", "web");
}

static void a_name_that_is_too_different_is_not_meant(void **state)
{
	char text[200];

	(void)state;
	assert_nearest("payments", NULL);
	assert_nearest("x", NULL);
	assert_nearest("", NULL);
	memset(text, 'a', 199);
	text[199] = '\0';
	assert_nearest(text, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_with_the_fewest_edits_is_meant),
		cmocka_unit_test(a_name_that_is_too_different_is_not_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
