/* SPDX-License-Identifier: Apache-2.0 */
#include "http/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "page_end.h"

typedef const char *scan_function(const char *at, const char *end);

enum { LONGEST = 50 };

/* For each byte at each place of texts of each length, both forms stop where the byte says. */
static void assert_stops(scan_function *scan, scan_function *portable, bool (*stops_at)(char),
			 char filler)
{
	for (size_t length = 0; length <= LONGEST; length++) {
		char *text = page_end_room(length);
		char *end = text + length;

		memset(text, filler, length);
		assert_ptr_equal(scan(text, end), end);
		assert_ptr_equal(portable(text, end), end);
		for (size_t i = 0; i < length; i++) {
			for (unsigned byte = 0; byte < 256; byte++) {
				text[i] = (char)byte;
				const char *stop = stops_at((char)byte) ? text + i : end;

				assert_ptr_equal(scan(text, end), stop);
				assert_ptr_equal(portable(text, end), stop);
			}
			text[i] = filler;
		}
	}
}

static bool is_control(char byte)
{
	return strchr("\1\2\3\4\5\6\7\10\12\13\14\15\16\17\20\21\22\23\24\25\26\27\30\31\32\33\34"
		      "\35"
		      "\36\37\177",
		      byte) != NULL;
}

static bool ends_target(char byte)
{
	return (unsigned char)byte < 0x21 || (unsigned char)byte > 0x7e ||
	       strchr("\"#<>", byte) != NULL;
}

static bool is_not_plain(char byte)
{
	return byte == '\0' || strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-",
				      byte) == NULL;
}

static void a_line_is_scanned_up_to_its_first_control_byte(void **state)
{
	(void)state;
	assert_stops(scan_control, scan_control_portable, is_control, 'a');
	assert_stops(scan_control, scan_control_portable, is_control, '\t');
	assert_stops(scan_control, scan_control_portable, is_control, '\xff');
}

static void a_target_is_scanned_up_to_the_first_byte_that_ends_it(void **state)
{
	(void)state;
	assert_stops(scan_target, scan_target_portable, ends_target, '/');
}

static void a_name_is_scanned_up_to_the_first_byte_that_is_not_plain(void **state)
{
	(void)state;
	assert_stops(scan_plain, scan_plain_portable, is_not_plain, 'x');
}

static void a_copy_tells_of_every_control_byte(void **state)
{
	char to[LONGEST + 1];

	(void)state;
	for (size_t length = 0; length <= LONGEST; length++) {
		char *text = page_end_room(length);

		memset(text, 'a', length);
		for (size_t i = 0; i < length; i++) {
			for (unsigned byte = 0; byte < 256; byte++) {
				text[i] = (char)byte;
				bool sound = !is_control((char)byte);

				to[length] = '!';
				assert_int_equal(scan_copy(to, text, length), sound);
				assert_memory_equal(to, text, length);
				assert_int_equal(scan_copy_portable(to, text, length), sound);
				assert_int_equal(to[length], '!');
			}
			text[i] = 'a';
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_scanned_up_to_its_first_control_byte),
		cmocka_unit_test(a_target_is_scanned_up_to_the_first_byte_that_ends_it),
		cmocka_unit_test(a_name_is_scanned_up_to_the_first_byte_that_is_not_plain),
		cmocka_unit_test(a_copy_tells_of_every_control_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
