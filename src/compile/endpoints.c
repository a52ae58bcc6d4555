/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/sha.h>
#include <stdlib.h>

#include "base/memory.h"
#include "compile/compiler.h"
#include "compile/ring.h"
#include "compile/shares.h"
#include "compile/template.h"
#include "table/builder.h"
#include "table/endpoints.h"

/* What nobody says yet: all endpoints count the same. */
enum { WEIGHT = 1 };

static_assert((int)MODEL_ENDPOINT_READY == (int)ENDPOINT_READY, "states");
static_assert((int)MODEL_ENDPOINT_TERMINATING == (int)ENDPOINT_TERMINATING, "states");
static_assert((int)MODEL_ROUND_ROBIN == (int)UPSTREAM_ROUND_ROBIN, "algorithms");
static_assert((int)MODEL_EWMA == (int)UPSTREAM_EWMA, "algorithms");
static_assert((int)MODEL_LEAST_REQUESTS == (int)UPSTREAM_LEAST_REQUESTS, "algorithms");
static_assert((int)MODEL_HASH == (int)UPSTREAM_HASH, "algorithms");

/* The endpoints of one upstream on their way to take the place of those compiled last. */
struct fresh {
	struct ids_upstream *upstream;
	struct endpoint_record *records; /* slot TABLE_NONE: none yet */
	uint32_t count;
};

struct gathering {
	struct compiler *compiler;
	const struct store *store;
	const struct model_options *options;
	struct arena arena; /* what model_endpoints returns */
	struct fresh *fresh;
	size_t count;
	size_t room;
};

void compiler_ask(struct compiler *compiler, struct ids_upstream *upstream)
{
	list_remove(&upstream->asked);
	list_add_last(&compiler->upstreams.asked, &upstream->asked);
}

static void make_old(struct upstream_shards *shards, const struct ids_upstream *upstream)
{
	if (shards->count > 0)
		shards->old[upstream->id.number & (shards->count - 1)] = true;
}

static void leave_slots(struct ids *ids, const struct ids_upstream *upstream)
{
	for (uint32_t i = 0; i < upstream->record_count; i++)
		ids_leave_slot(ids, upstream->records[i].slot);
}

void compiler_forget(struct compiler *compiler, struct ids_upstream *upstream)
{
	make_old(&compiler->upstreams, upstream);
	leave_slots(&compiler->ids, upstream);
	upstream->record_count = 0;
	diagnostics_drop(&upstream->diagnostics, compiler->sink);
	list_remove(&upstream->asked);
	list_remove(&upstream->starved);
}

static struct endpoint_record record_of(struct ids *ids, const struct model_endpoint *endpoint)
{
	struct endpoint_record record = {
		.ip = endpoint->at.ip,
		.port = endpoint->at.port,
		.state = (uint8_t)endpoint->state,
		.weight = WEIGHT,
		.slot = TABLE_NONE,
	};

	ids_hold_slot(ids, &endpoint->at, &record.slot, &record.incarnation);
	return record;
}

/* What is wrong with an upstream that the model has no more is not told. */
static void keep_diagnostics(const struct compiler *compiler, struct ids_upstream *upstream,
			     struct diagnostics *found)
{
	if (upstream->is_current) {
		diagnostics_replace(&upstream->diagnostics, found, compiler->sink);
		return;
	}
	diagnostics_drop(&upstream->diagnostics, compiler->sink);
	diagnostics_free(found);
}

/* Asks the model for the endpoints of an upstream. */
static void gather(struct gathering *gathering, struct ids_upstream *upstream)
{
	struct ids *ids = &gathering->compiler->ids;
	struct diagnostics *found = diagnostics_new();
	const struct model_endpoint *endpoints = NULL;
	struct fresh fresh = {.upstream = upstream};

	fresh.count = model_endpoints(gathering->store, gathering->options, &upstream->kept,
				      &gathering->arena, &endpoints, found);
	keep_diagnostics(gathering->compiler, upstream, found);
	if (fresh.count > 0)
		fresh.records = memory_new_array(fresh.count, sizeof(*fresh.records));
	for (uint32_t i = 0; i < fresh.count; i++)
		fresh.records[i] = record_of(ids, &endpoints[i]);
	gathering->fresh = memory_grow_array(gathering->fresh, &gathering->room,
					     gathering->count + 1, sizeof(*gathering->fresh));
	gathering->fresh[gathering->count++] = fresh;
}

