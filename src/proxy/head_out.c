/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/head_out.h"

#include "base/bug.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

/* Those of a peer, and ours. */
enum { FIELDS_MAX = HEAD_RESPONSE_FIELDS_MAX + 32 };

static_assert(HEAD_REQUEST_FIELDS_MAX <= HEAD_RESPONSE_FIELDS_MAX, "there is room for either");

static struct header h2_fields[FIELDS_MAX];

struct head_out head_out_begin(struct exchange *exchange, struct h2_stream *stream)
{
	return (struct head_out){
		.exchange = exchange,
		.stream = stream,
		.h1 = h1_writer_over(exchange->worker->scratch, WORKER_SCRATCH_SIZE),
		.fields = h2_fields,
	};
}

enum fault head_out_end_h1(struct head_out *out)
{
	h1_write_end(&out->h1);
	switch (out->h1.fault) {
	case H1_WRITER_OK:
		break;
	case H1_WRITER_CHECK:
		out->exchange->worker->counters->writer_check_failures++;
		return FAULT_WRITER_CHECK;
	case H1_WRITER_FULL:
		return FAULT_WRITER_CHECK;
	}
	return out->fault;
}

struct span head_out_keep(struct head_out *out, struct span text)
{
	struct span copy;

	if (text.len == 0)
		return S("");
	copy = arena_copy(&out->exchange->arena, text);
	if (copy.ptr == NULL)
		head_out_fail(out);
	return copy;
}

void head_out_fail(struct head_out *out)
{
	out->fault = FAULT_OUT_OF_MEMORY;
}

void head_out_add(struct head_out *out, enum header_id id, struct span name, struct span value)
{
	BUG_ON(out->count == FIELDS_MAX);
	out->fields[out->count++] = (struct header){
		.name = name, .value = value, .id = (uint16_t)id};
}

void head_out_add_number(struct head_out *out, enum header_id id, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	head_out_add(out, id, header_name(id),
		     head_out_keep(out, span_make(digits + at, sizeof(digits) - at)));
}
