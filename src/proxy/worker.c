/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "http/websocket.h"
#include "io/resolver.h"
#include "proxy/downstream.h"
#include "proxy/downstream_h2.h"
#include "proxy/downstream_stream.h"
#include "proxy/exchange.h"
#include "proxy/passthrough.h"
#include "proxy/pattern_store.h"
#include "proxy/upstream.h"
#include "proxy/upstream_h2.h"
#include "proxy/upstream_stream.h"
#include "proxy/upstream_tls.h"

enum {
	LOG_FLUSH_MS = 100,
	PER_BLOCK = 64,
	EXCHANGES_PER_BLOCK = 8,
	BUFFERS_PER_CLIENT = 2,
	CLIENTS_PER_PIPE = 32
};

struct span worker_date(struct worker *worker)
{
	uint64_t second = loop_wall_ns(worker->loop) / 1000000000;

	if (second != worker->date_second) {
		worker->date_second = second;
		worker->date_length = (uint8_t)clock_http_date(worker->date_text,
							       loop_wall_ns(worker->loop));
	}
	return span_make(worker->date_text, worker->date_length);
}

static void on_log_timer(struct timer *timer)
{
	access_log_flush(&container_of(timer, struct worker, log_timer)->log);
}

void worker_log(struct worker *worker, const struct access_record *record)
{
	access_log_add(&worker->log, record);
	if (!timer_is_running(&worker->log_timer))
		timer_start(worker->timers, &worker->log_timer, LOG_FLUSH_MS);
}

void worker_log_stream(struct worker *worker, const struct access_record *record)
{
	access_log_add_stream(&worker->log, record);
	if (!timer_is_running(&worker->log_timer))
		timer_start(worker->timers, &worker->log_timer, LOG_FLUSH_MS);
}

bool worker_make_room(struct worker *worker)
{
	return conn_pool_give_up(&worker->pool) || downstream_give_up(worker);
}

/*
 * The end
 */

/* One turn after the listeners were drained, so that what was accepted then has told its news. A request that
 * has come already is still answered. */
static void close_idle_clients(struct loop_task *task)
{
	struct worker *worker = container_of(task, struct worker, drain_task);

	if (worker->drain_turns++ == 0) {
		loop_defer(worker->loop, task);
		return;
	}
	list_for_each_safe (link, &worker->clients[DOWNSTREAM_OPENING])
		downstream_drain(container_of(link, struct downstream, link));
	list_for_each_safe (link, &worker->clients[DOWNSTREAM_IDLE])
		downstream_drain(container_of(link, struct downstream, link));
	list_for_each_safe (link, &worker->clients[DOWNSTREAM_BUSY])
		downstream_drain(container_of(link, struct downstream, link));
	worker_on_client_gone(worker);
}

static void on_drain_timeout(struct timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, drain_timer);

	log_warn("requests in progress are cut: the grace period is over", "connections=%u",
		 worker->client_count);
	loop_stop(worker->loop);
}

void worker_on_client_gone(struct worker *worker)
{
	if (worker->drain_turns > 1 && worker->client_count == 0)
		loop_stop(worker->loop);
}

static void drain(struct worker *worker, uint64_t allowed_ms)
{
	if (worker->draining)
		return;
	log_debug("the worker drains", "connections=%u allowed_ms=%llu", worker->client_count,
		  (unsigned long long)allowed_ms);
	if (worker->serving)
		for (uint32_t i = 0; i < worker->listener_count; i++)
			listener_drain(&worker->listeners[i]);
	worker->draining = true;
	conn_pool_close_idle(&worker->pool);
	loop_defer(worker->loop, &worker->drain_task);
	timer_start(worker->timers, &worker->drain_timer,
		    allowed_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)allowed_ms);
}

/*
 * Segments
 */

