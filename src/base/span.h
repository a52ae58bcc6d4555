/* SPDX-License-Identifier: Apache-2.0 */
/* Text and bytes that somebody else owns: a pointer and a length, passed by value.
 *
 * A span is never NUL-terminated and never owns its bytes; who made it says how long they live.
 * An empty span may have a NULL pointer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *ptr;
	size_t len;
};

/* A span over a string literal. */
#define S(literal) ((struct span){"" literal, sizeof(literal) - 1})

static inline struct span span_make(const char *ptr, size_t len)
{
	return (struct span){ptr, len};
}

/* Over a NUL-terminated string; NULL gives the empty span. */
static inline struct span span_from(const char *text)
{
	return text == NULL ? (struct span){NULL, 0} : (struct span){text, strlen(text)};
}

static inline bool span_equals(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_starts_with(struct span text, struct span prefix)
{
	return text.len >= prefix.len &&
	       (prefix.len == 0 || memcmp(text.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool span_ends_with(struct span text, struct span suffix)
{
	return text.len >= suffix.len &&
	       (suffix.len == 0 ||
		memcmp(text.ptr + text.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

/* What is left from byte n on; empty where n is past the end. */
static inline struct span span_skip(struct span text, size_t n)
{
	return n >= text.len ? (struct span){NULL, 0} : (struct span){text.ptr + n, text.len - n};
}

/* The first n bytes, or all of a shorter one. */
static inline struct span span_take(struct span text, size_t n)
{
	return (struct span){text.ptr, n < text.len ? n : text.len};
}

/* Index of the first byte, or SIZE_MAX. */
static inline size_t span_find(struct span text, char byte)
{
	const char *at = text.len == 0 ? NULL : memchr(text.ptr, byte, text.len);

	return at == NULL ? SIZE_MAX : (size_t)(at - text.ptr);
}

/* Equal but for the case of ASCII letters. */
bool span_equals_nocase(struct span a, struct span b);

/* Byte order, a shorter prefix first: <0, 0, >0. */
int span_compare(struct span a, struct span b);

/* Without blanks and tabs at both ends. */
struct span span_trim(struct span text);

/* Cuts the text before the first separator off *rest and returns it; *rest keeps what follows
 * the separator. Without a separator all of *rest is returned and *rest becomes empty with a
 * NULL pointer, which is how a caller sees the last piece. */
struct span span_cut(struct span *rest, char separator);

/* Decimal digits only, no sign, no blank, at most UINT64_MAX; false leaves *value alone. */
bool span_to_u64(struct span text, uint64_t *value);
