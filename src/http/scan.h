/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes looked at sixteen at a time: where a line ends, where a target ends.
 *
 * The only place with instructions of one processor. x86-64 always has SSE2; elsewhere, and in the
 * tests that compare both, the portable forms do the same. Nothing is read outside [at, end).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#define SCAN_SSE2 1
#else
#define SCAN_SSE2 0
#endif

/* NUL to US and DEL, but for HTAB: what no line of a head may hold (RFC 9110, 5.5). */
static inline bool scan_is_control(char byte)
{
	unsigned char c = (unsigned char)byte;

	return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* What may stand in no form of a request target (H27 to H30): '"' '#' '<' '>' and all bytes but
 * 0x21 to 0x7e. */
static inline bool scan_ends_target(char byte)
{
	unsigned char c = (unsigned char)byte;

	return c <= 0x20 || c >= 0x7f || c == '"' || c == '#' || c == '<' || c == '>';
}

static inline const char *scan_control_portable(const char *at, const char *end)
{
	while (at < end && !scan_is_control(*at))
		at++;
	return at;
}

static inline const char *scan_target_portable(const char *at, const char *end)
{
	while (at < end && !scan_ends_target(*at))
		at++;
	return at;
}

/* Letters, digits and '-': the names that H9 lets pass. */
static inline bool scan_is_plain(char byte)
{
	unsigned char c = (unsigned char)byte;
	unsigned char letter = (unsigned char)((c | 0x20) - 'a');
	unsigned char digit = (unsigned char)(c - '0');

	return letter < 26 || digit < 10 || c == '-';
}

static inline const char *scan_plain_portable(const char *at, const char *end)
{
	while (at < end && scan_is_plain(*at))
		at++;
	return at;
}

static inline bool scan_copy_portable(char *to, const char *from, size_t length)
{
	memcpy(to, from, length);
	return scan_control_portable(from, from + length) == from + length;
}

#if SCAN_SSE2

static inline __m128i scan_load(const void *at)
{
	return _mm_loadu_si128((const __m128i *)at);
}

static inline void scan_store(void *at, __m128i bytes)
{
	_mm_storeu_si128((__m128i *)at, bytes);
}

/* Eight bytes, in the lower half. */
static inline __m128i scan_load_half(const void *at)
{
	return _mm_loadl_epi64((const __m128i *)at);
}

static inline void scan_store_half(void *at, __m128i bytes)
{
	_mm_storel_epi64((__m128i *)at, bytes);
}

static inline __m128i scan_controls(__m128i bytes)
{
	const __m128i last = _mm_set1_epi8(0x1f);
	__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last), bytes);
	__m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
	__m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));

	return _mm_or_si128(_mm_andnot_si128(tab, low), del);
}

static inline __m128i scan_target_ends(__m128i bytes)
{
	/* signed: 0x80 … 0xff are below 0x21 too */
	__m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x21));
	__m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
	/* '"' 0x22 and '#' 0x23 differ in one bit, '<' 0x3c and '>' 0x3e in another */
	__m128i quote = _mm_cmpeq_epi8(_mm_or_si128(bytes, _mm_set1_epi8(1)), _mm_set1_epi8(0x23));
	__m128i angle = _mm_cmpeq_epi8(_mm_or_si128(bytes, _mm_set1_epi8(2)), _mm_set1_epi8(0x3e));

	return _mm_or_si128(_mm_or_si128(low, del), _mm_or_si128(quote, angle));
}

static inline __m128i scan_plains(__m128i bytes)
{
	const __m128i last_letter = _mm_set1_epi8('z' - 'a');
	const __m128i last_digit = _mm_set1_epi8(9);
	__m128i letter = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
	__m128i digit = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
	__m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, last_letter), letter);
	__m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, last_digit), digit);
	__m128i is_dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));

	return _mm_or_si128(_mm_or_si128(is_letter, is_digit), is_dash);
}

/* Fewer than sixteen bytes: two halves that may overlap, or byte by byte. */
static inline bool scan_copy_short(char *to, const char *from, size_t length)
{
	bool sound = true;

	if (length >= 8) {
		__m128i first = scan_load_half(from);
		__m128i last = scan_load_half(from + length - 8);

		scan_store_half(to, first);
		scan_store_half(to + length - 8, last);
		return _mm_movemask_epi8(scan_controls(_mm_unpacklo_epi64(first, last))) == 0;
	}
	for (size_t i = 0; i < length; i++) {
		to[i] = from[i];
		sound &= !scan_is_control(from[i]);
	}
	return sound;
}

#endif

/* The first control byte but HTAB, or end. */
static inline const char *scan_control(const char *at, const char *end)
{
#if SCAN_SSE2
	for (; end - at >= 16; at += 16) {
		int found = _mm_movemask_epi8(scan_controls(scan_load(at)));

		if (found != 0)
			return at + __builtin_ctz((unsigned)found);
	}
#endif
	return scan_control_portable(at, end);
}

/* The first byte that ends a target, or end. */
static inline const char *scan_target(const char *at, const char *end)
{
#if SCAN_SSE2
	for (; end - at >= 16; at += 16) {
		int found = _mm_movemask_epi8(scan_target_ends(scan_load(at)));

		if (found != 0)
			return at + __builtin_ctz((unsigned)found);
	}
#endif
	return scan_target_portable(at, end);
}

/* The first byte that is no letter, digit or '-', or end. */
static inline const char *scan_plain(const char *at, const char *end)
{
#if SCAN_SSE2
	for (; end - at >= 16; at += 16) {
		unsigned plain = (unsigned)_mm_movemask_epi8(scan_plains(scan_load(at)));

		if (plain != 0xffff)
			return at + __builtin_ctz(~plain);
	}
#endif
	return scan_plain_portable(at, end);
}

/* Copies, and tells whether no control byte but HTAB was among the bytes. */
static inline bool scan_copy(char *to, const char *from, size_t length)
{
#if SCAN_SSE2
	__m128i seen = _mm_setzero_si128();
	size_t i = 0;

	if (length < 16)
		return scan_copy_short(to, from, length);
	for (; i + 16 <= length; i += 16) {
		__m128i bytes = scan_load(from + i);

		scan_store(to + i, bytes);
		seen = _mm_or_si128(seen, scan_controls(bytes));
	}
	if (i < length) {
		/* the last sixteen once more, over what was copied already */
		__m128i bytes = scan_load(from + length - 16);

		scan_store(to + length - 16, bytes);
		seen = _mm_or_si128(seen, scan_controls(bytes));
	}
	return _mm_movemask_epi8(seen) == 0;
#else
	return scan_copy_portable(to, from, length);
#endif
}
