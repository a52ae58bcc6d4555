/* SPDX-License-Identifier: Apache-2.0 */
#include "table/certificates_stored.h"

#include "table/builder.h"

static struct table_span move(struct builder *builder, const struct certificates *from,
			      struct table_span text)
{
	return builder_text(builder, certificates_text(from, text));
}

static void add_record(struct builder *builder, const struct certificates *from,
		       const struct certificate_record *of)
{
	struct certificate_record record = *of;

	record.chain = move(builder, from, of->chain);
	record.key = move(builder, from, of->key);
	record.revoked = move(builder, from, of->revoked);
	builder_add(builder, CERTIFICATES_RECORDS, &record);
}

/* As if there were no keys of tickets: the same shard of the same set in all else. */
static void write_shard(const struct certificates *shard, struct buf *out)
{
	const struct table_header *header = shard->header;
	const struct table_stamp stamp = {
		.generation = header->generation,
		.built_wall_ns = header->built_wall_ns,
		.set = header->set,
		.shard = header->shard,
		.shard_count = header->shard_count,
	};
	struct builder builder;

	builder_init(&builder, TABLE_CERTIFICATES);
	builder_reserve_text(&builder, header->size);
	for (uint32_t i = 0; i < shard->count; i++)
		add_record(&builder, shard, &shard->records[i]);
	builder_finish(&builder, &stamp, out);
	builder_fini(&builder);
}

void certificates_stored_write(const struct shards *certificates, struct buf *out)
{
	buf_reserve(out, certificates->bytes);
	for (uint32_t i = 0; i < certificates->count; i++)
		write_shard(&certificates->at[i]->certificates, out);
}
