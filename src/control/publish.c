/* SPDX-License-Identifier: Apache-2.0 */
#include "control/publish.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "ipc/channel.h"
#include "table/layout.h"
#include "table/seal.h"

static const uint64_t ns_per_second = 1000000000;

/* Memory stays as long as one of its shards is in effect, so a few shards that are left of old bundles may hold many
 * times the table, in control and in every worker. Where it would be more than so many times the table and a little,
 * all shards move into one bundle: what that costs is less than what was published since the last time. */
enum { SCATTERED_TIMES = 2, SCATTERED_BYTES = 1 << 20 };

/* The shards that are newer than a generation, in sealed memory. */
struct bundle {
	int fd; /* -1: none */
	uint64_t since;
};

/* What is present of one kind. */
struct table {
	struct shards shards;
	struct bundle last;  /* what was published last: nearly every worker waits for it */
	struct bundle other; /* what another worker needed: made when asked for */
	struct propagation propagation;
	uint64_t refused;
	uint64_t published;
};

struct peer {
	struct publisher *publisher;
	uint32_t index;
	struct channel channel;
	struct peer_state state;
	uint64_t asked[TABLE_KIND_COUNT];    /* generation sent and not answered yet; 0: none */
	uint64_t answered[TABLE_KIND_COUNT]; /* the last one answered over this channel; 0: none */
	uint64_t window_ns; /* beginning of the second whose messages are counted */
	uint32_t window_messages;
	struct timer
		silence; /* since it left its channel; until run says that it is gone, or brings another */
	struct timer deaf; /* since it was asked about a table and gave no answer */
};

struct publisher {
	struct loop *loop;
	struct table tables[TABLE_KIND_COUNT];
	struct peer *peers;
	uint32_t worker_count;
	struct loop_task progress;
	uint64_t routes_obeyed; /* what on_obeyed was told last */
	struct publisher_events events;
};

static const char *kind_name(enum table_kind kind)
{
	return table_layouts[kind].name;
}

/* What every worker obeys at least; a worker that is away obeys nothing yet. */
static uint64_t least_in_effect(const struct publisher *publisher, enum table_kind kind)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < publisher->worker_count; i++) {
		uint64_t generation = publisher->peers[i].state.in_effect[kind];

		if (generation < least)
			least = generation;
	}
	return least;
}

static void on_progress(struct loop_task *task)
{
	struct publisher *publisher = container_of(task, struct publisher, progress);
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t obeyed = least_in_effect(publisher, TABLE_ROUTES);

	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		propagation_reach(&publisher->tables[kind].propagation,
				  least_in_effect(publisher, kind), now_ns);
	if (obeyed <= publisher->routes_obeyed)
		return;
	publisher->routes_obeyed = obeyed;
	if (publisher->events.on_obeyed != NULL)
		publisher->events.on_obeyed(publisher->events.owner, obeyed);
}

/* The worker is there no more, or not to be talked to any more: it obeys nothing that we know of. */
static void disconnect(struct peer *peer)
{
	timer_stop(loop_timers(peer->publisher->loop), &peer->silence);
	timer_stop(loop_timers(peer->publisher->loop), &peer->deaf);
	if (peer->state.connected)
		channel_stop(&peer->channel);
	peer->state.connected = false;
	memset(peer->state.in_effect, 0, sizeof(peer->state.in_effect));
	memset(peer->state.refused, 0, sizeof(peer->state.refused));
	memset(peer->state.asked_ns, 0, sizeof(peer->state.asked_ns));
	memset(peer->asked, 0, sizeof(peer->asked));
	memset(peer->answered, 0, sizeof(peer->answered));
}

/* Such a worker runs no code of ours any more, or code with a bug, or hangs. */
static void expel(struct peer *peer, const char *reason)
{
	struct publisher_events *events = &peer->publisher->events;

	log_error("a worker is not to be worked with", "worker=%" PRIu32 " pid=%d reason=\"%s\"",
		  peer->index, (int)peer->state.pid, reason);
	disconnect(peer);
	if (events->on_expel != NULL)
		events->on_expel(events->owner, peer->index, peer->state.pid, reason);
}

static void on_deaf(struct timer *timer)
{
	expel(container_of(timer, struct peer, deaf), "it does not answer for a table");
}

static void on_silent(struct timer *timer)
{
	expel(container_of(timer, struct peer, silence), "it has left its channel and goes on");
}