static void serve(struct worker *worker)
{
	struct error err;

	if (worker->serving || worker->draining || !tables_are_complete(&worker->tables))
		return;
	for (uint32_t i = 0; i < worker->listener_count; i++)
		if (listener_start(&worker->listeners[i], &err) == -1)
			log_error("a listener cannot be served", "reason=\"%s\"",
				  log_quote(span_from(err.text)));
	worker->serving = true;
	channel_send(&worker->run_channel,
		     &(struct message){.kind = MESSAGE_READY, .worker = worker->options->index},
		     -1);
}

static void count_tables(struct worker *worker)
{
	const struct tables *tables = &worker->tables;

	worker->counters->segments_mapped_now = tables_mapped(tables);
	worker->counters->routes_generation_now = tables->routes.generation;
	worker->counters->endpoints_generation_now = tables->endpoints.generation;
}

static void on_endpoint_left(void *owner, const struct endpoint_record *endpoint)
{
	struct worker *worker = owner;

	conn_pool_leave(&worker->pool, endpoint);
}

/* why: NULL where it is applied. */
static void answer(struct worker *worker, uint32_t table, uint64_t generation,
		   const struct error *why)
{
	struct message ack = {
		.kind = MESSAGE_ACK,
		.worker = worker->options->index,
		.table = table,
		.generation = generation,
		.code = why == NULL ? ACK_APPLIED : ACK_REFUSED,
		.time_ns = clock_monotonic_ns(),
	};

	if (why != NULL)
		snprintf(ack.text, sizeof(ack.text), "%.*s", (int)sizeof(ack.text) - 1, why->text);
	channel_send(&worker->control_channel, &ack, -1);
}

/* What is prepared takes effect, and is answered for. */
static void apply_segments(struct worker *worker)
{
	tables_commit(&worker->tables);
	if (worker->tables.routes.count > 0)
		certificate_store_on_routes(worker->certificates);
	if (worker->prepared[TABLE_CERTIFICATES] != 0) {
		certificate_store_on_certificates(worker->certificates);
		upstream_tls_on_certificates(worker->upstream_tls);
	}
	count_tables(worker);
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++) {
		if (worker->prepared[kind] == 0)
			continue;
		worker->counters->segments_applied++;
		answer(worker, kind, worker->prepared[kind], NULL);
		worker->prepared[kind] = 0;
	}
	serve(worker);
}

static void on_segment(struct worker *worker, const struct message *message, int fd)
{
	struct error err;

	if (tables_prepare(&worker->tables, (enum table_kind)message->table, fd, &err) == 0) {
		worker->prepared[message->table] = message->generation;
	} else {
		worker->counters->segments_refused++;
		answer(worker, message->table, message->generation, &err);
	}
	if (message->number == 0)
		apply_segments(worker);
}

/*
 * Channels
 */

static void on_control_message(struct channel *channel, const struct message *message, int fd)
{
	struct worker *worker = channel->owner;

	if (message->kind == MESSAGE_SEGMENT && message->table < TABLE_KIND_COUNT && fd != -1)
		on_segment(worker, message, fd);
	if (fd != -1)
		close(fd);
}

static void on_control_closed(struct channel *channel)
{
	(void)channel; /* the last table serves on; run sends a new channel */
}

static void take_control_channel(struct worker *worker, int fd)
{
	struct error err;

	if (channel_is_open(&worker->control_channel))
		channel_stop(&worker->control_channel);
	/* the rest of what is prepared will not come any more, and all of it again */
	tables_drop(&worker->tables);
	memset(worker->prepared, 0, sizeof(worker->prepared));
	worker->control_channel.owner = worker;
	worker->control_channel.on_message = on_control_message;
	worker->control_channel.on_closed = on_control_closed;
	if (channel_start(&worker->control_channel, worker->loop, fd, &err) == -1)
		log_error("no channel to control", "reason=\"%s\"", log_quote(span_from(err.text)));
}

