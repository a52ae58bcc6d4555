/* SPDX-License-Identifier: Apache-2.0 */
#include "http/header.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "page_end.h"

static const char *const names[HEADER_COUNT] = {
#define HEADER(id, name, request, response) [HEADER_##id] = name,
#include "http/header.def"
#undef HEADER
};

/* What header_find must say, found the slow way. */
static enum header_id find_slowly(struct span name)
{
	for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
		if (span_equals_nocase(name, span_from(names[id])))
			return (enum header_id)id;
	return HEADER_OTHER;
}

static void each_name_is_found_in_any_case(void **state)
{
	(void)state;
	for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++) {
		struct span name = page_end_copy(span_from(names[id]));
		char *bytes = (char *)name.ptr;

		assert_int_equal(header_find(name), id);
		for (size_t i = 0; i < name.len; i++)
			bytes[i] = (char)tolower(bytes[i]);
		assert_int_equal(header_find(name), id);
		for (size_t i = 0; i < name.len; i++)
			bytes[i] = (char)toupper(bytes[i]);
		assert_int_equal(header_find(name), id);
	}
}

static void a_name_with_one_other_byte_is_another_name(void **state)
{
	(void)state;
	for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++) {
		struct span name = page_end_copy(span_from(names[id]));
		char *bytes = (char *)name.ptr;

		for (size_t i = 0; i < name.len; i++) {
			char right = bytes[i];

			for (unsigned byte = 0; byte < 256; byte++) {
				bytes[i] = (char)byte;
				assert_int_equal(header_find(name), find_slowly(name));
			}
			bytes[i] = right;
		}
	}
}

static void a_name_that_is_longer_or_shorter_is_another_name(void **state)
{
	(void)state;
	for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++) {
		struct span name = span_from(names[id]);
		char longer[64] = {0};

		memcpy(longer, name.ptr, name.len);
		longer[name.len] = 'x';
		for (size_t length = 0; length < name.len; length++)
			assert_int_equal(header_find(span_take(name, length)),
					 find_slowly(span_take(name, length)));
		assert_int_equal(header_find(span_make(longer, name.len + 1)), HEADER_OTHER);
	}
}

static void names_of_any_length_can_be_asked_for(void **state)
{
	(void)state;
	for (size_t length = 0; length < 300; length++) {
		char *room = page_end_room(length);

		memset(room, 'x', length);
		assert_int_equal(header_find(span_make(room, length)), HEADER_OTHER);
	}
}

static void a_name_is_sent_as_the_def_file_writes_it(void **state)
{
	(void)state;
	for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++)
		assert_true(span_equals(header_name((enum header_id)id), span_from(names[id])));
}

static void the_way_of_a_field_depends_on_the_side(void **state)
{
	(void)state;
	assert_int_equal(header_request_way(HEADER_HOST), HEADER_WAY_FRAMING);
	assert_int_equal(header_response_way(HEADER_HOST), HEADER_WAY_PASS);
	assert_int_equal(header_request_way(HEADER_X_REAL_IP), HEADER_WAY_OURS);
	assert_int_equal(header_request_way(HEADER_PROXY), HEADER_WAY_DROP);
	assert_int_equal(header_request_way(HEADER_UPGRADE), HEADER_WAY_HOP);
	assert_int_equal(header_response_way(HEADER_SERVER), HEADER_WAY_DROP);
	assert_int_equal(header_request_way(HEADER_OTHER), HEADER_WAY_PASS);
	assert_int_equal(header_response_way(HEADER_OTHER), HEADER_WAY_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_name_is_found_in_any_case),
		cmocka_unit_test(a_name_with_one_other_byte_is_another_name),
		cmocka_unit_test(a_name_that_is_longer_or_shorter_is_another_name),
		cmocka_unit_test(names_of_any_length_can_be_asked_for),
		cmocka_unit_test(a_name_is_sent_as_the_def_file_writes_it),
		cmocka_unit_test(the_way_of_a_field_depends_on_the_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