/* False: no slot is left, so nobody could count its load, and it gets no requests. */
static bool has_slot(struct ids *ids, struct endpoint_record *record)
{
	struct ip_port at = {.ip = record->ip, .port = record->port};

	return record->slot != TABLE_NONE ||
	       ids_take_slot(ids, &at, &record->slot, &record->incarnation);
}

/* Gives the new ones their slots; the upstream has them from here on. */
static void install(struct compiler *compiler, const struct fresh *fresh)
{
	struct ids_upstream *upstream = fresh->upstream;
	uint32_t count = 0;

	for (uint32_t i = 0; i < fresh->count; i++)
		if (has_slot(&compiler->ids, &fresh->records[i]))
			fresh->records[count++] = fresh->records[i];
	free(upstream->records);
	upstream->records = fresh->records;
	upstream->record_count = count;
	if (count < fresh->count)
		list_add_last(&compiler->upstreams.starved, &upstream->starved);
	make_old(&compiler->upstreams, upstream);
}

/* Who got no slot when there were none is asked again when there are. */
static void ask_starved(struct compiler *compiler)
{
	if (!ids_has_slot(&compiler->ids))
		return;
	list_for_each_safe (link, &compiler->upstreams.starved) {
		struct ids_upstream *upstream = container_of(link, struct ids_upstream, starved);

		list_remove(&upstream->starved);
		compiler_ask(compiler, upstream);
	}
}

/* First slots that live on are held, then the others become free, then new ones are taken. */
static void gather_all(struct gathering *gathering)
{
	struct compiler *compiler = gathering->compiler;
	struct list *link;

	ask_starved(compiler);
	while ((link = list_first(&compiler->upstreams.asked)) != NULL) {
		list_remove(link);
		gather(gathering, container_of(link, struct ids_upstream, asked));
	}
	for (size_t i = 0; i < gathering->count; i++)
		leave_slots(&compiler->ids, gathering->fresh[i].upstream);
	for (size_t i = 0; i < gathering->count; i++) {
		list_remove(&gathering->fresh[i].upstream->starved);
		install(compiler, &gathering->fresh[i]);
	}
}

static struct certificate_id id_of(struct span certificate)
{
	struct certificate_id none = {{0, 0}};

	return certificate.len == 0 ? none : compiler_certificate_id(certificate);
}

/* Two blanks are in no text: what is hashed can be parted in one way only. */
static void hash_tls(const struct model_upstream_tls *from, uint8_t digest[static 32])
{
	const struct span texts[] = {from->certificate, from->authorities, from->server_name,
				     from->verify_name, from->ciphers};
	struct buf all = {0};

	buf_printf(&all, "%u  %u", from->versions, from->verify_depth);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		buf_add(&all, S("  "));
		buf_add(&all, texts[i]);
	}
	SHA256((const unsigned char *)all.ptr, all.len, digest);
	buf_fini(&all);
}

/* The index, or TABLE_NONE where TLS is not spoken. */
static uint32_t add_tls(struct builder *builder, const struct model_upstream_tls *from)
{
	struct upstream_tls tls;

	if (!from->is_used)
		return TABLE_NONE;
	tls = (struct upstream_tls){
		.certificate = id_of(from->certificate),
		.authorities = id_of(from->authorities),
		.server_name = builder_text(builder, from->server_name),
		.verify_name = builder_text(builder, from->verify_name),
		.ciphers = builder_text(builder, from->ciphers),
		.versions = (uint8_t)from->versions,
		.verify_depth = (uint8_t)from->verify_depth,
	};
	hash_tls(from, tls.digest);
	return builder_intern(builder, ENDPOINTS_TLS, &tls);
}

/* Without a ring and without loads of its own a name has what does without. */
static enum upstream_algorithm algorithm_of(const struct model_upstream *upstream)
{
	bool is_name = upstream->external_name.len > 0;
	enum model_algorithm algorithm = upstream->balance.algorithm;

