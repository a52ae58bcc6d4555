/* SPDX-License-Identifier: Apache-2.0 */
#include "control/reconcile.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "compile/compile.h"
#include "control/diagnostic_log.h"

struct reconcile {
	struct reconcile_options options;
	struct publisher *publisher;
	struct store store;
	struct ids *ids;
	struct model *model; /* NULL: none, or an object that it borrows from has changed since */
	bool listed;
	uint64_t seen_ns; /* when the first change of this batch was seen; 0: no batch */
	struct diagnostics of_source;
	struct diagnostics of_model;
	struct diagnostics of_endpoints;
	struct diagnostic_log log;
};

/* Workers may obey routes of an earlier life of control: its ids must not be taken for ours. */
static struct ids *new_ids(void)
{
	struct ids *ids = ids_new();
	uint32_t seed;

	random_secret(&seed, sizeof(seed));
	ids_seed(ids, seed);
	return ids;
}

struct reconcile *reconcile_new(const struct reconcile_options *options,
				struct publisher *publisher)
{
	struct reconcile *reconcile = memory_new(sizeof(*reconcile));

	reconcile->options = *options;
	reconcile->publisher = publisher;
	store_init(&reconcile->store);
	reconcile->ids = new_ids();
	diagnostics_init(&reconcile->of_source);
	diagnostics_init(&reconcile->of_model);
	diagnostics_init(&reconcile->of_endpoints);
	diagnostic_log_init(&reconcile->log);
	return reconcile;
}

static void drop_model(struct reconcile *reconcile)
{
	if (reconcile->model != NULL)
		model_free(reconcile->model);
	reconcile->model = NULL;
}

void reconcile_free(struct reconcile *reconcile)
{
	drop_model(reconcile);
	ids_free(reconcile->ids);
	store_fini(&reconcile->store);
	diagnostics_fini(&reconcile->of_source);
	diagnostics_fini(&reconcile->of_model);
	diagnostics_fini(&reconcile->of_endpoints);
	diagnostic_log_fini(&reconcile->log);
	free(reconcile);
}

/* A diagnostic list made anew. */
static void restart(struct diagnostics *list)
{
	diagnostics_fini(list);
	diagnostics_init(list);
}

static uint64_t next_generation(const struct reconcile *reconcile, enum table_kind kind)
{
	uint64_t present = publisher_generation(reconcile->publisher, kind);
	uint64_t floor = reconcile->options.generation_floor;

	return (present > floor ? present : floor) + 1;
}

/* Whether it is a new segment, to be sent. */
static bool offer(struct reconcile *reconcile, enum table_kind kind, struct buf *content,
		  uint64_t seen_ns)
{
	if (publisher_offer(reconcile->publisher, kind, buf_span(content), seen_ns) != PUBLISH_NEW)
		return false;
	if (kind == TABLE_ROUTES && reconcile->options.on_routes != NULL)
		reconcile->options.on_routes(reconcile->options.owner,
					     publisher_routes(reconcile->publisher));
	return true;
}

static void offer_stored(struct reconcile *reconcile, enum table_kind kind)
{
	struct buf content = {0};

	if (state_load(reconcile->options.state, kind, &content) &&
	    offer(reconcile, kind, &content, 0))
		log_info("serving the stored table until objects are listed",
			 "table=%s generation=%" PRIu64,
			 kind == TABLE_ROUTES ? "routes" : "endpoints",
			 publisher_generation(reconcile->publisher, kind));
	buf_fini(&content);
}

void reconcile_publish_stored(struct reconcile *reconcile)
{
	if (reconcile->options.state == NULL)
		return;
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		offer_stored(reconcile, kind);
	publisher_send(reconcile->publisher);
}

static bool offer_routes(struct reconcile *reconcile, uint64_t seen_ns)
{
	struct buf content = {0};
	bool is_new;

	compile_routes(reconcile->model, reconcile->options.model, reconcile->ids,
		       next_generation(reconcile, TABLE_ROUTES), clock_wall_ns(), &content);
	is_new = offer(reconcile, TABLE_ROUTES, &content, seen_ns);
	if (is_new)
		log_info("new routes",
			 "generation=%" PRIu64 " hosts=%" PRIu32 " routes=%" PRIu32
			 " ingresses=%" PRIu32 " bytes=%zu",
			 publisher_generation(reconcile->publisher, TABLE_ROUTES),
			 reconcile->model->host_count, reconcile->model->route_count,
			 reconcile->model->ingress_count, content.len);
	buf_fini(&content);
	return is_new;
}