static void on_run_message(struct channel *channel, const struct message *message, int fd)
{
	struct worker *worker = channel->owner;

	switch ((enum message_kind)message->kind) {
	case MESSAGE_STOP:
		drain(worker, message->number);
		break;
	case MESSAGE_ACCESS_LOG:
		access_log_switch(&worker->log, fd);
		return;
	case MESSAGE_PEER:
		if (fd != -1)
			take_control_channel(worker, fd);
		return;
	case MESSAGE_REREAD:
	case MESSAGE_WORKER_GONE:
	case MESSAGE_READY:
	case MESSAGE_EXPEL:
	case MESSAGE_SEGMENT:
	case MESSAGE_ACK:
	case MESSAGE_KIND_COUNT:
		break;
	}
	if (fd != -1)
		close(fd);
}

static void on_run_closed(struct channel *channel)
{
	struct worker *worker = channel->owner;

	loop_stop(worker->loop); /* the parent is gone, and its listeners with it */
}

/*
 * The life of a worker
 */

static int start_channel(struct worker *worker, struct error *err)
{
	worker->run_channel.owner = worker;
	worker->run_channel.on_message = on_run_message;
	worker->run_channel.on_closed = on_run_closed;
	return channel_start(&worker->run_channel, worker->loop, worker->options->channel_fd, err);
}

static int start_listeners(struct worker *worker, struct error *err)
{
	const struct worker_options *options = worker->options;

	for (uint32_t i = 0; i < options->listener_count; i++) {
		if (listener_init(&worker->listeners[i], worker, options->listeners[i].fd,
				  options->listeners[i].kind, err) == -1)
			return -1;
		worker->listener_count++;
	}
	return 0;
}

static void init_memory(struct worker *worker)
{
	uint32_t most = worker->options->connections_max;

	slab_init(&worker->downstreams, sizeof(struct downstream), PER_BLOCK, most);
	slab_init(&worker->h2_downstreams, sizeof(struct downstream_h2), PER_BLOCK, most);
	slab_init(&worker->streams, sizeof(struct downstream_stream), PER_BLOCK, most);
	slab_init(&worker->upstreams, sizeof(struct upstream), PER_BLOCK, (size_t)most * 2);
	slab_init(&worker->passthroughs, sizeof(struct passthrough), EXCHANGES_PER_BLOCK, most);
	slab_init(&worker->h2_upstreams, sizeof(struct upstream_h2), PER_BLOCK, (size_t)most * 2);
	slab_init(&worker->upstream_streams, sizeof(struct upstream_stream), PER_BLOCK, most);
	slab_init(&worker->exchanges, sizeof(struct exchange), EXCHANGES_PER_BLOCK, most);
	iobuf_pool_init(&worker->iobufs, (size_t)most * BUFFERS_PER_CLIENT);
	pipe_pool_init(&worker->pipes, most / CLIENTS_PER_PIPE + 1);
	for (unsigned i = 0; i < DOWNSTREAM_STATE_COUNT; i++)
		list_init(&worker->clients[i]);
}

/* A worker without name resolution still serves everything but ExternalName. */
static struct resolver *start_resolver(struct worker *worker)
{
	struct error err;
	struct resolver *resolver = resolver_new(worker->loop, worker->options->resolver, &err);

	if (resolver == NULL)
		log_warn("ExternalName Services cannot be resolved", "reason=\"%s\"",
			 log_quote(span_from(err.text)));
	return resolver;
}

static void init_parts(struct worker *worker)
{
	const struct worker_options *options = worker->options;
	uint64_t seed;

	worker->timers = loop_timers(worker->loop);
	worker->area = stats_worker(&worker->stats, options->index);
	worker->counters = &worker->area->counters;
	worker->load_book = (struct load_book){.stats = &worker->stats, .area = worker->area};
	stats_begin(&worker->stats, worker->area);
	init_memory(worker);
	tables_init(&worker->tables);
	worker->tables.on_left = on_endpoint_left;
	worker->tables.owner = worker;
	conn_pool_init(&worker->pool, STATS_ENDPOINTS_MAX);
	worker->patterns = pattern_store_new();
	worker->upstream_tls = upstream_tls_store_new(&worker->tables.certificates);
	random_secret(&seed, sizeof(seed));
	balance_init(&worker->balance, &worker->stats, seed);
	names_init(&worker->names, worker->loop, start_resolver(worker), worker->counters);
	access_log_init(&worker->log, options->access_log_fd, options->access_log_format,
			&worker->counters->log_lines, &worker->counters->log_lines_dropped);
	timer_init(&worker->log_timer, on_log_timer);
	timer_init(&worker->drain_timer, on_drain_timeout);
	loop_task_init(&worker->drain_task, close_idle_clients);
	worker->control_channel.source.fd = -1;
}

