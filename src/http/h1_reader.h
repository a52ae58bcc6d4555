/* SPDX-License-Identifier: Apache-2.0 */
/* What requests and responses have in common when a head is read: lines, fields, framing, Connection.
 * Private to h1_parse.c.
 *
 * A head is read line by line, each in two steps. First the end of the line is looked for, and with it
 * every control byte, sixteen bytes at a time; what breaks the rules of lines is told at the byte that
 * breaks them, so that it makes no difference in which pieces the bytes came. A line that is complete
 * is then taken apart.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "http/h1_parse.h"

enum h1_phase { H1_PHASE_START, H1_PHASE_FIRST_LINE, H1_PHASE_FIELDS };

#define H1_ID_BIT(id) (UINT64_C(1) << (id))

/* Fields that may come once, by the bits of the first word of `present`. */
#define H1_ONCE_IN_RESPONSE (H1_ID_BIT(HEADER_CONTENT_LENGTH) | H1_ID_BIT(HEADER_TRANSFER_ENCODING))
#define H1_ONCE_IN_REQUEST  (H1_ID_BIT(HEADER_HOST) | H1_ONCE_IN_RESPONSE)

/* One call of a parser. All is borrowed for its time. */
struct h1_reader {
	struct span bytes;
	const struct h1_limits *limits;
	struct h1_progress *progress;
	struct header *headers; /* these three are the head's */
	uint32_t *header_count;
	uint64_t *present;
	uint64_t once;       /* H1_ONCE_IN_… */
	bool keep_odd_names; /* token names beyond H9 pass */
	bool is_response;    /* odd names are judged as response fields */
};

/* The next line, without its CRLF. A NULL pointer: its end has not come yet. A line that is returned
 * holds no control byte but HTAB, and the bytes behind it can be read: they are CR and LF. */
enum fault h1_reader_next_line(const struct h1_reader *reader, struct span *line);

/* Reads all field lines that are there. *complete: the empty line was among them. */
enum fault h1_reader_fields(const struct h1_reader *reader, bool *complete);

bool h1_reader_has(const struct h1_reader *reader, enum header_id id);

/* The first field with that id from *at on, or NULL; *at is then behind it. */
struct header *h1_reader_next(const struct h1_reader *reader, enum header_id id, uint32_t *at);

/* The first field with that id, or NULL. */
const struct header *h1_reader_find(const struct h1_reader *reader, enum header_id id);

/* The value of a field that is there once; else empty. */
struct span h1_reader_only_value(const struct h1_reader *reader, enum header_id id);

/* The same, also empty where Connection names the field. */
struct span h1_reader_kept_value(const struct h1_reader *reader, enum header_id id);

struct h1_framing {
	uint64_t length;
	bool has_length;
	bool chunked;
};

/* H38 to H44: what Content-Length and Transfer-Encoding say, or that they may not say it. */
enum fault h1_reader_framing(const struct h1_reader *reader, uint8_t version_minor,
			     struct h1_framing *framing);

struct h1_connection {
	unsigned options; /* elements so far */
	bool close;
	bool keep_alive;
	bool upgrade;
};

/* H54: what Connection says; the fields that it names are marked as dropped. */
enum fault h1_reader_connection(const struct h1_reader *reader, struct h1_connection *connection);
