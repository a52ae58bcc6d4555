/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 heads: struct to bytes. Everything that leaves Ingot is made here, anew, from parsed values;
 * nothing is copied through unchecked (security spec, principle 2 and section 4).
 *
 * A writer fills memory of the caller. It remembers its first failure, no room or a value that may not
 * stand on the wire, and is checked once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "http/header.h"

enum h1_writer_fault { H1_WRITER_OK, H1_WRITER_FULL, H1_WRITER_CHECK };

struct h1_writer {
	char *at;
	char *end;
	char *start;
	enum h1_writer_fault fault;
};

static inline struct h1_writer h1_writer_over(char *memory, size_t size)
{
	return (struct h1_writer){.at = memory, .end = memory + size, .start = memory};
}

/* What was written so far. */
static inline struct span h1_written(const struct h1_writer *writer)
{
	return (struct span){writer->start, (size_t)(writer->at - writer->start)};
}

/* "GET /a?b HTTP/1.1\r\n"; path and query are checked for bytes that end a target. */
void h1_write_request_line(struct h1_writer *writer, struct span method, struct span path,
			   struct span query);

/* "HTTP/1.1 200 OK\r\n"; an empty reason becomes the standard one, if there is one. */
void h1_write_status_line(struct h1_writer *writer, unsigned status, struct span reason);

/* A field with a name of ours. The value is checked for control bytes. */
void h1_write_field(struct h1_writer *writer, enum header_id id, struct span value);

/* A field as it was received (name checked for token characters, value for control bytes). */
void h1_write_header(struct h1_writer *writer, const struct header *header);

void h1_write_field_number(struct h1_writer *writer, enum header_id id, uint64_t value);

/* Bytes that are known to be sound: literals and what was made by another writer. */
void h1_write_literal(struct h1_writer *writer, struct span bytes);

/* The empty line. */
void h1_write_end(struct h1_writer *writer);

/* "OK", "Not Found" …; empty for a status that has none (RFC 9110, 15). */
struct span h1_reason(unsigned status);