	if (is_name && (algorithm == MODEL_EWMA || algorithm == MODEL_LEAST_REQUESTS))
		return UPSTREAM_ROUND_ROBIN;
	return (enum upstream_algorithm)algorithm;
}

/* How endpoints are chosen. The record has its endpoints. */
static void add_balance(struct builder *builder, const struct ids_upstream *upstream,
			struct upstream_record *record)
{
	const struct model_balance *balance = &upstream->kept.balance;

	record->algorithm = (uint8_t)algorithm_of(&upstream->kept);
	record->first_share = shares_add(builder, upstream->records, upstream->record_count);
	if (record->algorithm != UPSTREAM_HASH)
		return;
	record->subset_size = balance->subset_size;
	record->bound_percent = balance->bound_percent;
	record->hash_by = template_add(builder, ENDPOINTS_PARTS, balance->hash_by);
	ring_add(builder, upstream->records, record);
}

static void add_upstream(struct builder *builder, const struct ids_upstream *upstream)
{
	static const struct upstream_record free_id;
	struct upstream_record record;
	uint32_t tls;

	if (upstream == NULL) {
		builder_add(builder, ENDPOINTS_UPSTREAMS, &free_id);
		return;
	}
	tls = add_tls(builder, &upstream->kept.tls);
	record = (struct upstream_record){
		.incarnation = upstream->id.incarnation,
		.first_endpoint = builder_count(builder, ENDPOINTS_ENDPOINTS),
		.endpoint_count = upstream->record_count,
		.name = builder_text(builder, upstream->kept.name),
		.external_name = builder_text(builder, upstream->kept.external_name),
		.external_port = upstream->kept.external_port,
		.protocol = upstream->kept.http2 ? UPSTREAM_HTTP2 : UPSTREAM_HTTP1,
		.tls = tls,
	};
	for (uint32_t i = 0; i < upstream->record_count; i++)
		builder_add(builder, ENDPOINTS_ENDPOINTS, &upstream->records[i]);
	add_balance(builder, upstream, &record);
	builder_add(builder, ENDPOINTS_UPSTREAMS, &record);
}

static void compile_shard(struct compiler *compiler, const struct table_stamp *stamp,
			  struct buf *out)
{
	struct builder builder;

	builder_init(&builder, TABLE_ENDPOINTS);
	for (uint32_t id = stamp->shard; id < ids_upstream_end(&compiler->ids);
	     id += stamp->shard_count)
		add_upstream(&builder, ids_upstream_at(&compiler->ids, id));
	builder_finish(&builder, stamp, out);
	builder_fini(&builder);
}

static void adapt_shards(struct compiler *compiler, uint64_t generation)
{
	struct upstream_shards *shards = &compiler->upstreams;
	uint32_t count = compiler_shard_count(shards->count, ids_upstream_end(&compiler->ids));

	if (count == shards->count)
		return;
	free(shards->old);
	shards->old = memory_new_array(count, sizeof(*shards->old));
	memset(shards->old, true, count * sizeof(*shards->old));
	shards->count = count;
	shards->set = generation;
}

bool compile_endpoints(struct compiler *compiler, const struct store *store,
		       const struct model_options *options, uint64_t generation,
		       uint64_t built_wall_ns, struct buf *out)
{
	struct gathering gathering = {.compiler = compiler, .store = store, .options = options};
	struct upstream_shards *shards = &compiler->upstreams;
	struct table_stamp stamp = {.generation = generation, .built_wall_ns = built_wall_ns};
	bool fits = true;

	arena_init(&gathering.arena, NULL, 0, SIZE_MAX);
	gather_all(&gathering);
	arena_fini(&gathering.arena);
	free(gathering.fresh);
	adapt_shards(compiler, generation);
	stamp.set = shards->set;
	stamp.shard_count = shards->count;
	for (; stamp.shard < shards->count; stamp.shard++) {
		size_t before = out->len;

		if (!shards->old[stamp.shard])
			continue;
		compile_shard(compiler, &stamp, out);
		shards->old[stamp.shard] = out->len == before;
		fits = fits && out->len > before;
	}
	return fits;
}