static void init_peers(struct publisher *publisher, uint32_t workers)
{
	publisher->worker_count = workers;
	publisher->peers = memory_new_array(workers, sizeof(publisher->peers[0]));
	for (uint32_t i = 0; i < workers; i++) {
		publisher->peers[i].publisher = publisher;
		publisher->peers[i].index = i;
		timer_init(&publisher->peers[i].silence, on_silent);
		timer_init(&publisher->peers[i].deaf, on_deaf);
	}
}

struct publisher *publisher_new(struct loop *loop, uint32_t workers,
				const struct publisher_events *events)
{
	struct publisher *publisher = memory_new(sizeof(*publisher));

	BUG_ON(workers == 0);
	publisher->loop = loop;
	publisher->events = *events;
	init_peers(publisher, workers);
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++) {
		shards_init(&publisher->tables[kind].shards, kind);
		publisher->tables[kind].last.fd = -1;
		publisher->tables[kind].other.fd = -1;
	}
	loop_task_init(&publisher->progress, on_progress);
	return publisher;
}

static void drop_bundle(struct bundle *bundle)
{
	if (bundle->fd != -1)
		close(bundle->fd);
	bundle->fd = -1;
}

static void drop_table(struct table *table)
{
	drop_bundle(&table->last);
	drop_bundle(&table->other);
	shards_fini(&table->shards);
}

void publisher_free(struct publisher *publisher)
{
	for (uint32_t i = 0; i < publisher->worker_count; i++)
		disconnect(&publisher->peers[i]);
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		drop_table(&publisher->tables[kind]);
	loop_task_cancel(&publisher->progress);
	free(publisher->peers);
	free(publisher);
}

static bool is_within_rate(struct peer *peer)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (now_ns - peer->window_ns >= ns_per_second) {
		peer->window_ns = now_ns;
		peer->window_messages = 0;
	}
	return ++peer->window_messages <= PUBLISH_MESSAGES_MAX;
}

/* Why an acknowledgement cannot be true, or NULL. */
static const char *find_lie(const struct peer *peer, const struct message *ack)
{
	if (ack->kind != MESSAGE_ACK)
		return "not an acknowledgement";
	if (ack->table >= TABLE_KIND_COUNT)
		return "a table that does not exist";
	if (ack->code != ACK_APPLIED && ack->code != ACK_REFUSED)
		return "a code that does not exist";
	if (ack->generation == 0 || (ack->generation != peer->asked[ack->table] &&
				     ack->generation != peer->answered[ack->table]))
		return "a generation that it was not asked about";
	return NULL;
}

static void note_refusal(struct peer *peer, const struct message *ack)
{
	struct table *table = &peer->publisher->tables[ack->table];

	peer->state.refused[ack->table] = ack->generation;
	table->refused++;
	propagation_forget(&table->propagation, ack->generation);
	log_error("a worker refused the new table, the old one goes on; this is a bug in Ingot",
		  "table=%s worker=%" PRIu32 " generation=%" PRIu64 " in_effect=%" PRIu64
		  " reason=\"%s\"",
		  kind_name(ack->table), peer->index, ack->generation,
		  peer->state.in_effect[ack->table], log_quote(span_from(ack->text)));
}

static const char *memory_name(enum table_kind kind)
{
	static const char *const names[TABLE_KIND_COUNT] = {
		[TABLE_ROUTES] = "ingot-routes",
		[TABLE_ENDPOINTS] = "ingot-endpoints",
		[TABLE_CERTIFICATES] = "ingot-certificates",
	};

	return names[kind];
}

static void make_bundle(struct bundle *bundle, const struct shards *shards, uint64_t since)
{
	struct buf bytes = {0};
	struct error err;

	drop_bundle(bundle);
	if (table_is_secret(shards->kind))
		buf_reserve(&bytes, shards->bytes);
	for (uint32_t i = 0; i < shards->count; i++) {
		const struct table_header *header = shards->at[i]->header;

		if (header->generation > since)
			buf_add(&bytes, (struct span){(const char *)header, header->size});
	}
	bundle->fd = seal_new(memory_name(shards->kind), buf_span(&bytes), &err);
	bundle->since = since;
	if (bundle->fd == -1)
		log_error("no memory for a table that a worker needs", "table=%s reason=\"%s\"",
			  kind_name(shards->kind), log_quote(span_from(err.text)));
	buf_wipe(&bytes);
}

