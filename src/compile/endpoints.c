/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/memory.h"
#include "compile/compile.h"
#include "compile/ids.h"
#include "table/builder.h"
#include "table/endpoints.h"

/* What nobody says yet: all endpoints count the same. */
enum { WEIGHT = 1 };

static_assert((int)MODEL_ENDPOINT_READY == (int)ENDPOINT_READY, "states");
static_assert((int)MODEL_ENDPOINT_TERMINATING == (int)ENDPOINT_TERMINATING, "states");

struct endpoints_compiler {
	const struct store *store;
	const struct model_options *options;
	struct ids *ids;
	struct builder builder;
	struct diagnostics *diagnostics;
	struct diagnostics unheard;      /* about upstreams that the model has no more */
	struct arena arena;              /* what model_endpoints returns */
	struct endpoint_record *records; /* of all upstreams in order; slot TABLE_NONE: none yet */
	size_t record_count;
	size_t record_room;
	uint32_t *counts; /* of those, by upstream id */
};

static struct endpoint_record record_of(struct ids *ids, const struct model_endpoint *endpoint)
{
	struct endpoint_record record = {
		.ip = endpoint->at.ip,
		.port = endpoint->at.port,
		.state = (uint8_t)endpoint->state,
		.weight = WEIGHT,
		.slot = TABLE_NONE,
	};

	ids_slots_mark(ids, &endpoint->at, &record.slot, &record.incarnation);
	return record;
}

/* The endpoints of one upstream, behind those of the ones before. */
static void gather(struct endpoints_compiler *compiler, const struct ids_upstream *upstream)
{
	bool is_current = ids_upstream_is_current(compiler->ids, upstream);
	const struct model_endpoint *endpoints = NULL;
	uint32_t count = model_endpoints(compiler->store, compiler->options, &upstream->kept,
					 &compiler->arena, &endpoints,
					 is_current ? compiler->diagnostics : &compiler->unheard);

	compiler->records = memory_grow_array(compiler->records, &compiler->record_room,
					      compiler->record_count + count,
					      sizeof(*compiler->records));
	for (uint32_t i = 0; i < count; i++)
		compiler->records[compiler->record_count++] = record_of(compiler->ids,
									&endpoints[i]);
	compiler->counts[upstream->id.number] = count;
}

/* Those are marked now that live on; the slots of the others are free before new ones are taken. */
static void gather_all(struct endpoints_compiler *compiler)
{
	uint32_t end = ids_upstream_end(compiler->ids);

	compiler->counts = memory_new_array(end, sizeof(*compiler->counts));
	ids_slots_begin(compiler->ids);
	for (uint32_t id = 0; id < end; id++)
		if (ids_upstream_at(compiler->ids, id) != NULL)
			gather(compiler, ids_upstream_at(compiler->ids, id));
	ids_slots_sweep(compiler->ids);
}

/* False: no slot is left, so nobody could count its load, and it gets no requests. */
static bool has_slot(struct ids *ids, struct endpoint_record *record)
{
	struct ip_port at = {.ip = record->ip, .port = record->port};

	return record->slot != TABLE_NONE ||
	       ids_slots_take(ids, &at, &record->slot, &record->incarnation);
}

static void add_upstream(struct endpoints_compiler *compiler, const struct ids_upstream *upstream,
			 struct endpoint_record *records, uint32_t count)
{
	struct builder *builder = &compiler->builder;
	struct upstream_record record = {
		.incarnation = upstream->id.incarnation,
		.first_endpoint = builder_count(builder, ENDPOINTS_ENDPOINTS),
		.name = builder_text(builder, upstream->kept.name),
		.external_name = builder_text(builder, upstream->kept.external_name),
		.external_port = upstream->kept.external_port,
		.protocol = UPSTREAM_HTTP1,
		.algorithm = UPSTREAM_ROUND_ROBIN,
	};

	for (uint32_t i = 0; i < count; i++)
		if (has_slot(compiler->ids, &records[i]))
			builder_add(builder, ENDPOINTS_ENDPOINTS, &records[i]);
	record.endpoint_count = builder_count(builder, ENDPOINTS_ENDPOINTS) - record.first_endpoint;
	builder_add(builder, ENDPOINTS_UPSTREAMS, &record);
}

static void add_all(struct endpoints_compiler *compiler)
{
	struct endpoint_record *records = compiler->records;
	static const struct upstream_record free_id;

	for (uint32_t id = 0; id < ids_upstream_end(compiler->ids); id++) {
		const struct ids_upstream *upstream = ids_upstream_at(compiler->ids, id);

		if (upstream == NULL)
			builder_add(&compiler->builder, ENDPOINTS_UPSTREAMS, &free_id);
		else
			add_upstream(compiler, upstream, records, compiler->counts[id]);
		records += compiler->counts[id];
	}
}

static void add_slots(struct endpoints_compiler *compiler)
{
	for (uint32_t slot = 0; slot < ids_slot_end(compiler->ids); slot++) {
		uint32_t incarnation = ids_slot_incarnation(compiler->ids, slot);

		builder_add(&compiler->builder, ENDPOINTS_SLOTS, &incarnation);
	}
}

void compile_endpoints(const struct model *model, const struct store *store,
		       const struct model_options *options, struct ids *ids, uint64_t generation,
		       uint64_t built_wall_ns, struct buf *out, struct diagnostics *diagnostics)
{
	struct endpoints_compiler compiler = {
		.store = store,
		.options = options,
		.ids = ids,
		.diagnostics = diagnostics,
	};

	ids_name_upstreams(ids, model, 0);
	builder_init(&compiler.builder, TABLE_ENDPOINTS);
	diagnostics_init(&compiler.unheard);
	arena_init(&compiler.arena, NULL, 0, SIZE_MAX);
	gather_all(&compiler);
	add_all(&compiler);
	add_slots(&compiler);
	builder_finish(&compiler.builder, generation, built_wall_ns, out);
	arena_fini(&compiler.arena);
	diagnostics_fini(&compiler.unheard);
	builder_fini(&compiler.builder);
	free(compiler.records);
	free(compiler.counts);
}
