/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_reader.h"

#include <assert.h>
#include <string.h>

#include "http/field.h"
#include "http/scan.h"
#include "http/token.h"

enum {
	CRLF_BYTES = 2,
	CONNECTION_OPTIONS_MAX = 64, /* each is compared with each field: bounds that work */
};

static_assert(HEADER_HOST < 64 && HEADER_CONTENT_LENGTH < 64 && HEADER_TRANSFER_ENCODING < 64,
	      "fields that may come once are in the first word");

/* ---- lines ---- */

/* What a control byte at `at` means in the line that begins at `begin`. */
static enum fault control_fault(const struct h1_reader *reader, const char *begin, const char *at)
{
	if (*at == '\r' || *at == '\n')
		return FAULT_BAD_LINE_END; /* H1, H2 */
	if (reader->progress->phase != H1_PHASE_FIELDS)
		return FAULT_BAD_REQUEST_LINE;
	return memchr(begin, ':', (size_t)(at - begin)) == NULL ? FAULT_BAD_FIELD        /* H8 */
								: FAULT_BAD_FIELD_VALUE; /* H3 */
}

static enum fault check_line_size(const struct h1_reader *reader, size_t length)
{
	const struct h1_limits *limits = reader->limits;

	if (reader->progress->phase != H1_PHASE_FIELDS)
		return length > limits->line_bytes ? FAULT_LINE_TOO_LONG : FAULT_NONE;
	if (length > limits->field_bytes || reader->progress->line_at + length > limits->head_bytes)
		return FAULT_HEAD_TOO_LARGE;
	return FAULT_NONE;
}

/* In line where fields are read: a call for each line was 8 % of the time of a browser's head. */
__attribute__((always_inline)) static inline enum fault next_line(const struct h1_reader *reader,
								  struct span *line)
{
	struct h1_progress *progress = reader->progress;
	const char *begin = reader->bytes.ptr + progress->line_at;
	const char *end = reader->bytes.ptr + reader->bytes.len;
	const char *at = scan_control(begin + progress->scanned, end);
	size_t length = (size_t)(at - begin);
	enum fault fault = check_line_size(reader, length);

	*line = (struct span){NULL, 0};
	if (fault != FAULT_NONE)
		return fault;
	if (at == end || (*at == '\r' && at + 1 == end)) {
		progress->scanned = (uint32_t)length;
		return FAULT_NONE;
	}
	if (at[0] != '\r' || at[1] != '\n')
		return control_fault(reader, begin, at);
	progress->line_at += (uint32_t)length + CRLF_BYTES;
	progress->scanned = 0;
	*line = (struct span){begin, length};
	return FAULT_NONE;
}

enum fault h1_reader_next_line(const struct h1_reader *reader, struct span *line)
{
	return next_line(reader, line);
}

/* ---- fields ---- */

static inline bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static inline struct span trim(const char *begin, const char *end)
{
	while (begin < end && is_blank(*begin))
		begin++;
	while (end > begin && is_blank(end[-1]))
		end--;
	return (struct span){begin, (size_t)(end - begin)};
}

static enum fault repeated_fault(enum header_id id)
{
	if (id == HEADER_HOST)
		return FAULT_BAD_HOST;                                    /* H33 */
	return id == HEADER_CONTENT_LENGTH ? FAULT_BAD_CONTENT_LENGTH     /* H39 */
					   : FAULT_BAD_TRANSFER_ENCODING; /* H43 */
}

static struct field_names rules_of_names(const struct h1_reader *reader)
{
	return (struct field_names){
		.underscores = reader->limits->underscores,
		.keep_odd = reader->keep_odd_names,
		.is_response = reader->is_response,
	};
}

