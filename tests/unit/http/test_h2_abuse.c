/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_abuse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND_NS UINT64_C(1000000000)

static const uint64_t start_ns = 7 * SECOND_NS;

static struct h2_abuse given_budget(void)
{
	struct h2_abuse abuse;

	h2_abuse_init(&abuse, start_ns);
	return abuse;
}

/* How many are taken until there is nothing left. */
static unsigned count_until_angry(enum h2_glitch glitch)
{
	struct h2_abuse abuse = given_budget();
	unsigned count = 1;

	while (h2_abuse_add(&abuse, glitch, start_ns) != H2_ANGRY)
		count++;
	return count;
}

static void each_glitch_costs_what_the_table_says(void **state)
{
	(void)state;
	assert_int_equal(count_until_angry(H2_GLITCH_RESET_RECEIVED), 100);
	assert_int_equal(count_until_angry(H2_GLITCH_RESET_SENT), 100);
	assert_int_equal(count_until_angry(H2_GLITCH_EMPTY_DATA), 200);
	assert_int_equal(count_until_angry(H2_GLITCH_SETTINGS), 40);
	assert_int_equal(count_until_angry(H2_GLITCH_PING), 201); /* one is free */
	assert_int_equal(count_until_angry(H2_GLITCH_PRIORITY), 200);
	assert_int_equal(count_until_angry(H2_GLITCH_SMALL_WINDOW_UPDATE), 200);
	assert_int_equal(count_until_angry(H2_GLITCH_UNKNOWN_FRAME), 200);
	assert_int_equal(count_until_angry(H2_GLITCH_CLOSED_STREAM), 200);
	assert_int_equal(count_until_angry(H2_GLITCH_MALFORMED), 40);
}

static void three_quarters_spent_make_uneasy(void **state)
{
	struct h2_abuse abuse = given_budget();

	(void)state;
	for (unsigned i = 0; i < 29; i++)
		assert_int_equal(h2_abuse_add(&abuse, H2_GLITCH_MALFORMED, start_ns), H2_CALM);

	assert_int_equal(h2_abuse_add(&abuse, H2_GLITCH_MALFORMED, start_ns), H2_UNEASY);
	assert_int_equal(h2_abuse_left(&abuse), 50);
}

static void the_budget_comes_back_at_five_a_second_and_no_higher(void **state)
{
	struct h2_abuse abuse = given_budget();

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		h2_abuse_add(&abuse, H2_GLITCH_MALFORMED, start_ns);
	assert_int_equal(h2_abuse_left(&abuse), 100);
	h2_abuse_add(&abuse, H2_GLITCH_EMPTY_DATA, start_ns + 2 * SECOND_NS);
	assert_int_equal(h2_abuse_left(&abuse), 109);
	h2_abuse_add(&abuse, H2_GLITCH_EMPTY_DATA, start_ns + 1000 * SECOND_NS);

	assert_int_equal(h2_abuse_left(&abuse), 199);
}

static void what_is_less_than_a_thousandth_is_not_lost(void **state)
{
	struct h2_abuse abuse = given_budget();
	uint64_t now_ns = start_ns;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		h2_abuse_add(&abuse, H2_GLITCH_MALFORMED, now_ns);
	/* a second in steps of 50 microseconds, each worth a quarter of a thousandth */
	for (unsigned i = 0; i < 20000; i++) {
		now_ns += 50000;
		h2_abuse_data(&abuse, 1000, now_ns);
		if (i % 4000 == 0)
			h2_abuse_add(&abuse, H2_GLITCH_EMPTY_DATA, now_ns);
	}
	h2_abuse_add(&abuse, H2_GLITCH_EMPTY_DATA, now_ns);

	assert_int_equal(h2_abuse_left(&abuse), 100 + 5 - 6);
}

static void a_ping_after_each_answer_is_free(void **state)
{
	struct h2_abuse abuse = given_budget();

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		h2_abuse_sent(&abuse);
		assert_int_equal(h2_abuse_add(&abuse, H2_GLITCH_PING, start_ns), H2_CALM);
	}
	assert_int_equal(h2_abuse_left(&abuse), 200);
	h2_abuse_add(&abuse, H2_GLITCH_PING, start_ns);

	assert_int_equal(h2_abuse_left(&abuse), 199);
}

static void four_late_frames_for_each_stream_are_free(void **state)
{
	struct h2_abuse abuse = given_budget();

	(void)state;
	h2_abuse_stream_ended(&abuse);
	for (unsigned i = 0; i < 4; i++)
		h2_abuse_add(&abuse, H2_GLITCH_CLOSED_STREAM, start_ns);
	assert_int_equal(h2_abuse_left(&abuse), 200);
	h2_abuse_add(&abuse, H2_GLITCH_CLOSED_STREAM, start_ns);

	assert_int_equal(h2_abuse_left(&abuse), 199);
}

