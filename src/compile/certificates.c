/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/sha.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"
#include "compile/compiler.h"
#include "table/builder.h"
#include "table/certificates.h"

static_assert((int)MODEL_CERTIFICATE_ECDSA == (int)CERTIFICATE_ECDSA, "kinds");
static_assert((int)MODEL_CERTIFICATE_RSA == (int)CERTIFICATE_RSA, "kinds");
static_assert((int)MODEL_CERTIFICATE_AUTHORITIES == (int)CERTIFICATE_AUTHORITIES, "kinds");

struct certificate_id compiler_certificate_id(struct span name)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	struct certificate_id id;

	SHA256((const unsigned char *)name.ptr, name.len, hash);
	memcpy(&id, hash, sizeof(id));
	return id;
}

uint32_t compiler_certificate_shard(const struct deal *deal, struct span name)
{
	return certificate_id_shard(compiler_certificate_id(name), deal->shard_count);
}

struct identified {
	struct certificate_id id;
	const struct model_certificate *certificate;
};

/* The certificates of one shard, in the order of their ids. */
struct gathered {
	struct identified *items;
	size_t count;
	size_t room;
	size_t bytes; /* of their text */
};

static int compare(const void *a, const void *b)
{
	return certificate_id_compare(((const struct identified *)a)->id,
				      ((const struct identified *)b)->id);
}

static void gather(const struct model *model, const struct deal_shard *shard,
		   struct gathered *gathered)
{
	list_for_each (link, &shard->things) {
		const struct dealt *thing = container_of(link, struct dealt, in_shard);
		struct map_entry *entry = map_find(&model->certificates_by_name,
						   thing->by_name.key);
		const struct model_certificate *certificate;

		BUG_ON(entry == NULL); /* compiler_note removes such */
		certificate = container_of(entry, struct model_certificate, by_name);
		gathered->items = memory_grow_array(gathered->items, &gathered->room,
						    gathered->count + 1, sizeof(*gathered->items));
		gathered->items[gathered->count++] = (struct identified){
			compiler_certificate_id(thing->by_name.key), certificate};
		gathered->bytes += certificate->chain.len + certificate->key.len +
				   certificate->revoked.len;
	}
	if (gathered->count > 0)
		qsort(gathered->items, gathered->count, sizeof(*gathered->items), compare);
}

static void add_record(struct builder *builder, const struct identified *identified)
{
	const struct model_certificate *certificate = identified->certificate;
	struct certificate_record record = {
		.id = identified->id,
		.chain = builder_text(builder, certificate->chain),
		.key = builder_text(builder, certificate->key),
		.revoked = builder_text(builder, certificate->revoked),
		.kind = (uint8_t)certificate->kind,
	};

	memcpy(record.digest, certificate->digest, sizeof(record.digest));
	builder_add(builder, CERTIFICATES_RECORDS, &record);
}

void compiler_set_tickets(struct compiler *compiler, const struct ticket_key *keys, uint32_t count)
{
	BUG_ON(count > TICKET_KEYS_MAX);
	explicit_bzero(compiler->tickets, sizeof(compiler->tickets));
	memcpy(compiler->tickets, keys, count * sizeof(*keys));
	compiler->ticket_count = count;
	compiler->certificates.shards[0].old = true;
}

static void compile_shard(const struct compiler *compiler, const struct model *model,
			  const struct table_stamp *stamp, struct buf *out)
{
	const struct deal_shard *shard = &compiler->certificates.shards[stamp->shard];
	struct gathered gathered = {0};
	struct builder builder;

	gather(model, shard, &gathered);
	builder_init(&builder, TABLE_CERTIFICATES);
	builder_reserve_text(&builder, gathered.bytes);
	for (size_t i = 0; i < gathered.count; i++)
		add_record(&builder, &gathered.items[i]);
	for (uint32_t i = 0; stamp->shard == 0 && i < compiler->ticket_count; i++)
		builder_add(&builder, CERTIFICATES_TICKETS, &compiler->tickets[i]);
	builder_finish(&builder, stamp, out);
	builder_fini(&builder);
	free(gathered.items);
}

/* About what all old shards will take, so that memory with keys does not move. */
static size_t estimate(const struct deal *deal, const struct model *model)
{
	enum { SHARD_BYTES = 640, RECORD_BYTES = 128 };
	size_t bytes = 0;

	for (uint32_t i = 0; i < deal->shard_count; i++) {
		struct gathered gathered = {0};

		if (!deal->shards[i].old)
			continue;
		gather(model, &deal->shards[i], &gathered);
		bytes += gathered.bytes + gathered.count * RECORD_BYTES + SHARD_BYTES;
		free(gathered.items);
	}
	return bytes;
}

bool compile_certificates(struct compiler *compiler, const struct model *model, uint64_t generation,
			  uint64_t built_wall_ns, struct buf *out)
{
	struct deal *deal = &compiler->certificates;
	struct table_stamp stamp = {.generation = generation, .built_wall_ns = built_wall_ns};
	size_t room;

	deal_adapt(deal, generation);
	room = estimate(deal, model);
	if (room > 0)
		buf_reserve(out, room);
	stamp.set = deal->set;
	stamp.shard_count = deal->shard_count;
	for (; stamp.shard < deal->shard_count; stamp.shard++) {
		struct deal_shard *shard = &deal->shards[stamp.shard];
		size_t before = out->len;

		if (!shard->old)
			continue;
		compile_shard(compiler, model, &stamp, out);
		shard->old = out->len == before;
	}
	return !deal_is_old(deal);
}
