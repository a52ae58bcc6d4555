/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow: text being made, a file being read. Owns its memory, which an allocation that
 * fails ends the process for; so a buf is for control and cli, and in workers for start-up and logs.
 * A zeroed struct is an empty buf.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/span.h"

struct buf {
	char *ptr;   /* NULL while nothing was added */
	size_t len;  /* bytes in use */
	size_t room; /* bytes allocated */
};

void buf_fini(struct buf *buf);

/* The same; its bytes are wiped first. Memory that it grew out of is not: reserve before keys are added. */
void buf_wipe(struct buf *buf);

void buf_clear(struct buf *buf);

/* Room for n more bytes behind len; returns where they go. The caller adds what it used to len. */
char *buf_reserve(struct buf *buf, size_t n);

void buf_add(struct buf *buf, struct span bytes);
void buf_add_byte(struct buf *buf, char byte);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* As the inside of a JSON string: quotes, backslashes and control bytes escaped; bytes that are no
 * UTF-8 become U+FFFD. Without the quotes around it. */
void buf_add_json(struct buf *buf, struct span text);

/* NUL-terminates, without counting the NUL; valid until the next change. */
const char *buf_text(struct buf *buf);

static inline struct span buf_span(const struct buf *buf)
{
	return (struct span){buf->ptr, buf->len};
}
