/* SPDX-License-Identifier: Apache-2.0 */
#include "control/reconcile.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "compile/compile.h"
#include "control/diagnostic_log.h"
#include "control/tickets.h"
#include "table/layout.h"

static const uint64_t ns_per_second = 1000000000;

struct reconcile {
	struct reconcile_options options;
	struct publisher *publisher;
	struct store store;
	struct compiler *compiler;
	struct tickets tickets;
	struct model *model;
	bool again; /* what was compiled last did not get through */
	bool listed;
	uint64_t seen_ns; /* when the first change of this batch was seen; 0: no batch */
	struct diagnostics *of_source; /* NULL: there are none */
	struct diagnostic_log log;
	struct diagnostic_sink sink; /* of the model and the compiler: the log */
};

static void on_new_diagnostics(void *owner, const struct diagnostics *list)
{
	struct reconcile *reconcile = owner;

	diagnostic_log_add(&reconcile->log, list);
}

static void on_gone_diagnostics(void *owner, const struct diagnostics *list)
{
	struct reconcile *reconcile = owner;

	diagnostic_log_remove(&reconcile->log, list);
}

/* Workers may obey routes of an earlier life of control: its numbers must not be taken for ours. */
static struct compiler *new_compiler(const struct diagnostic_sink *sink)
{
	struct compiler *compiler = compiler_new(sink);
	uint32_t seeds[2];

	random_secret(seeds, sizeof(seeds));
	compiler_seed(compiler, seeds[0], seeds[1]);
	return compiler;
}

static void use_tickets(struct reconcile *reconcile)
{
	compiler_set_tickets(reconcile->compiler, reconcile->tickets.keys,
			     reconcile->tickets.count);
}

/* The ConfigMap may have a key, or none any more. */
static void take_ticket_key(struct reconcile *reconcile)
{
	struct span key = reconcile->model->settings.ticket_key;
	bool is_other = key.len == TICKET_KEY_FILE_BYTES
				? tickets_set(&reconcile->tickets, (const uint8_t *)key.ptr)
				: tickets_unset(&reconcile->tickets);

	if (is_other)
		use_tickets(reconcile);
}

struct reconcile *reconcile_new(const struct reconcile_options *options,
				struct publisher *publisher)
{
	struct reconcile *reconcile = memory_new(sizeof(*reconcile));

	reconcile->options = *options;
	reconcile->publisher = publisher;
	reconcile->sink = (struct diagnostic_sink){
		.owner = reconcile, .on_new = on_new_diagnostics, .on_gone = on_gone_diagnostics};
	store_init(&reconcile->store);
	diagnostic_log_init(&reconcile->log);
	reconcile->compiler = new_compiler(&reconcile->sink);
	tickets_rotate(&reconcile->tickets);
	use_tickets(reconcile);
	reconcile->model = model_new(&reconcile->store, options->model, &reconcile->sink);
	return reconcile;
}

void reconcile_free(struct reconcile *reconcile)
{
	compiler_free(reconcile->compiler);
	tickets_fini(&reconcile->tickets);
	model_free(reconcile->model);
	store_fini(&reconcile->store);
	diagnostics_free(reconcile->of_source);
	diagnostic_log_fini(&reconcile->log);
	free(reconcile);
}

static uint64_t next_generation(const struct reconcile *reconcile, enum table_kind kind)
{
	uint64_t present = publisher_generation(reconcile->publisher, kind);
	uint64_t floor = reconcile->options.generation_floor;

	return (present > floor ? present : floor) + 1;
}

/* Whether it says something new, to be sent. What does not get through is compiled again with all else. */
static bool offer(struct reconcile *reconcile, enum table_kind kind, const struct buf *bundle,
		  uint64_t seen_ns)
{
	switch (publisher_offer(reconcile->publisher, kind, buf_span(bundle), seen_ns)) {
	case PUBLISH_NEW:
		return true;
	case PUBLISH_EQUAL:
		return false;
	case PUBLISH_REFUSED:
		reconcile->again = true;
		if (reconcile->options.on_behind != NULL)
			reconcile->options.on_behind(reconcile->options.owner);
		return false;
	}
	BUG_ON(true);
	return false;
}