/* What is still open when the loop has ended: cut, logged, closed. */
static void end_clients(struct worker *worker)
{
	/* a cut exchange leaves its connection lingering: those come last */
	static const enum downstream_state order[] = {DOWNSTREAM_OPENING, DOWNSTREAM_PASSING,
						      DOWNSTREAM_IDLE, DOWNSTREAM_BUSY,
						      DOWNSTREAM_LINGERING};

	static_assert(sizeof(order) / sizeof(order[0]) == DOWNSTREAM_STATE_COUNT, "all of them");
	struct list *link;

	worker->draining = true; /* nobody is kept any more */
	for (unsigned i = 0; i < DOWNSTREAM_STATE_COUNT; i++)
		while ((link = list_first(&worker->clients[order[i]])) != NULL)
			downstream_cut(container_of(link, struct downstream, link));
}

static void fini_parts(struct worker *worker)
{
	if (!worker->draining && worker->serving)
		for (uint32_t i = 0; i < worker->listener_count; i++)
			listener_stop(&worker->listeners[i]);
	end_clients(worker);
	conn_pool_close_all(&worker->pool);
	access_log_flush(&worker->log);
	timer_stop(worker->timers, &worker->log_timer);
	timer_stop(worker->timers, &worker->drain_timer);
	names_fini(&worker->names);
	balance_fini(&worker->balance);
	conn_pool_fini(&worker->pool);
	certificate_store_free(worker->certificates);
	upstream_tls_store_free(worker->upstream_tls);
	pattern_store_free(worker->patterns);
	tables_fini(&worker->tables);
	slab_fini(&worker->downstreams);
	slab_fini(&worker->h2_downstreams);
	slab_fini(&worker->streams);
	slab_fini(&worker->upstreams);
	slab_fini(&worker->h2_upstreams);
	slab_fini(&worker->upstream_streams);
	slab_fini(&worker->exchanges);
	slab_fini(&worker->passthroughs);
	iobuf_pool_fini(&worker->iobufs);
	pipe_pool_fini(&worker->pipes);
	if (channel_is_open(&worker->control_channel))
		channel_stop(&worker->control_channel);
	if (channel_is_open(&worker->run_channel))
		channel_stop(&worker->run_channel);
}

static int start(struct worker *worker, struct error *err)
{
	worker->loop = loop_new(err);
	if (worker->loop == NULL)
		return -1;
	if (stats_map(&worker->stats, worker->options->stats_fd, STATS_WRITE, err) == -1)
		return -1;
	init_parts(worker);
	websocket_init();
	tls_init();
	worker->certificates = certificate_store_new(worker, err);
	if (worker->certificates == NULL)
		return -1;
	if (start_channel(worker, err) == -1 || start_listeners(worker, err) == -1)
		return -1;
	return worker->options->enter_fence == NULL ? 0 : worker->options->enter_fence(err);
}

int worker_run(const struct worker_options *options)
{
	struct worker *worker = memory_new(sizeof(*worker));
	struct error err;

	worker->options = options;
	signal(SIGPIPE, SIG_IGN);
	if (start(worker, &err) == -1) {
		log_error("a worker cannot start", "worker=%u reason=\"%s\"", options->index,
			  log_quote(span_from(err.text)));
		return EXIT_FAILURE;
	}
	loop_run(worker->loop);
	fini_parts(worker);
	stats_unmap(&worker->stats);
	loop_free(worker->loop);
	free(worker);
	return EXIT_SUCCESS;
}
