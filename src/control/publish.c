/* SPDX-License-Identifier: Apache-2.0 */
#include "control/publish.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "ipc/channel.h"
#include "table/layout.h"
#include "table/seal.h"

static const uint64_t ns_per_second = 1000000000;

struct segment {
	int fd;            /* -1: none */
	struct span bytes; /* mapped */
	uint64_t generation;
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
};

struct publisher {
	struct loop *loop;
	struct segment segments[TABLE_KIND_COUNT];
	struct routes routes;       /* of segments[TABLE_ROUTES] */
	struct endpoints endpoints; /* of segments[TABLE_ENDPOINTS] */
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
		propagation_reach(&publisher->segments[kind].propagation,
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
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		publisher->segments[kind].fd = -1;
	loop_task_init(&publisher->progress, on_progress);
	return publisher;
}

static void drop_segment(struct segment *segment)
{
	if (segment->fd == -1)
		return;
	seal_unmap(segment->bytes);
	close(segment->fd);
	segment->fd = -1;
	segment->bytes = (struct span){NULL, 0};
}

void publisher_free(struct publisher *publisher)
{
	for (uint32_t i = 0; i < publisher->worker_count; i++)
		disconnect(&publisher->peers[i]);
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		drop_segment(&publisher->segments[kind]);
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
	struct segment *segment = &peer->publisher->segments[ack->table];

	peer->state.refused[ack->table] = ack->generation;
	segment->refused++;
	propagation_forget(&segment->propagation, ack->generation);
	log_error("a worker refused the new table, the old one goes on; this is a bug in Ingot",
		  "table=%s worker=%" PRIu32 " generation=%" PRIu64 " in_effect=%" PRIu64
		  " reason=\"%s\"",
		  kind_name(ack->table), peer->index, ack->generation,
		  peer->state.in_effect[ack->table], log_quote(span_from(ack->text)));
}

/* Whether the worker has the present segment, or there is none. */
static bool is_sent(const struct peer *peer, enum table_kind kind)
{
	uint64_t present = peer->publisher->segments[kind].generation;

	return peer->asked[kind] == present || peer->answered[kind] == present;
}

static void send_segment(struct peer *peer, enum table_kind kind)
{
	struct segment *segment = &peer->publisher->segments[kind];
	struct message message = {
		.kind = MESSAGE_SEGMENT,
		.worker = peer->index,
		.table = kind,
		.generation = segment->generation,
	};

	if (is_sent(peer, kind) || peer->asked[kind] != 0)
		return;
	peer->asked[kind] = segment->generation;
	peer->state.asked_ns[kind] = clock_monotonic_ns();
	channel_send(&peer->channel, &message, segment->fd);
}

/* New endpoints before the routes that name them; one right behind the other, so that a worker takes both between two
 * of its requests. */
static void send_present(struct peer *peer)
{
	if (!peer->state.connected)
		return;
	send_segment(peer, TABLE_ENDPOINTS);
	if (is_sent(peer, TABLE_ENDPOINTS))
		send_segment(peer, TABLE_ROUTES);
}

/* Said twice is said once. */
static void take_answer(struct peer *peer, const struct message *ack)
{
	if (ack->generation != peer->asked[ack->table])
		return;
	peer->answered[ack->table] = ack->generation;
	peer->asked[ack->table] = 0;
	peer->state.asked_ns[ack->table] = 0;
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
	size_t from = offsetof(struct table_header, section_count);

	return a.len == b.len && a.len >= from && memcmp(a.ptr, b.ptr, skip) == 0 &&
	       memcmp(a.ptr + from, b.ptr + from, a.len - from) == 0;
}

/* The segment as the workers will see it: sealed, mapped, verified. */
static int make_segment(enum table_kind kind, struct span content, struct segment *made,
			struct routes *routes, struct endpoints *endpoints, struct error *err)
{
	made->fd = seal_new(kind == TABLE_ROUTES ? "ingot-routes" : "ingot-endpoints", content,
			    err);
	if (made->fd == -1)
		return -1;
	if (seal_map(made->fd, &made->bytes, err) == -1) {
		close(made->fd);
		return -1;
	}
	if ((kind == TABLE_ROUTES ? routes_verify(made->bytes, routes, err)
				  : endpoints_verify(made->bytes, endpoints, err)) == -1) {
		drop_segment(made);
		return -1;
	}
	made->generation = ((const struct table_header *)(const void *)made->bytes.ptr)->generation;
	return 0;
}

static void take_segment(struct publisher *publisher, enum table_kind kind,
			 const struct segment *made, uint64_t seen_ns)
{
	struct segment *present = &publisher->segments[kind];

	BUG_ON(made->generation <= present->generation);
	drop_segment(present);
	present->fd = made->fd;
	present->bytes = made->bytes;
	present->generation = made->generation;
	present->published++;
	if (seen_ns != 0)
		propagation_begin(&present->propagation, present->generation, seen_ns);
}

enum publish_result publisher_offer(struct publisher *publisher, enum table_kind kind,
				    struct span content, uint64_t seen_ns)
{
	struct segment *present = &publisher->segments[kind];
	struct segment made = {.fd = -1};
	struct routes routes;
	struct endpoints endpoints;
	struct error err;

	if (present->fd != -1 && says_the_same(present->bytes, content))
		return PUBLISH_EQUAL;
	if (make_segment(kind, content, &made, &routes, &endpoints, &err) == -1) {
		present->refused++;
		log_error("the new table cannot be used, the old one goes on",
			  "table=%s generation=%" PRIu64 " reason=\"%s\"", kind_name(kind),
			  present->generation, log_quote(span_from(err.text)));
		return PUBLISH_REFUSED;
	}
	take_segment(publisher, kind, &made, seen_ns);
	if (kind == TABLE_ROUTES)
		publisher->routes = routes;
	else
		publisher->endpoints = endpoints;
	return PUBLISH_NEW;
}

void publisher_send(struct publisher *publisher)
{
	for (uint32_t w = 0; w < publisher->worker_count; w++)
		send_present(&publisher->peers[w]);
}

uint64_t publisher_generation(const struct publisher *publisher, enum table_kind kind)
{
	return publisher->segments[kind].generation;
}

int publisher_segment_fd(const struct publisher *publisher, enum table_kind kind)
{
	return publisher->segments[kind].fd;
}

struct span publisher_segment(const struct publisher *publisher, enum table_kind kind)
{
	return publisher->segments[kind].bytes;
}

const struct routes *publisher_routes(const struct publisher *publisher)
{
	return publisher->segments[TABLE_ROUTES].fd == -1 ? NULL : &publisher->routes;
}

const struct endpoints *publisher_endpoints(const struct publisher *publisher)
{
	return publisher->segments[TABLE_ENDPOINTS].fd == -1 ? NULL : &publisher->endpoints;
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
	return &publisher->segments[kind].propagation;
}

uint64_t publisher_refused_count(const struct publisher *publisher, enum table_kind kind)
{
	return publisher->segments[kind].refused;
}

uint64_t publisher_published_count(const struct publisher *publisher, enum table_kind kind)
{
	return publisher->segments[kind].published;
}
