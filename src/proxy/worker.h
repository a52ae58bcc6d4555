/* SPDX-License-Identifier: Apache-2.0 */
/* A proxy worker: one single-threaded process that carries requests. It holds its sockets, a read-only
 * table and its rows of the live figures; no file, no credentials, no way to start a program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slab.h"
#include "io/iobuf.h"
#include "io/loop.h"
#include "io/pipe_pool.h"
#include "ipc/channel.h"
#include "observe/access_log.h"
#include "proxy/balance/balance.h"
#include "proxy/certificate.h"
#include "proxy/conn_pool.h"
#include "proxy/downstream.h"
#include "proxy/listener.h"
#include "proxy/names.h"
#include "proxy/tables.h"
#include "stats/stats.h"

enum { WORKER_LISTENERS_MAX = 32 };

struct worker_listener {
	int fd;
	enum listener_kind kind;
};

/* What run passes; all descriptors are inherited and belong to the worker. */
struct worker_options {
	uint32_t index;
	int channel_fd;    /* to run */
	int stats_fd;      /* live figures */
	int access_log_fd; /* -1: none */
	enum access_log_format access_log_format;
	uint32_t connections_max; /* client connections at one time */
	uint32_t listener_count;
	struct worker_listener listeners[WORKER_LISTENERS_MAX];
	const char *resolver; /* DNS server, "address[:port]"; NULL: as resolv.conf says */
	/* Gives up every right that is not needed any more, once all is set up; 0, or -1 and the worker
	 * does not start. NULL: nothing is given up (tests). */
	int (*enter_fence)(struct error *err);
};

/* Serves until told to stop over the channel; returns the exit status. Segments come from control, whose
 * channel run sends (MESSAGE_PEER). Without a table the listeners wait in their queues. */
int worker_run(const struct worker_options *options);

enum { WORKER_SCRATCH_SIZE = 320 * 1024 };

/* What a head may have at most, whatever the ConfigMap says: scratch and arenas are larger. */
enum { WORKER_HEAD_MAX = 256 * 1024 };

/* For the head of a request before a table says another time. */
enum { WORKER_HEAD_TIMEOUT_MS = 60 * 1000 };

/* What a connection of HTTP/2 writes at a time. */
enum { WORKER_FRAMES_SIZE = 64 * 1024 };

/* A client that takes nothing of Ingot's own answer for this long is cut off. */
enum { WORKER_STALL_TIMEOUT_MS = 60 * 1000 };

/* Everything that a worker has; one a process. Files of proxy/ read it; what is written by whom stands with
 * the fields. */
struct worker {
	struct loop *loop;
	struct timers *timers; /* the loop's */
	const struct worker_options *options;
	struct channel run_channel;
	struct channel control_channel;
	struct stats_map stats;
	struct worker_area *area;         /* this worker's figures */
	struct worker_counters *counters; /* in area */
	struct tables tables;
	struct certificate_store *certificates;
	struct upstream_tls_store *upstream_tls;
	struct pattern_store *patterns;
	uint64_t prepared[TABLE_KIND_COUNT]; /* generation that waits for more; 0: nothing does */
	struct slab downstreams;
	struct slab h2_downstreams; /* what those that speak HTTP/2 have besides */
	struct slab streams;        /* of HTTP/2, from clients */
	struct slab upstreams;
	struct slab exchanges;
	struct iobuf_pool iobufs;
	struct pipe_pool pipes;
	struct conn_pool pool;
	struct balance balance;
	struct names names;
	struct access_log log;
	struct timer log_timer;
	struct timer drain_timer;
	struct loop_task drain_task;
	uint32_t drain_turns; /* since the listeners were drained */
	struct list clients
		[DOWNSTREAM_STATE_COUNT]; /* struct downstream by state; written by downstream.c */
	uint32_t client_count;
	uint32_t listener_count;
	struct listener listeners[WORKER_LISTENERS_MAX];
	uint64_t date_second; /* for which date_text was made */
	char date_text[32];
	uint8_t date_length;
	bool serving;                      /* listeners are in the loop */
	bool draining;                     /* MESSAGE_STOP came: no keep-alive any more */
	char scratch[WORKER_SCRATCH_SIZE]; /* heads being written; valid for one event */
	char frames[WORKER_FRAMES_SIZE];   /* of HTTP/2, about to be written; likewise */
};

/* Into the access log, which is written soon. */
void worker_log(struct worker *worker, const struct access_record *record);

/* Descriptors or memory for connections are used up: one connection that nobody uses at present is closed, that to
 * an endpoint which has idled longest, else that of the client which has. False: there is none. */
bool worker_make_room(struct worker *worker);

/* Those in effect; NULL before there is a table. */
static inline const struct table_settings *worker_settings(const struct worker *worker)
{
	const struct shards *routes = &worker->tables.routes;

	return routes->count == 0 ? NULL : shards_settings(routes);
}

/* The Date field's value, made once a second. */
struct span worker_date(struct worker *worker);

/* A client connection has gone: the last one ends a worker that drains. */
void worker_on_client_gone(struct worker *worker);
