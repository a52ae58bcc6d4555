/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"

void buf_fini(struct buf *buf)
{
	free(buf->ptr);
	*buf = (struct buf){0};
}

void buf_wipe(struct buf *buf)
{
	if (buf->ptr != NULL)
		explicit_bzero(buf->ptr, buf->room);
	buf_fini(buf);
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
}

char *buf_reserve(struct buf *buf, size_t n)
{
	BUG_ON(n > SIZE_MAX / 2 - buf->len);
	if (buf->ptr == NULL || buf->room - buf->len < n)
		buf->ptr = memory_grow_array(buf->ptr, &buf->room, buf->len + n, 1);
	return buf->ptr + buf->len;
}

void buf_add(struct buf *buf, struct span bytes)
{
	if (bytes.len == 0)
		return;
	memcpy(buf_reserve(buf, bytes.len), bytes.ptr, bytes.len);
	buf->len += bytes.len;
}

void buf_add_byte(struct buf *buf, char byte)
{
	*buf_reserve(buf, 1) = byte;
	buf->len++;
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	int length;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	BUG_ON(length < 0);
	vsnprintf(buf_reserve(buf, (size_t)length + 1), (size_t)length + 1, format, again);
	va_end(again);
	buf->len += (size_t)length;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(buf, format, args);
	va_end(args);
}

/* Length of the well-formed UTF-8 sequence at the start of text, 0 where there is none
 * (RFC 3629, 4: no overlong forms, no surrogates, nothing above U+10FFFF). */
static size_t utf8_length(struct span text)
{
	const unsigned char *p = (const unsigned char *)text.ptr;
	size_t length = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (length == 0 || p[0] > 0xf4 || text.len < length)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return length;
}

void buf_add_json(struct buf *buf, struct span text)
{
	while (text.len > 0) {
		unsigned char c = (unsigned char)text.ptr[0];
		size_t length = utf8_length(text);

		if (length == 0) {
			buf_add(buf, S("\\ufffd"));
			length = 1;
		} else if (c == '"' || c == '\\') {
			buf_add_byte(buf, '\\');
			buf_add_byte(buf, (char)c);
		} else if (c < 0x20 || c == 0x7f) {
			buf_printf(buf, "\\u%04x", c);
		} else {
			buf_add(buf, span_take(text, length));
		}
		text = span_skip(text, length);
	}
}

const char *buf_text(struct buf *buf)
{
	*buf_reserve(buf, 1) = '\0';
	return buf->ptr;
}