static void late_frames_are_not_saved_up_for_ever(void **state)
{
	struct h2_abuse abuse = given_budget();

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		h2_abuse_stream_ended(&abuse);
	for (unsigned i = 0; i < 512; i++)
		h2_abuse_add(&abuse, H2_GLITCH_CLOSED_STREAM, start_ns);
	assert_int_equal(h2_abuse_left(&abuse), 200);
	h2_abuse_add(&abuse, H2_GLITCH_CLOSED_STREAM, start_ns);

	assert_int_equal(h2_abuse_left(&abuse), 199);
}

static void two_priorities_for_each_stream_are_free(void **state)
{
	struct h2_abuse abuse = given_budget();

	(void)state;
	h2_abuse_stream_begun(&abuse);
	for (unsigned i = 0; i < 3; i++)
		h2_abuse_add(&abuse, H2_GLITCH_PRIORITY, start_ns);

	assert_int_equal(h2_abuse_left(&abuse), 199);
}

static void small_data_costs_beyond_64_in_a_second(void **state)
{
	struct h2_abuse abuse = given_budget();

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		h2_abuse_data(&abuse, 4, start_ns);
	h2_abuse_data(&abuse, 5, start_ns);
	assert_int_equal(h2_abuse_left(&abuse), 200);
	h2_abuse_data(&abuse, 4, start_ns);
	assert_int_equal(h2_abuse_left(&abuse), 199);
	/* the next second counts anew; the bucket is full again by then */
	for (unsigned i = 0; i < 64; i++)
		h2_abuse_data(&abuse, 1, start_ns + SECOND_NS);
	h2_abuse_data(&abuse, 0, start_ns + SECOND_NS);

	assert_int_equal(h2_abuse_left(&abuse), 199);
}

static void a_stream_that_begins_earns_two_small_window_updates(void **state)
{
	struct h2_abuse abuse;

	h2_abuse_init(&abuse, start_ns);
	for (unsigned i = 0; i < 100; i++) {
		h2_abuse_stream_begun(&abuse);
		h2_abuse_add(&abuse, H2_GLITCH_SMALL_WINDOW_UPDATE, start_ns);
		h2_abuse_add(&abuse, H2_GLITCH_SMALL_WINDOW_UPDATE, start_ns);
	}
	assert_int_equal(h2_abuse_left(&abuse), 200);
	h2_abuse_add(&abuse, H2_GLITCH_SMALL_WINDOW_UPDATE, start_ns);

	assert_int_equal(h2_abuse_left(&abuse), 199);
	(void)state;
}

static void small_window_updates_are_free_after_data_that_no_window_cut_short(void **state)
{
	struct h2_abuse abuse = given_budget();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		h2_abuse_sent_within_windows(&abuse);
		h2_abuse_add(&abuse, H2_GLITCH_SMALL_WINDOW_UPDATE, start_ns);
		h2_abuse_add(&abuse, H2_GLITCH_SMALL_WINDOW_UPDATE, start_ns);
	}
	assert_int_equal(h2_abuse_left(&abuse), 200);
	h2_abuse_add(&abuse, H2_GLITCH_SMALL_WINDOW_UPDATE, start_ns);

	assert_int_equal(h2_abuse_left(&abuse), 199);
}

static void what_data_earns_is_bounded(void **state)
{
	struct h2_abuse abuse = given_budget();

	(void)state;
	for (int i = 0; i < 1000; i++)
		h2_abuse_sent_within_windows(&abuse);
	for (int i = 0; i < 256; i++)
		h2_abuse_add(&abuse, H2_GLITCH_SMALL_WINDOW_UPDATE, start_ns);
	assert_int_equal(h2_abuse_left(&abuse), 200);
	h2_abuse_add(&abuse, H2_GLITCH_SMALL_WINDOW_UPDATE, start_ns);

	assert_int_equal(h2_abuse_left(&abuse), 199);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_glitch_costs_what_the_table_says),
		cmocka_unit_test(three_quarters_spent_make_uneasy),
		cmocka_unit_test(the_budget_comes_back_at_five_a_second_and_no_higher),
		cmocka_unit_test(what_is_less_than_a_thousandth_is_not_lost),
		cmocka_unit_test(a_ping_after_each_answer_is_free),
		cmocka_unit_test(four_late_frames_for_each_stream_are_free),
		cmocka_unit_test(late_frames_are_not_saved_up_for_ever),
		cmocka_unit_test(two_priorities_for_each_stream_are_free),
		cmocka_unit_test(small_data_costs_beyond_64_in_a_second),
		cmocka_unit_test(a_stream_that_begins_earns_two_small_window_updates),
		cmocka_unit_test(small_window_updates_are_free_after_data_that_no_window_cut_short),
		cmocka_unit_test(what_data_earns_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