static void offer_stored(struct reconcile *reconcile, enum table_kind kind)
{
	struct buf content = {0};

	if (state_load(reconcile->options.state, kind, &content) &&
	    offer(reconcile, kind, &content, 0))
		log_info("serving the stored table until objects are listed",
			 "table=%s generation=%" PRIu64, table_layouts[kind].name,
			 publisher_generation(reconcile->publisher, kind));
	buf_wipe(&content);
}

void reconcile_publish_stored(struct reconcile *reconcile)
{
	if (reconcile->options.state == NULL)
		return;
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		offer_stored(reconcile, kind);
	publisher_send(reconcile->publisher);
}

static void log_routes(const struct reconcile *reconcile, size_t bytes)
{
	log_info("new routes",
		 "generation=%" PRIu64 " hosts=%" PRIu32 " routes=%" PRIu32 " ingresses=%" PRIu32
		 " bytes=%zu",
		 publisher_generation(reconcile->publisher, TABLE_ROUTES),
		 (uint32_t)reconcile->model->hosts_by_name.count, reconcile->model->route_count,
		 reconcile->model->ingress_count, bytes);
}

static void log_too_large(enum table_kind kind)
{
	log_error("a part of the new table is too large, the old one goes on", "table=%s",
		  table_layouts[kind].name);
}

static bool offer_routes(struct reconcile *reconcile, uint64_t seen_ns)
{
	struct buf bundle = {0};
	bool is_new;

	if (!compile_routes(reconcile->compiler, reconcile->model, reconcile->options.model,
			    next_generation(reconcile, TABLE_ROUTES), clock_wall_ns(), &bundle))
		log_too_large(TABLE_ROUTES);
	is_new = offer(reconcile, TABLE_ROUTES, &bundle, seen_ns);
	if (is_new)
		log_routes(reconcile, bundle.len);
	buf_fini(&bundle);
	return is_new;
}

static bool offer_endpoints(struct reconcile *reconcile, uint64_t seen_ns)
{
	struct buf bundle = {0};
	bool is_new;

	if (!compile_endpoints(reconcile->compiler, &reconcile->store, reconcile->options.model,
			       next_generation(reconcile, TABLE_ENDPOINTS), clock_wall_ns(),
			       &bundle))
		log_too_large(TABLE_ENDPOINTS);
	is_new = offer(reconcile, TABLE_ENDPOINTS, &bundle, seen_ns);
	if (is_new)
		log_debug("new endpoints", "generation=%" PRIu64 " bytes=%zu",
			  publisher_generation(reconcile->publisher, TABLE_ENDPOINTS), bundle.len);
	buf_fini(&bundle);
	return is_new;
}

static bool offer_certificates(struct reconcile *reconcile, uint64_t seen_ns)
{
	struct buf bundle = {0};
	bool is_new;

	if (!compile_certificates(reconcile->compiler, reconcile->model,
				  next_generation(reconcile, TABLE_CERTIFICATES), clock_wall_ns(),
				  &bundle))
		log_too_large(TABLE_CERTIFICATES);
	is_new = offer(reconcile, TABLE_CERTIFICATES, &bundle, seen_ns);
	if (is_new)
		log_info("new certificates", "generation=%" PRIu64 " certificates=%zu",
			 publisher_generation(reconcile->publisher, TABLE_CERTIFICATES),
			 reconcile->model->certificates_by_name.count);
	buf_wipe(&bundle);
	return is_new;
}

static void store_table(struct reconcile *reconcile, enum table_kind kind)
{
	if (reconcile->options.state != NULL)
		state_store(reconcile->options.state, kind);
}

/* Compiles what depends on what changed, and publishes it: what is new goes to the workers before anything is
 * logged at length or stored. */
static void publish(struct reconcile *reconcile, bool with_routes, uint64_t seen_ns)
{
	bool new_endpoints = offer_endpoints(reconcile, seen_ns);
	/* routes that name what did not get through would only answer 503: they come with it */
	bool new_routes = with_routes && !reconcile->again && offer_routes(reconcile, seen_ns);
	bool new_certificates = offer_certificates(reconcile, seen_ns);

	publisher_send(reconcile->publisher);
	if (new_endpoints)
		store_table(reconcile, TABLE_ENDPOINTS);
	if (new_certificates)
		store_table(reconcile, TABLE_CERTIFICATES);
	if (new_routes)
		store_table(reconcile, TABLE_ROUTES);
}

