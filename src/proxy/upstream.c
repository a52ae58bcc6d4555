/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstream.h"

#include <errno.h>
#include <unistd.h>

#include "base/bug.h"
#include "io/socket.h"
#include "proxy/conn_pool.h"
#include "proxy/tables.h"
#include "proxy/upstream_h2.h"
#include "proxy/worker.h"

static int open_transport(struct upstream *upstream, int fd,
			  void (*on_ready)(struct loop_source *source, uint32_t events))
{
	struct loop *loop = upstream->worker->loop;

	if (upstream->tls == NULL)
		return transport_open(&upstream->transport, loop, fd, on_ready);
	return transport_open_client_tls(&upstream->transport, loop, fd, on_ready, upstream->tls);
}

static struct upstream *upstream_new(struct worker *worker, int fd, struct tls_context *tls,
				     void (*on_ready)(struct loop_source *source, uint32_t events))
{
	struct upstream *upstream = slab_take(&worker->upstreams);

	if (upstream == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	*upstream = (struct upstream){.worker = worker, .tls = tls};
	upstream->server.connection = upstream;
	list_init(&upstream->lru);
	if (open_transport(upstream, fd, on_ready) == -1) {
		slab_give(&worker->upstreams, upstream);
		return NULL;
	}
	return upstream;
}

static struct upstream *try_open(struct worker *worker, const struct endpoint_record *endpoint,
				 struct tls_context *tls,
				 void (*on_ready)(struct loop_source *source, uint32_t events))
{
	struct ip_port at = {.ip = endpoint->ip, .port = endpoint->port};
	struct upstream *upstream;
	bool pending;
	int fd = socket_connect(&at, &pending);

	if (fd == -1)
		return NULL;
	upstream = upstream_new(worker, fd, tls, on_ready);
	if (upstream == NULL) {
		int reason = errno;

		close(fd);
		errno = reason;
		return NULL;
	}
	upstream->at = at;
	upstream->slot = endpoint->slot;
	upstream->incarnation = endpoint->incarnation;
	upstream->server.connecting = pending || tls != NULL;
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
			       struct tls_context *tls,
			       void (*on_ready)(struct loop_source *source, uint32_t events),
			       void (*on_expired)(struct timer *timer))
{
	struct upstream *upstream = try_open(worker, endpoint, tls, on_ready);
	int reason = errno;

	if (upstream == NULL && socket_is_exhausted(reason) && worker_make_room(worker)) {
		upstream = try_open(worker, endpoint, tls, on_ready);
		reason = errno;
	}
	if (upstream == NULL)
		errno = reason;
	else
		timer_init(&upstream->server.timer, on_expired);
	return upstream;
}

void upstream_close(struct upstream *upstream)
{
	struct worker *worker = upstream->worker;

	BUG_ON(upstream->h2 != NULL);
	conn_pool_remove(&worker->pool, upstream);
	if (upstream->idle)
		worker->counters->upstream_idle_now--;
	else
		worker->counters->upstream_active_now--;
	timer_stop(worker->timers, &upstream->server.timer);
	transport_close(&upstream->transport, worker->loop);
	iobuf_give(&worker->iobufs, upstream->in);
	slab_give(&worker->upstreams, upstream);
}

void upstream_give_up(struct upstream *upstream)
{
	if (upstream->h2 != NULL)
		upstream_h2_end(upstream);
	else
		upstream_close(upstream);
}

void upstream_leave(struct upstream *upstream)
{
	if (upstream->idle)
		upstream_give_up(upstream);
	else
		BUG_ON(upstream->h2 == NULL); /* HTTP/1.1 is in the pool only while it idles */
}

enum fault upstream_errno_fault(int reason)
{
	/* which of the reasons say that the machine is at its end, and not the endpoint */
	if (socket_is_exhausted(reason))
		return FAULT_OUT_OF_DESCRIPTORS;
	switch (reason) {
	case ECONNREFUSED:
		return FAULT_CONNECT_REFUSED;
	case ETIMEDOUT:
		return FAULT_CONNECT_TIMEOUT;
	case EADDRNOTAVAIL:
	case EAGAIN:
		return FAULT_OUT_OF_DESCRIPTORS;
	default:
		return FAULT_CONNECT_FAILED;
	}
}

enum fault upstream_connect_fault(const struct upstream *upstream)
{
	const struct transport *transport = &upstream->transport;
	int reason;

	if (!transport->can_read)
		return FAULT_NONE;
	reason = socket_connect_result(transport->source.fd);
	if (reason != 0)
		return upstream_errno_fault(reason);
	if (transport_is_distrusted(transport))
		return FAULT_UPSTREAM_UNVERIFIED;
	return transport_failure(transport) != NULL ? FAULT_UPSTREAM_HANDSHAKE : FAULT_NONE;
}

static bool is_young(const struct upstream *upstream)
{
	const struct worker *worker = upstream->worker;
	const struct table_settings *settings = shards_settings(&worker->tables.routes);
	uint64_t age_ms = (loop_now_ns(worker->loop) - upstream->opened_ns) / 1000000;

	return !worker->draining && settings->upstream_keepalive_connections > 0 &&
	       upstream->requests < settings->upstream_keepalive_requests &&
	       age_ms < settings->upstream_keepalive_time_ms;
}

/* The endpoint may have left while the connection was busy. */
static bool is_in_table(const struct upstream *upstream)
{
	return upstream->slot == TABLE_NONE ||
	       tables_have(&upstream->worker->tables, upstream->slot, upstream->incarnation);
}

bool upstream_may_serve_on(const struct upstream *upstream)
{
	return is_young(upstream) && is_in_table(upstream);
}

void upstream_rest(struct upstream *upstream)
{
	struct worker *worker = upstream->worker;
	const struct table_settings *settings = shards_settings(&worker->tables.routes);

	upstream->idle = true;
	worker->counters->upstream_active_now--;
	worker->counters->upstream_idle_now++;
	conn_pool_rest(&worker->pool, upstream);
	while (worker->pool.count > settings->upstream_keepalive_connections)
		conn_pool_give_up(&worker->pool);
}

void upstream_wake(struct upstream *upstream)
{
	struct worker *worker = upstream->worker;

	upstream->idle = false;
	upstream->reused = true;
	worker->counters->upstream_idle_now--;
	worker->counters->upstream_active_now++;
	conn_pool_wake(&worker->pool, upstream);
}