/* All shards that are newer than a generation; those of another set are newer than all before it. -1: no memory. */
static int bundle_since(struct table *table, uint64_t since)
{
	if (since < table->shards.set)
		since = 0;
	if (table->last.fd != -1 && table->last.since <= since)
		return table->last.fd;
	if (table->other.fd == -1 || table->other.since != since)
		make_bundle(&table->other, &table->shards, since);
	return table->other.fd;
}

/* Whether the worker has all that is present of that kind. */
static bool is_sent(const struct peer *peer, enum table_kind kind)
{
	uint64_t present = peer->publisher->tables[kind].shards.generation;

	return peer->asked[kind] == present || peer->answered[kind] == present;
}

/* What is to be sent to it now; -1: nothing. What it refused before it gets again, with the rest. */
static int due_bundle(struct peer *peer, enum table_kind kind)
{
	if (is_sent(peer, kind) || peer->asked[kind] != 0)
		return -1;
	return bundle_since(&peer->publisher->tables[kind], peer->state.in_effect[kind]);
}

/* follows: how many bundles follow that are to take effect together with it. */
static void send_bundle(struct peer *peer, enum table_kind kind, int fd, uint64_t follows)
{
	uint64_t generation = peer->publisher->tables[kind].shards.generation;
	struct message message = {
		.kind = MESSAGE_SEGMENT,
		.worker = peer->index,
		.table = kind,
		.generation = generation,
		.number = follows,
	};

	peer->asked[kind] = generation;
	if (!timer_is_running(&peer->deaf))
		timer_start(loop_timers(peer->publisher->loop), &peer->deaf, PUBLISH_DEAF_MAX_MS);
	peer->state.asked_ns[kind] = clock_monotonic_ns();
	channel_send(&peer->channel, &message, fd);
}

/* What routes name goes before them; what is sent together takes effect together. */
static void send_present(struct peer *peer)
{
	static const enum table_kind order[] = {TABLE_ENDPOINTS, TABLE_CERTIFICATES, TABLE_ROUTES};
	enum { KINDS = sizeof(order) / sizeof(order[0]) };
	int bundles[KINDS];
	uint64_t due = 0;
	bool is_complete = true;

	if (!peer->state.connected)
		return;
	for (unsigned i = 0; i < KINDS; i++) {
		bool is_last = i + 1 == KINDS;

		bundles[i] = is_last && !is_complete ? -1 : due_bundle(peer, order[i]);
		due += bundles[i] != -1;
		is_complete = is_complete && (bundles[i] != -1 || is_sent(peer, order[i]));
	}
	for (unsigned i = 0; i < KINDS; i++)
		if (bundles[i] != -1)
			send_bundle(peer, order[i], bundles[i], --due);
}

static bool is_asked(const struct peer *peer)
{
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		if (peer->asked[kind] != 0)
			return true;
	return false;
}

/* Said twice is said once. */
static void take_answer(struct peer *peer, const struct message *ack)
{
	if (ack->generation != peer->asked[ack->table])
		return;
	peer->answered[ack->table] = ack->generation;
	peer->asked[ack->table] = 0;
	peer->state.asked_ns[ack->table] = 0;
	/* whatever else is asked: it lives, and its time begins anew */
	timer_stop(loop_timers(peer->publisher->loop), &peer->deaf);
	if (is_asked(peer))
		timer_start(loop_timers(peer->publisher->loop), &peer->deaf, PUBLISH_DEAF_MAX_MS);
	if (ack->code == ACK_REFUSED)
		note_refusal(peer, ack);
	else
		peer->state.in_effect[ack->table] = ack->generation;
	send_present(peer);
	loop_defer(peer->publisher->loop, &peer->publisher->progress);
}

static void on_message(struct channel *channel, const struct message *message, int fd)
{
	struct peer *peer = channel->owner;
	const char *lie;

	if (fd != -1)
		close(fd); /* nothing that a worker says comes with one */
	if (!is_within_rate(peer)) {
		expel(peer, "more messages in a second than allowed");
		return;
	}
	lie = find_lie(peer, message);
	if (lie != NULL) {
		expel(peer, lie);
		return;
	}
	take_answer(peer, message);
}

