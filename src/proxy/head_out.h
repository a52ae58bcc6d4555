/* SPDX-License-Identifier: Apache-2.0 */
/* A head while it is made, request or response, in the form of either protocol: bytes of HTTP/1.1 in the worker's
 * scratch, or a list of fields for a stream of HTTP/2. Which fields there are is decided by who makes it.
 *
 * A worker makes one head at a time.
 */
#pragma once

#include "http/fault.h"
#include "http/h1_write.h"
#include "http/header.h"

struct arena;
struct exchange;
struct h2_stream;

struct head_out {
	struct exchange *exchange;
	struct h2_stream *stream; /* NULL: HTTP/1.1 */
	struct h1_writer h1;
	struct header
		*fields; /* of HTTP/2; copied at once by who takes them, their texts are not */
	uint32_t count;
	enum fault fault; /* of HTTP/2, or where there was no memory for a text */
};

/* stream: that takes it; NULL: HTTP/1.1. */
struct head_out head_out_begin(struct exchange *exchange, struct h2_stream *stream);

/* Whether what was written of HTTP/1.1 may be sent; what did not pass the writer's check is counted. Ends the head. */
enum fault head_out_end_h1(struct head_out *out);

/* A text of a head of HTTP/2 is wanted until it has gone, which is later: a copy in the exchange's arena. */
struct span head_out_keep(struct head_out *out, struct span text);

/* There was no memory for what was to be written. */
void head_out_fail(struct head_out *out);

/* private to this file */
void head_out_add(struct head_out *out, enum header_id id, struct span name, struct span value);
void head_out_add_number(struct head_out *out, enum header_id id, uint64_t number);

/* A field with a name of ours and a value that stays until the exchange ends. */
static inline void head_out_put(struct head_out *out, enum header_id id, struct span value)
{
	if (out->stream == NULL)
		h1_write_field(&out->h1, id, value);
	else
		head_out_add(out, id, header_name(id), value);
}

/* The same with a value that does not stay. */
static inline void head_out_put_copy(struct head_out *out, enum header_id id, struct span value)
{
	if (out->stream == NULL)
		h1_write_field(&out->h1, id, value);
	else
		head_out_add(out, id, header_name(id), head_out_keep(out, value));
}

static inline void head_out_put_number(struct head_out *out, enum header_id id, uint64_t number)
{
	if (out->stream == NULL)
		h1_write_field_number(&out->h1, id, number);
	else
		head_out_add_number(out, id, number);
}

/* A field as it was received, whose texts stay until the exchange ends. */
static inline void head_out_put_received(struct head_out *out, const struct header *header)
{
	if (out->stream == NULL)
		h1_write_header(&out->h1, header);
	else
		head_out_add(out, (enum header_id)header->id, header->name, header->value);
}

/* The same where they do not. */
static inline void head_out_put_received_copy(struct head_out *out, const struct header *header)
{
	if (out->stream == NULL)
		h1_write_header(&out->h1, header);
	else
		head_out_add(out, (enum header_id)header->id,
			     header->id == HEADER_OTHER ? head_out_keep(out, header->name)
							: header_name((enum header_id)header->id),
			     head_out_keep(out, header->value));
}
