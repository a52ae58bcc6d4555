/* SPDX-License-Identifier: Apache-2.0 */
#include "http/token.h"

/* clang-format off */
enum {
	MARK = TOKEN_CHAR | TOKEN_HOST, /* a tchar that is also unreserved or a sub-delim */
	DIGIT = TOKEN_CHAR | TOKEN_PLAIN | TOKEN_METHOD | TOKEN_HOST | TOKEN_HEX,
	UPPER = TOKEN_CHAR | TOKEN_PLAIN | TOKEN_METHOD | TOKEN_HOST | TOKEN_UPPER,
	LOWER = TOKEN_CHAR | TOKEN_PLAIN | TOKEN_HOST,
};

const uint8_t token_classes[256] = {
	['!'] = MARK, ['$'] = MARK, ['&'] = MARK, ['\''] = MARK, ['*'] = MARK, ['+'] = MARK,
	['.'] = MARK, ['_'] = MARK, ['~'] = MARK,
	['-'] = MARK | TOKEN_PLAIN | TOKEN_METHOD,
	['#'] = TOKEN_CHAR, ['%'] = TOKEN_CHAR, ['^'] = TOKEN_CHAR, ['`'] = TOKEN_CHAR,
	['|'] = TOKEN_CHAR,
	['('] = TOKEN_HOST, [')'] = TOKEN_HOST, ['='] = TOKEN_HOST,
	[':'] = TOKEN_HOST, ['['] = TOKEN_HOST, [']'] = TOKEN_HOST,
	['0' ... '9'] = DIGIT,
	['A' ... 'F'] = UPPER | TOKEN_HEX, ['G' ... 'Z'] = UPPER,
	['a' ... 'f'] = LOWER | TOKEN_HEX, ['g' ... 'z'] = LOWER,
};
/* clang-format on */

bool token_is(struct span text, enum token_class class)
{
	for (size_t i = 0; i < text.len; i++)
		if (!token_byte_is(text.ptr[i], class))
			return false;
	return text.len > 0;
}
