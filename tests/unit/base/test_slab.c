/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void objects_are_aligned_and_do_not_overlap(void **state)
{
	struct slab slab;
	unsigned char *objects[25];

	(void)state;
	slab_init(&slab, 33, 4, 25);
	for (unsigned i = 0; i < 25; i++) {
		objects[i] = slab_take(&slab);
		assert_int_equal((uintptr_t)objects[i] % 16, 0);
		memset(objects[i], (int)i, 33);
	}

	for (unsigned i = 0; i < 25; i++)
		for (unsigned k = 0; k < 33; k++)
			assert_int_equal(objects[i][k], i);
	slab_fini(&slab);
}

static void at_the_limit_nothing_is_given_until_something_comes_back(void **state)
{
	struct slab slab;
	void *one;

	(void)state;
	slab_init(&slab, 16, 8, 2);
	one = slab_take(&slab);
	assert_non_null(one);
	assert_non_null(slab_take(&slab));

	assert_null(slab_take(&slab));
	slab_give(&slab, one);
	assert_ptr_equal(slab_take(&slab), one);
	assert_int_equal(slab.count, 2);
	slab_fini(&slab);
}

static void the_last_one_given_back_is_the_first_taken(void **state)
{
	struct slab slab;
	void *one;
	void *other;

	(void)state;
	slab_init(&slab, 16, 8, 8);
	one = slab_take(&slab);
	other = slab_take(&slab);
	slab_give(&slab, one);
	slab_give(&slab, other);

	assert_ptr_equal(slab_take(&slab), other);
	assert_ptr_equal(slab_take(&slab), one);
	slab_fini(&slab);
}

static void a_limit_of_none_gives_none(void **state)
{
	struct slab slab;

	(void)state;
	slab_init(&slab, 16, 8, 0);

	assert_null(slab_take(&slab));
	slab_fini(&slab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_aligned_and_do_not_overlap),
		cmocka_unit_test(at_the_limit_nothing_is_given_until_something_comes_back),
		cmocka_unit_test(the_last_one_given_back_is_the_first_taken),
		cmocka_unit_test(a_limit_of_none_gives_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