/* Takes a line apart (H6 to H9) and adds it to the list. */
static enum fault add_field(const struct h1_reader *reader, struct span line)
{
	const struct h1_limits *limits = reader->limits;
	struct h1_progress *progress = reader->progress;
	const char *end = reader->bytes.ptr + reader->bytes.len;
	const char *colon = scan_plain(line.ptr, end);
	struct header *header;
	bool is_plain = *colon == ':';
	uint64_t bit;

	/* the CR behind the line is no token character and ends this at last */
	while (token_byte_is(*colon, TOKEN_CHAR))
		colon++;
	if (*colon != ':' || colon == line.ptr)
		return FAULT_BAD_FIELD;
	if (*reader->header_count == limits->fields)
		return FAULT_TOO_MANY_FIELDS;
	header = &reader->headers[*reader->header_count];
	header->name = (struct span){line.ptr, (size_t)(colon - line.ptr)};
	header->value = trim(colon + 1, line.ptr + line.len);
	header->id = (uint16_t)header_find(header->name);
	header->dropped = false;
	progress->weight += (uint32_t)(header->name.len + header->value.len) + FIELD_OVERHEAD_BYTES;
	if (progress->weight > limits->head_bytes)
		return FAULT_HEAD_TOO_LARGE;
	bit = H1_ID_BIT(header->id % 64);
	if (header->id < 64 && (bit & reader->once & reader->present[0]) != 0)
		return repeated_fault((enum header_id)header->id);
	reader->present[header->id / 64] |= bit;
	(*reader->header_count)++;
	return is_plain ? FAULT_NONE : field_judge_odd_name(rules_of_names(reader), header);
}

enum fault h1_reader_fields(const struct h1_reader *reader, bool *complete)
{
	*complete = false;
	for (;;) {
		struct span line;
		enum fault fault = next_line(reader, &line);

		if (fault != FAULT_NONE || line.ptr == NULL)
			return fault;
		if (line.len == 0) {
			*complete = true;
			return FAULT_NONE;
		}
		fault = add_field(reader, line);
		if (fault != FAULT_NONE)
			return fault;
	}
}

/* ---- finding fields ---- */

bool h1_reader_has(const struct h1_reader *reader, enum header_id id)
{
	return (reader->present[id / 64] >> (id % 64) & 1) != 0;
}

struct header *h1_reader_next(const struct h1_reader *reader, enum header_id id, uint32_t *at)
{
	while (*at < *reader->header_count) {
		struct header *header = &reader->headers[(*at)++];

		if (header->id == id)
			return header;
	}
	return NULL;
}

const struct header *h1_reader_find(const struct h1_reader *reader, enum header_id id)
{
	uint32_t at = 0;

	return h1_reader_has(reader, id) ? h1_reader_next(reader, id, &at) : NULL;
}

static const struct header *find_only(const struct h1_reader *reader, enum header_id id)
{
	uint32_t at = 0;
	const struct header *header = h1_reader_has(reader, id) ? h1_reader_next(reader, id, &at)
								: NULL;

	return header != NULL && h1_reader_next(reader, id, &at) == NULL ? header : NULL;
}

struct span h1_reader_only_value(const struct h1_reader *reader, enum header_id id)
{
	const struct header *header = find_only(reader, id);

	return header == NULL ? (struct span){NULL, 0} : header->value;
}

struct span h1_reader_kept_value(const struct h1_reader *reader, enum header_id id)
{
	const struct header *header = find_only(reader, id);

	return header == NULL || header->dropped ? (struct span){NULL, 0} : header->value;
}

/* ---- framing ---- */

/* H43, for a value that is not "chunked" itself. */
static enum fault judge_codings(struct span value)
{
	bool one = span_find(value, ',') == SIZE_MAX;
	bool last_is_chunked = false;

	do {
		struct span piece = span_cut(&value, ',');
		struct span coding = span_trim(piece);

		if (!token_is(coding, TOKEN_CHAR) || last_is_chunked)
			return FAULT_BAD_TRANSFER_ENCODING;
		last_is_chunked = span_equals_nocase(coding, S("chunked"));
	} while (value.ptr != NULL);
	return one || last_is_chunked ? FAULT_UNKNOWN_TRANSFER_CODING : FAULT_BAD_TRANSFER_ENCODING;
}

