/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool lies_in(const void *piece, const char *memory, size_t size)
{
	return (const char *)piece >= memory && (const char *)piece < memory + size;
}

static void a_small_use_stays_in_the_memory_of_the_owner(void **state)
{
	char first[256] __attribute__((aligned(16)));
	struct arena arena;

	(void)state;
	arena_init(&arena, first, sizeof(first), SIZE_MAX);

	assert_true(lies_in(arena_take(&arena, 100), first, sizeof(first)));
	assert_true(lies_in(arena_take(&arena, 100), first, sizeof(first)));
	assert_int_equal(arena.taken, 0);
	assert_false(lies_in(arena_take(&arena, 100), first, sizeof(first)));
	arena_fini(&arena);
}

static void the_last_byte_of_the_first_memory_is_used(void **state)
{
	char first[64] __attribute__((aligned(16)));
	struct arena arena;

	(void)state;
	arena_init(&arena, first, sizeof(first), 0);

	assert_non_null(arena_take(&arena, 64));
	assert_null(arena_take_bytes(&arena, 1));
	arena_fini(&arena);
}

static void pieces_are_aligned_and_do_not_overlap(void **state)
{
	struct arena arena;
	unsigned char *pieces[500];

	(void)state;
	arena_init(&arena, NULL, 0, SIZE_MAX);
	for (unsigned i = 0; i < 500; i++) {
		(void)arena_take_bytes(&arena, i % 3);
		pieces[i] = arena_take(&arena, i);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], (int)(i & 255), i);
	}

	for (unsigned i = 0; i < 500; i++)
		for (unsigned k = 0; k < i; k++)
			assert_int_equal(pieces[i][k], i & 255);
	arena_fini(&arena);
}

static void a_piece_larger_than_any_block_gets_one_of_its_own(void **state)
{
	struct arena arena;
	char *piece;

	(void)state;
	arena_init(&arena, NULL, 0, SIZE_MAX);
	piece = arena_take_zero(&arena, 1000000);

	assert_int_equal(piece[0], 0);
	assert_int_equal(piece[999999], 0);
	arena_fini(&arena);
}

static void blocks_grow_so_that_their_number_stays_small(void **state)
{
	struct arena arena;
	char *last = NULL;
	unsigned jumps = 0;

	(void)state;
	arena_init(&arena, NULL, 0, SIZE_MAX);
	for (unsigned i = 0; i < 60000; i++) {
		char *byte = arena_take_bytes(&arena, 1);

		jumps += byte != last + 1;
		last = byte;
	}

	assert_in_range(jumps, 1, 8);
	arena_fini(&arena);
}

static void the_limit_is_kept_and_reaching_it_is_no_end(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, NULL, 0, 4096);

	assert_null(arena_take(&arena, 4096));
	assert_non_null(arena_take(&arena, 3000));
	assert_null(arena_take(&arena, 2000));
	assert_null(arena_take_zero(&arena, 2000));
	assert_null(arena_copy(&arena, span_make((const char[2000]){0}, 2000)).ptr);
	assert_non_null(arena_take(&arena, 500));
	assert_true(arena.taken <= 4096);
	arena_fini(&arena);
}

static void without_heap_there_is_only_the_memory_of_the_owner(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, NULL, 0, 0);

	assert_null(arena_take(&arena, 0));
	arena_fini(&arena);
}

static void a_piece_of_nothing_is_no_failure(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, NULL, 0, SIZE_MAX);
	assert_non_null(arena_take(&arena, 0));
	arena_fini(&arena);
	arena_init(&arena, NULL, 0, SIZE_MAX);
	assert_non_null(arena_take_bytes(&arena, 0));
	arena_fini(&arena);
}

static void copies_and_formatted_texts_are_terminated(void **state)
{
	struct arena arena;
	struct span copy;
	struct span empty;
	struct span text;

	(void)state;
	arena_init(&arena, NULL, 0, SIZE_MAX);
	copy = arena_copy(&arena, span_make("host:80", 4));
	empty = arena_copy(&arena, span_from(NULL));
	text = arena_printf(&arena, "%s/%d", "web", 8080);

	assert_int_equal(copy.len, 4);
	assert_string_equal(copy.ptr, "host");
	assert_int_equal(empty.len, 0);
	assert_string_equal(empty.ptr, "");
	assert_int_equal(text.len, 8);
	assert_string_equal(text.ptr, "web/8080");
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_use_stays_in_the_memory_of_the_owner),
		cmocka_unit_test(the_last_byte_of_the_first_memory_is_used),
		cmocka_unit_test(pieces_are_aligned_and_do_not_overlap),
		cmocka_unit_test(a_piece_larger_than_any_block_gets_one_of_its_own),
		cmocka_unit_test(blocks_grow_so_that_their_number_stays_small),
		cmocka_unit_test(the_limit_is_kept_and_reaching_it_is_no_end),
		cmocka_unit_test(without_heap_there_is_only_the_memory_of_the_owner),
		cmocka_unit_test(a_piece_of_nothing_is_no_failure),
		cmocka_unit_test(copies_and_formatted_texts_are_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