static void note_slice(struct reconcile *reconcile, const struct object *object)
{
	const struct endpoint_slice *slice = (const struct endpoint_slice *)object;

	if (object != NULL)
		compiler_note_service(reconcile->compiler, object->namespace, slice->service_name);
}

/* A slice may have moved from one Service to another. Where everything changed, all endpoints are asked for anyway. */
static void note_slices(struct reconcile *reconcile)
{
	const struct map *changed = &reconcile->store.changes.changed[OBJECT_ENDPOINT_SLICE];

	for (struct map_entry *at = map_next(changed, NULL); at != NULL;
	     at = map_next(changed, at)) {
		struct store_change *change = container_of(at, struct store_change, by_name);

		note_slice(reconcile, change->before);
		note_slice(reconcile, change->after);
	}
}

/* Brings the model up to the store. Whether routes are to be compiled. */
static bool update_model(struct reconcile *reconcile)
{
	const struct model_changes *changes = model_update(
		reconcile->model, (int64_t)(clock_wall_ns() / ns_per_second));
	bool all = reconcile->again || compiler_is_short(reconcile->compiler);

	take_ticket_key(reconcile);
	note_slices(reconcile);
	store_forget_changes(&reconcile->store);
	reconcile->again = false;
	compiler_note(reconcile->compiler, reconcile->model, all ? NULL : changes,
		      next_generation(reconcile, TABLE_ROUTES));
	return all || changes->everything || changes->host_count > 0;
}

static void begin_change(struct reconcile *reconcile)
{
	if (reconcile->seen_ns == 0)
		reconcile->seen_ns = clock_monotonic_ns();
}

static void on_upsert(void *owner, struct object *object)
{
	struct reconcile *reconcile = owner;

	begin_change(reconcile);
	store_upsert(&reconcile->store, object);
}

static void on_delete(void *owner, enum object_kind kind, struct span namespace, struct span name)
{
	struct reconcile *reconcile = owner;

	begin_change(reconcile);
	store_delete(&reconcile->store, kind, namespace, name);
}

static void on_listed(void *owner)
{
	struct reconcile *reconcile = owner;

	reconcile->listed = true;
}

static void take_diagnostics(struct reconcile *reconcile, const struct diagnostics *of_source)
{
	struct diagnostics *copy = diagnostics_new();

	diagnostics_append(copy, of_source);
	diagnostics_replace(&reconcile->of_source, copy, &reconcile->sink);
}

static void on_settled(void *owner, const struct diagnostics *diagnostics)
{
	struct reconcile *reconcile = owner;
	uint64_t seen_ns = reconcile->seen_ns != 0 ? reconcile->seen_ns : clock_monotonic_ns();

	take_diagnostics(reconcile, diagnostics);
	if (reconcile->listed) {
		if (store_has_changes(&reconcile->store) || reconcile->again)
			publish(reconcile, update_model(reconcile), seen_ns);
		reconcile->seen_ns = 0;
	}
	diagnostic_log_say(&reconcile->log);
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

void reconcile_retry(struct reconcile *reconcile)
{
	/* amid a batch: its end does it */
	if (reconcile->again && reconcile->seen_ns == 0 && reconcile->listed)
		publish(reconcile, update_model(reconcile), 0);
}

void reconcile_rotate_tickets(struct reconcile *reconcile)
{
	tickets_rotate(&reconcile->tickets);
	use_tickets(reconcile);
	/* amid a batch: its end publishes them */
	if (reconcile->seen_ns == 0 && reconcile->listed)
		publish(reconcile, false, 0);
}

void reconcile_on_obeyed(struct reconcile *reconcile, uint64_t routes_generation)
{
	bool any = compiler_release(reconcile->compiler, routes_generation);

	/* amid a batch its end compiles the endpoints anyway; where some did not get through, these alone would not
	 * fit those that workers have */
	if (any && reconcile->seen_ns == 0 && reconcile->listed && !reconcile->again)
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
