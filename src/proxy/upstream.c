/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstream.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/bug.h"
#include "io/socket.h"
#include "proxy/attempt.h"
#include "proxy/conn_pool.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct upstream *upstream = container_of(source, struct upstream, transport.source);

	transport_note(&upstream->transport, events);
	if (upstream->exchange != NULL)
		attempt_on_upstream(upstream->exchange);
	else if ((events & ~(uint32_t)EPOLLOUT) != 0 && transport_has_news(&upstream->transport))
		upstream_close(upstream);
}

static void on_expired(struct timer *timer)
{
	struct upstream *upstream = container_of(timer, struct upstream, timer);

	if (upstream->exchange != NULL)
		attempt_on_timeout(upstream->exchange);
	else
		upstream_close(upstream);
}

static int open_transport(struct upstream *upstream, int fd)
{
	struct loop *loop = upstream->worker->loop;

	if (upstream->tls == NULL)
		return transport_open(&upstream->transport, loop, fd, on_ready);
	return transport_open_client_tls(&upstream->transport, loop, fd, on_ready, upstream->tls);
}

static struct upstream *upstream_new(struct worker *worker, int fd, struct tls_context *tls)
{
	struct upstream *upstream = slab_take(&worker->upstreams);

	if (upstream == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	*upstream = (struct upstream){.worker = worker, .tls = tls};
	list_init(&upstream->lru);
	timer_init(&upstream->timer, on_expired);
	if (open_transport(upstream, fd) == -1) {
		slab_give(&worker->upstreams, upstream);
		return NULL;
	}
	return upstream;
}

static struct upstream *try_open(struct worker *worker, const struct endpoint_record *endpoint,
				 struct tls_context *tls, struct exchange *exchange)
{
	struct ip_port at = {.ip = endpoint->ip, .port = endpoint->port};
	struct upstream *upstream;
	bool pending;
	int fd = socket_connect(&at, &pending);

	if (fd == -1)
		return NULL;
	upstream = upstream_new(worker, fd, tls);
	if (upstream == NULL) {
		int reason = errno;

		close(fd);
		errno = reason;
		return NULL;
	}
	upstream->exchange = exchange;
	upstream->at = at;
	upstream->slot = endpoint->slot;
	upstream->incarnation = endpoint->incarnation;
	upstream->connecting = pending || tls != NULL;
	if (tls == NULL)
		upstream->transport.can_write = !pending;
	else
		transport_resume(&upstream->transport, &at);
	upstream->opened_ns = loop_now_ns(worker->loop);
	worker->counters->upstream_connects++;
	worker->counters->upstream_active_now++;
	return upstream;
}

struct upstream *upstream_open(struct worker *worker, const struct endpoint_record *endpoint,
			       struct tls_context *tls, struct exchange *exchange)
{
	struct upstream *upstream = try_open(worker, endpoint, tls, exchange);
	int reason = errno;

	if (upstream != NULL)
		return upstream;
	if (socket_is_exhausted(reason) && worker_make_room(worker))
		return try_open(worker, endpoint, tls, exchange);
	errno = reason;
	return NULL;
}

void upstream_close(struct upstream *upstream)
{
	struct worker *worker = upstream->worker;

	if (upstream->exchange == NULL) {
		conn_pool_remove(&worker->pool, upstream);
		worker->counters->upstream_idle_now--;
	} else {
		worker->counters->upstream_active_now--;
	}
	timer_stop(worker->timers, &upstream->timer);
	transport_close(&upstream->transport, worker->loop);
	iobuf_give(&worker->iobufs, upstream->in);
	slab_give(&worker->upstreams, upstream);
}

static bool may_be_kept(const struct upstream *upstream, const struct table_settings *settings)
{
	struct worker *worker = upstream->worker;
	uint64_t age_ms = (loop_now_ns(worker->loop) - upstream->opened_ns) / 1000000;

	return !worker->draining && settings->upstream_keepalive_connections > 0 &&
	       upstream->requests < settings->upstream_keepalive_requests &&
	       age_ms < settings->upstream_keepalive_time_ms;
}

/* The endpoint may have left while the connection was busy. */
static bool is_in_table(const struct upstream *upstream, const struct tables *tables)
{
	return upstream->slot == TABLE_NONE ||
	       tables_have(tables, upstream->slot, upstream->incarnation);
}

void upstream_release(struct upstream *upstream, bool reusable)
{
	struct worker *worker = upstream->worker;
	const struct table_settings *settings = shards_settings(&worker->tables.routes);

	BUG_ON(upstream->exchange == NULL);
	if (!reusable || !may_be_kept(upstream, settings) ||
	    !is_in_table(upstream, &worker->tables)) {
		upstream_close(upstream);
		return;
	}
	iobuf_give(&worker->iobufs, upstream->in);
	upstream->in = NULL;
	upstream->exchange = NULL;
	worker->counters->upstream_active_now--;
	worker->counters->upstream_idle_now++;
	conn_pool_put(&worker->pool, upstream);
	timer_start(worker->timers, &upstream->timer, settings->upstream_keepalive_timeout_ms);
	while (worker->pool.count > settings->upstream_keepalive_connections)
		upstream_close(container_of(list_first(&worker->pool.lru), struct upstream, lru));
}
