/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of HTTP/1 have in common: settings out of one byte, bytes with a guarded
 * end, heads written and compared.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "http/uri.h"

#include "../unit/http/second_reading.h"
#include "must.h"

/* Two bits are the odd names that pass, one makes limits so small that they are met. */
static inline struct h1_limits h1_limits_of(uint8_t choice, uint32_t fields)
{
	bool is_small = (choice & 4) != 0;

	return (struct h1_limits){
		.line_bytes = is_small ? 64 : 8192,
		.field_bytes = is_small ? 48 : 8192,
		.head_bytes = is_small ? 400 : 32768,
		.fields = is_small ? 6 : fields,
		.underscores = (choice & 1) != 0,
		.keep_odd_names = (choice & 2) != 0,
	};
}

/* The same for what was written of a head: a blank behind each colon, a reason where none was. */
static inline struct h1_limits h1_limits_of_written(struct h1_limits limits)
{
	limits.line_bytes += 64;
	limits.field_bytes += 1;
	limits.head_bytes += 512;
	return limits;
}

static inline size_t h1_piece_of(uint8_t choice)
{
	return (size_t)(choice >> 3) + 1;
}

static inline bool h1_same_headers(const struct header *a, uint32_t a_count, const struct header *b,
				   uint32_t b_count)
{
	if (a_count != b_count)
		return false;
	for (uint32_t i = 0; i < a_count; i++)
		if (a[i].id != b[i].id || a[i].dropped != b[i].dropped ||
		    a[i].name.ptr != b[i].name.ptr || a[i].name.len != b[i].name.len ||
		    a[i].value.ptr != b[i].value.ptr || a[i].value.len != b[i].value.len)
			return false;
	return true;
}

/* The fields that are not dropped, as they came, and the empty line. */
static inline void h1_write_fields(struct h1_writer *writer, const struct header *headers,
				   uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!headers[i].dropped)
			h1_write_header(writer, &headers[i]);
	h1_write_end(writer);
}

/* Whether the fields of b are those of a that were not dropped. */
static inline bool h1_same_kept_fields(const struct header *a, uint32_t a_count,
				       const struct header *b, uint32_t b_count)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < a_count; i++) {
		if (a[i].dropped)
			continue;
		if (at == b_count || a[i].id != b[at].id || !span_equals(a[i].name, b[at].name) ||
		    !span_equals(a[i].value, b[at].value))
			return false;
		at++;
	}
	return at == b_count;
}