/* Its end mostly, of which run tells us soon; or it took nothing for so long that the channel gave it up. */
static void on_closed(struct channel *channel)
{
	struct peer *peer = channel->owner;

	log_debug("the channel to a worker is closed", "worker=%" PRIu32, peer->index);
	disconnect(peer);
	timer_start(loop_timers(peer->publisher->loop), &peer->silence, PUBLISH_SILENT_MAX_MS);
}

void publisher_set_peer(struct publisher *publisher, uint32_t worker, int fd, pid_t pid)
{
	struct error err;
	struct peer *peer;

	if (worker >= publisher->worker_count) {
		log_error("run sent a worker that does not exist", "worker=%" PRIu32, worker);
		close(fd);
		return;
	}
	peer = &publisher->peers[worker];
	disconnect(peer);
	peer->state.pid = pid;
	peer->channel = (struct channel){
		.owner = peer, .on_message = on_message, .on_closed = on_closed};
	if (channel_start(&peer->channel, publisher->loop, fd, &err) == -1) {
		log_error("cannot talk to a worker", "worker=%" PRIu32 " reason=\"%s\"", worker,
			  err.text);
		return;
	}
	peer->state.connected = true;
	send_present(peer);
}

void publisher_drop_peer(struct publisher *publisher, uint32_t worker, uint64_t deaths)
{
	if (worker >= publisher->worker_count)
		return;
	disconnect(&publisher->peers[worker]);
	publisher->peers[worker].state.pid = 0;
	publisher->peers[worker].state.deaths = deaths;
}

/* Everything but generation, checksum and time, which lie side by side. */
static bool says_the_same(struct span a, struct span b)
{
	size_t skip = offsetof(struct table_header, generation);
	size_t from = offsetof(struct table_header, shard);

	return a.len == b.len && a.len >= from && memcmp(a.ptr, b.ptr, skip) == 0 &&
	       memcmp(a.ptr + from, b.ptr + from, a.len - from) == 0;
}

static const struct table_header *header_of(struct span segment)
{
	return (const void *)segment.ptr;
}

/* Whether the shard says what the present one says. */
static bool is_known(const struct shards *present, struct span segment)
{
	const struct table_header *header = header_of(segment);
	const struct table_header *known;

	if (header->set != present->set || header->shard_count != present->count ||
	    header->shard >= present->count)
		return false;
	known = present->at[header->shard]->header;
	return says_the_same((struct span){(const char *)known, known->size}, segment);
}

/* Copies what is new of a bundle; also what is no segment, so that it is refused. */
static void keep_new(const struct shards *present, struct span bundle, struct buf *out)
{
	struct span segment;

	buf_reserve(out, bundle.len);
	while (bundle_cut(&bundle, &segment))
		if (!is_known(present, segment))
			buf_add(out, segment);
	buf_add(out, bundle);
}

/* A bundle of the present set that would leave too much memory with too little in it. */
static bool is_scattered(const struct shards *present, struct span bundle)
{
	struct span segment;

	return bundle_cut(&bundle, &segment) && header_of(segment)->set == present->set &&
	       header_of(segment)->shard_count == present->count &&
	       present->held + segment.len + bundle.len >
		       present->bytes * SCATTERED_TIMES + SCATTERED_BYTES;
}

/* As if it were made anew: whoever has older ones is to get it. */
static void add_moved(struct buf *out, const struct table_header *header, uint64_t generation)
{
	size_t at = out->len;

	buf_add(out, (struct span){(const char *)header, header->size});
	memcpy(out->ptr + at + offsetof(struct table_header, generation), &generation,
	       sizeof(generation));
}

/* The bundle becomes the whole table, by the present shards that it does not replace. What is out of order stays so. */
static void make_whole(const struct shards *present, struct buf *bundle)
{
	struct span rest = buf_span(bundle);
	struct buf whole = {0};
	struct span segment;
	bool more = bundle_cut(&rest, &segment);
	uint64_t generation = header_of(segment)->generation;

	buf_reserve(&whole, present->bytes + bundle->len);
	for (uint32_t i = 0; i < present->count; i++) {
		if (!more || header_of(segment)->shard != i) {
			add_moved(&whole, present->at[i]->header, generation);
			continue;
		}
		buf_add(&whole, segment);
		more = bundle_cut(&rest, &segment);
	}
	if (more)
		buf_add(&whole, segment);
	buf_add(&whole, rest);
	buf_fini(bundle);
	*bundle = whole;
}