enum fault h1_reader_framing(const struct h1_reader *reader, uint8_t version_minor,
			     struct h1_framing *framing)
{
	const struct header *length = h1_reader_find(reader, HEADER_CONTENT_LENGTH);
	const struct header *coding = h1_reader_find(reader, HEADER_TRANSFER_ENCODING);

	*framing = (struct h1_framing){0};
	if (length != NULL && coding != NULL)
		return FAULT_AMBIGUOUS_FRAMING;
	if (length != NULL && !field_length_parse(length->value, &framing->length))
		return FAULT_BAD_CONTENT_LENGTH;
	framing->has_length = length != NULL;
	if (coding == NULL)
		return FAULT_NONE;
	if (version_minor == 0)
		return FAULT_BAD_TRANSFER_ENCODING;
	framing->chunked = true;
	return span_equals_nocase(coding->value, S("chunked")) ? FAULT_NONE
							       : judge_codings(coding->value);
}

/* ---- Connection ---- */

/* H54: fields that Connection may not take away. */
static bool is_protected(enum header_id id)
{
	if (id == HEADER_AUTHORIZATION || id == HEADER_COOKIE || id == HEADER_CONTENT_TYPE)
		return true;
	switch (header_request_way(id)) {
	case HEADER_WAY_FRAMING:
	case HEADER_WAY_OURS:
	case HEADER_WAY_DROP:
		return true;
	case HEADER_WAY_PASS:
	case HEADER_WAY_HOP:
		return false;
	}
	return true;
}

static void drop_named(const struct h1_reader *reader, struct span name, enum header_id id)
{
	if (id != HEADER_OTHER && !h1_reader_has(reader, id))
		return;
	for (uint32_t i = 0; i < *reader->header_count; i++) {
		struct header *header = &reader->headers[i];

		if (header->id == id &&
		    (id != HEADER_OTHER || span_equals_nocase(header->name, name)))
			header->dropped = true;
	}
}

static enum fault read_option(const struct h1_reader *reader, struct span option,
			      struct h1_connection *connection)
{
	enum header_id id;

	if (++connection->options > CONNECTION_OPTIONS_MAX)
		return FAULT_BAD_CONNECTION_OPTION;
	if (option.len == 0)
		return FAULT_NONE; /* RFC 9110, 5.6.1.2: empty elements are ignored */
	if (!token_is(option, TOKEN_CHAR))
		return FAULT_BAD_CONNECTION_OPTION;
	if (span_equals_nocase(option, S("close"))) {
		connection->close = true;
		return FAULT_NONE;
	}
	if (span_equals_nocase(option, S("keep-alive"))) {
		connection->keep_alive = true;
		return FAULT_NONE; /* the field of that name is always removed */
	}
	if (span_equals_nocase(option, S("upgrade")))
		connection->upgrade = true;
	id = header_find(option);
	if (is_protected(id))
		return FAULT_BAD_CONNECTION_OPTION;
	drop_named(reader, option, id);
	return FAULT_NONE;
}

enum fault h1_reader_connection(const struct h1_reader *reader, struct h1_connection *connection)
{
	struct header *header;
	uint32_t at = 0;

	*connection = (struct h1_connection){0};
	if (!h1_reader_has(reader, HEADER_CONNECTION))
		return FAULT_NONE;
	while ((header = h1_reader_next(reader, HEADER_CONNECTION, &at)) != NULL) {
		struct span rest = header->value;

		do {
			struct span piece = span_cut(&rest, ',');
			struct span option = span_trim(piece);
			enum fault fault = read_option(reader, option, connection);

			if (fault != FAULT_NONE)
				return fault;
		} while (rest.ptr != NULL);
	}
	return FAULT_NONE;
}
