/* SPDX-License-Identifier: Apache-2.0 */
#include "io/iobuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void buffers_are_empty_and_the_last_given_back_is_the_next_taken(void **state)
{
	struct iobuf_pool pool;
	struct iobuf *one;
	struct iobuf *other;

	(void)state;
	iobuf_pool_init(&pool, 8);
	one = iobuf_take(&pool);
	other = iobuf_take(&pool);
	memset(one->bytes, 'x', one->room);
	one->start = 5;
	one->end = one->room;
	iobuf_give(&pool, one);

	assert_ptr_equal(iobuf_take(&pool), one);
	assert_int_equal(one->start, 0);
	assert_int_equal(one->end, 0);
	assert_int_equal(one->room, IOBUF_ROOM);
	iobuf_give(&pool, one);
	iobuf_give(&pool, other);
	iobuf_pool_fini(&pool);
}

static void at_the_limit_there_is_none(void **state)
{
	struct iobuf *bufs[8];
	struct iobuf_pool pool;

	(void)state;
	iobuf_pool_init(&pool, 8);
	for (unsigned i = 0; i < 8; i++)
		bufs[i] = iobuf_take(&pool);

	assert_null(iobuf_take(&pool));
	for (unsigned i = 0; i < 8; i++)
		iobuf_give(&pool, bufs[i]);
	iobuf_give(&pool, NULL);
	assert_int_equal(pool.slab.count, 0);
	iobuf_pool_fini(&pool);
}

static void larger_ones_have_a_limit_of_their_own(void **state)
{
	struct iobuf_pool pool;
	struct iobuf *one;

	(void)state;
	iobuf_pool_init(&pool, 16); /* two ordinary buffers' worth of large ones */
	one = iobuf_take_large(&pool, IOBUF_ROOM + 1);
	memset(one->bytes, 'x', one->room);

	assert_int_equal(one->room, IOBUF_ROOM + 1);
	assert_null(iobuf_take_large(&pool, IOBUF_ROOM + 1));
	assert_null(iobuf_take_large(&pool, UINT32_MAX));
	assert_null(iobuf_take_large(&pool, SIZE_MAX));
	iobuf_give(&pool, one);
	assert_int_equal(pool.large, 0);
	one = iobuf_take_large(&pool, 2 * IOBUF_ROOM);
	assert_non_null(one);
	iobuf_give(&pool, one);
	iobuf_pool_fini(&pool);
}

static void a_large_one_that_is_small_enough_is_an_ordinary_one(void **state)
{
	struct iobuf_pool pool;
	struct iobuf *one;

	(void)state;
	iobuf_pool_init(&pool, 1);
	one = iobuf_take_large(&pool, 100);

	assert_int_equal(one->room, IOBUF_ROOM);
	assert_int_equal(pool.slab.count, 1);
	iobuf_give(&pool, one);
	iobuf_pool_fini(&pool);
}

static void compacting_moves_what_is_left_to_the_front(void **state)
{
	struct iobuf_pool pool;
	struct iobuf *buf;

	(void)state;
	iobuf_pool_init(&pool, 8);
	buf = iobuf_take(&pool);
	memcpy(buf->bytes, "abcdef", 6);
	buf->start = 2;
	buf->end = 6;
	iobuf_compact(buf);

	assert_int_equal(buf->start, 0);
	assert_int_equal(buf->end, 4);
	assert_memory_equal(buf->bytes, "cdef", 4);
	iobuf_give(&pool, buf);
	iobuf_pool_fini(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_are_empty_and_the_last_given_back_is_the_next_taken),
		cmocka_unit_test(at_the_limit_there_is_none),
		cmocka_unit_test(larger_ones_have_a_limit_of_their_own),
		cmocka_unit_test(a_large_one_that_is_small_enough_is_an_ordinary_one),
		cmocka_unit_test(compacting_moves_what_is_left_to_the_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