/* The bundle as the workers will see it: sealed, mapped, verified. -1: it stays without effect. */
static int prepare(struct table *table, struct span bundle, struct shards_change *change,
		   struct error *err)
{
	int fd = seal_new(memory_name(table->shards.kind), bundle, err);
	struct span mapped;

	if (fd == -1)
		return -1;
	if (seal_map(fd, &mapped, err) == -1 ||
	    shards_prepare(&table->shards, mapped, seal_unmap, change, err) == -1) {
		close(fd);
		return -1;
	}
	if (change->generation > table->shards.generation)
		return fd;
	/* a file that was stored may say anything */
	error_set(err, "its generation %" PRIu64 " is not newer", change->generation);
	shards_drop(change);
	close(fd);
	return -1;
}

static void tell_routes(const struct publisher *publisher, const struct shards_change *change)
{
	for (uint32_t i = 0; i < change->count; i++)
		publisher->events.on_routes(publisher->events.owner, &change->fresh[i]->routes);
}

static void take(struct table *table, struct shards_change *change, int fd, uint64_t seen_ns)
{
	bool is_whole = change->count == change->shard_count;

	BUG_ON(change->generation <= table->shards.generation);
	drop_bundle(&table->last);
	drop_bundle(&table->other);
	table->last = (struct bundle){fd, is_whole ? 0 : table->shards.generation};
	shards_commit(&table->shards, change);
	table->published++;
	if (seen_ns != 0)
		propagation_begin(&table->propagation, table->shards.generation, seen_ns);
}

static enum publish_result publish(struct publisher *publisher, enum table_kind kind,
				   struct span bundle, uint64_t seen_ns)
{
	struct table *table = &publisher->tables[kind];
	struct shards_change change;
	struct error err;
	int fd = prepare(table, bundle, &change, &err);

	if (fd == -1) {
		table->refused++;
		log_error("the new table cannot be used, the old one goes on",
			  "table=%s generation=%" PRIu64 " reason=\"%s\"", kind_name(kind),
			  table->shards.generation, log_quote(span_from(err.text)));
		return PUBLISH_REFUSED;
	}
	if (kind == TABLE_ROUTES && publisher->events.on_routes != NULL)
		tell_routes(publisher, &change);
	take(table, &change, fd, seen_ns);
	return PUBLISH_NEW;
}

enum publish_result publisher_offer(struct publisher *publisher, enum table_kind kind,
				    struct span bundle, uint64_t seen_ns)
{
	const struct shards *present = &publisher->tables[kind].shards;
	struct buf fresh = {0};
	enum publish_result result = PUBLISH_EQUAL;

	keep_new(present, bundle, &fresh);
	if (is_scattered(present, buf_span(&fresh)))
		make_whole(present, &fresh);
	if (fresh.len > 0 || present->count == 0)
		result = publish(publisher, kind, buf_span(&fresh), seen_ns);
	buf_wipe(&fresh);
	return result;
}

void publisher_send(struct publisher *publisher)
{
	for (uint32_t w = 0; w < publisher->worker_count; w++)
		send_present(&publisher->peers[w]);
}

uint64_t publisher_generation(const struct publisher *publisher, enum table_kind kind)
{
	return publisher->tables[kind].shards.generation;
}

const struct shards *publisher_table(const struct publisher *publisher, enum table_kind kind)
{
	const struct shards *shards = &publisher->tables[kind].shards;

	return shards->count == 0 ? NULL : shards;
}

int publisher_bundle_fd(struct publisher *publisher, enum table_kind kind)
{
	struct table *table = &publisher->tables[kind];

	return table->shards.count == 0 ? -1 : bundle_since(table, 0);
}

uint32_t publisher_worker_count(const struct publisher *publisher)
{
	return publisher->worker_count;
}

const struct peer_state *publisher_worker(const struct publisher *publisher, uint32_t worker)
{
	BUG_ON(worker >= publisher->worker_count);
	return &publisher->peers[worker].state;
}

const struct propagation *publisher_propagation(const struct publisher *publisher,
						enum table_kind kind)
{
	return &publisher->tables[kind].propagation;
}

uint64_t publisher_refused_count(const struct publisher *publisher, enum table_kind kind)
{
	return publisher->tables[kind].refused;
}

uint64_t publisher_published_count(const struct publisher *publisher, enum table_kind kind)
{
	return publisher->tables[kind].published;
}
