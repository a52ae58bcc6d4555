/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "page_end.h"

/* DATA of three bytes with END_STREAM for stream 2^31-1 (the reserved bit is set), then SETTINGS. */
static const struct span two_frames = {"\0\0\3\0\1\xff\xff\xff\xff"
				       "abc"
				       "\0\0\0\4\1\0\0\0\0",
				       21};

static void frames_are_found_one_by_one(void **state)
{
	struct h2_frames frames = h2_frames_start(0);
	struct h2_frames_result first;
	struct h2_frames_result second;

	(void)state;
	first = h2_frames_next(&frames, two_frames);
	second = h2_frames_next(&frames, span_skip(two_frames, first.consumed));

	assert_int_equal(first.consumed, 12);
	assert_true(first.begun);
	assert_int_equal(first.frame.length, 3);
	assert_int_equal(first.frame.type, H2_FRAME_DATA);
	assert_int_equal(first.frame.flags, H2_FLAG_END_STREAM);
	assert_int_equal(first.frame.stream_id, 0x7fffffff);
	assert_int_equal(second.consumed, 9);
	assert_true(second.begun);
	assert_int_equal(second.frame.type, H2_FRAME_SETTINGS);
	assert_true(h2_frames_at_boundary(&frames));
}

static void pieces_of_any_size_tell_the_same_frames(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= two_frames.len; piece++) {
		struct h2_frames frames = h2_frames_start(0);
		struct span rest = two_frames;
		unsigned begun = 0;

		while (rest.len > 0) {
			struct span bytes = page_end_copy(span_take(rest, piece));
			struct h2_frames_result result = h2_frames_next(&frames, bytes);

			assert_in_range(result.consumed, 1, bytes.len);
			begun += result.begun;
			rest = span_skip(rest, result.consumed);
		}
		assert_int_equal(begun, 2);
		assert_true(h2_frames_at_boundary(&frames));
	}
}

static void the_preface_is_no_frame(void **state)
{
	struct h2_frames frames = h2_frames_start(H2_PREFACE_BYTES);
	struct h2_frames_result result;

	(void)state;
	result = h2_frames_next(&frames, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest"));

	assert_int_equal(result.consumed, H2_PREFACE_BYTES);
	assert_false(result.begun);
}

static void a_frame_whose_payload_is_missing_is_no_boundary(void **state)
{
	struct h2_frames frames = h2_frames_start(0);

	(void)state;
	(void)h2_frames_next(&frames, span_take(two_frames, 5));
	assert_false(h2_frames_at_boundary(&frames));
	(void)h2_frames_next(&frames, S("\xff\xff\xff\xff"));
	assert_false(h2_frames_at_boundary(&frames));
	(void)h2_frames_next(&frames, S("abc"));

	assert_true(h2_frames_at_boundary(&frames));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_found_one_by_one),
		cmocka_unit_test(pieces_of_any_size_tell_the_same_frames),
		cmocka_unit_test(the_preface_is_no_frame),
		cmocka_unit_test(a_frame_whose_payload_is_missing_is_no_boundary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