static bool offer_endpoints(struct reconcile *reconcile, uint64_t seen_ns)
{
	struct buf content = {0};
	bool is_new;

	restart(&reconcile->of_endpoints);
	compile_endpoints(reconcile->model, &reconcile->store, reconcile->options.model,
			  reconcile->ids, next_generation(reconcile, TABLE_ENDPOINTS),
			  clock_wall_ns(), &content, &reconcile->of_endpoints);
	is_new = offer(reconcile, TABLE_ENDPOINTS, &content, seen_ns);
	if (is_new)
		log_debug("new endpoints", "generation=%" PRIu64 " bytes=%zu",
			  publisher_generation(reconcile->publisher, TABLE_ENDPOINTS), content.len);
	buf_fini(&content);
	return is_new;
}

static void store_segment(struct reconcile *reconcile, enum table_kind kind)
{
	if (reconcile->options.state != NULL)
		state_store(reconcile->options.state, kind,
			    publisher_segment_fd(reconcile->publisher, kind));
}

static void update_log(struct reconcile *reconcile)
{
	const struct diagnostics *const lists[] = {&reconcile->of_source, &reconcile->of_model,
						   &reconcile->of_endpoints};

	diagnostic_log_update(&reconcile->log, lists, sizeof(lists) / sizeof(lists[0]));
}

/* Compiles what depends on what changed, and publishes it: what is new goes to the workers before anything is
 * logged at length or stored. */
static void publish(struct reconcile *reconcile, bool with_routes, uint64_t seen_ns)
{
	bool new_routes = with_routes && offer_routes(reconcile, seen_ns);
	bool new_endpoints = offer_endpoints(reconcile, seen_ns);

	publisher_send(reconcile->publisher);
	if (new_endpoints)
		store_segment(reconcile, TABLE_ENDPOINTS);
	if (new_routes)
		store_segment(reconcile, TABLE_ROUTES);
}

static void build_model(struct reconcile *reconcile)
{
	drop_model(reconcile);
	restart(&reconcile->of_model);
	reconcile->model = model_build(&reconcile->store, reconcile->options.model,
				       &reconcile->of_model);
}

/* The model borrows from the objects that are about to go. It is not needed until the batch is complete. */
static void begin_change(struct reconcile *reconcile, enum object_kind kind)
{
	if (reconcile->seen_ns == 0)
		reconcile->seen_ns = clock_monotonic_ns();
	if (kind != OBJECT_ENDPOINT_SLICE)
		drop_model(reconcile);
}

static void on_upsert(void *owner, struct object *object)
{
	struct reconcile *reconcile = owner;

	begin_change(reconcile, object->kind);
	store_upsert(&reconcile->store, object);
}

static void on_delete(void *owner, enum object_kind kind, struct span namespace, struct span name)
{
	struct reconcile *reconcile = owner;

	begin_change(reconcile, kind);
	store_delete(&reconcile->store, kind, namespace, name);
}

static void on_listed(void *owner)
{
	struct reconcile *reconcile = owner;

	reconcile->listed = true;
}

static void on_settled(void *owner, const struct diagnostics *diagnostics)
{
	struct reconcile *reconcile = owner;
	uint64_t seen_ns = reconcile->seen_ns != 0 ? reconcile->seen_ns : clock_monotonic_ns();
	struct store_changes changes;
	bool with_routes;

	restart(&reconcile->of_source);
	diagnostics_append(&reconcile->of_source, diagnostics);
	if (reconcile->listed) {
		changes = store_take_changes(&reconcile->store);
		with_routes = changes.routes || reconcile->model == NULL;
		if (with_routes)
			build_model(reconcile);
		if (with_routes || changes.endpoints)
			publish(reconcile, with_routes, seen_ns);
		reconcile->seen_ns = 0;
	}
	update_log(reconcile);
}

struct source_sink reconcile_sink(struct reconcile *reconcile)
{
	return (struct source_sink){
		.owner = reconcile,
		.on_upsert = on_upsert,
		.on_delete = on_delete,
		.on_listed = on_listed,
		.on_settled = on_settled,
	};
}

void reconcile_on_obeyed(struct reconcile *reconcile, uint64_t routes_generation)
{
	ids_release(reconcile->ids, routes_generation);
	/* amid a batch: its end compiles the endpoints anyway */
	if (reconcile->model != NULL)
		publish(reconcile, false, 0);
}

bool reconcile_is_listed(const struct reconcile *reconcile)
{
	return reconcile->listed;
}

const struct store *reconcile_store(const struct reconcile *reconcile)
{
	return &reconcile->store;
}

const uint32_t *reconcile_diagnostic_counts(const struct reconcile *reconcile)
{
	return reconcile->log.counts;
}
