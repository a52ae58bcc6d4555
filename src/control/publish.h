/* SPDX-License-Identifier: Apache-2.0 */
/* Shards on their way to the workers, and what came back.
 *
 * A bundle of shards is offered; those that say something new are sealed in a memfd and sent to every worker; the
 * workers say which generation they obey. A worker that (re)starts gets all that is present at once. The order
 * across tables: endpoints before the routes that name them; sent together they take effect together. A worker
 * that has not answered one bundle gets no other of that kind, and then all that is newer in one: however slow
 * it is and however many changes there are, one of each kind is on its way.
 *
 * What workers say is hostile (security spec, 2.3): every field is checked. A worker that lies, that says more than
 * PUBLISH_MESSAGES_MAX things in a second, or that does not listen loses its channel and is to be ended.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/span.h"
#include "control/propagation.h"
#include "io/loop.h"
#include "table/shards.h"

enum { PUBLISH_MESSAGES_MAX = 1000 };

/* A worker that ends leaves its channel a little earlier than run can tell us. */
enum { PUBLISH_SILENT_MAX_MS = 2000 };

/* A worker that takes longer to say what became of a table hangs: what only old tables name could never go. */
enum { PUBLISH_DEAF_MAX_MS = 60 * 1000 };

struct publisher;

/* What its owner is told; each may be NULL. */
struct publisher_events {
	void *owner;

	/* A shard of routes is about to be sent. Borrowed for the call. */
	void (*on_routes)(void *owner, const struct routes *routes);

	/* Every worker obeys routes of that generation or a later one. At the end of a turn. */
	void (*on_obeyed)(void *owner, uint64_t routes_generation);

	/* The worker with that pid lies, or has left its channel and goes on: it should be ended. reason: a literal. */
	void (*on_expel)(void *owner, uint32_t worker, pid_t pid, const char *reason);
};

/* workers: how many there are to be. */
struct publisher *publisher_new(struct loop *loop, uint32_t workers,
				const struct publisher_events *events);
void publisher_free(struct publisher *publisher);

/* A new channel to a worker (MESSAGE_PEER); takes fd. A worker number that does not exist is a bug of run:
 * the descriptor is closed and nothing happens. */
void publisher_set_peer(struct publisher *publisher, uint32_t worker, int fd, pid_t pid);

/* That worker ended; deaths: how often it did so far. */
void publisher_drop_peer(struct publisher *publisher, uint32_t worker, uint64_t deaths);

enum publish_result {
	PUBLISH_NEW,   /* what is new of it is present now; publisher_send sends it */
	PUBLISH_EQUAL, /* the present shards say the same, but for generation, time and checksum */
	PUBLISH_REFUSED, /* it does not verify, or there is no memory for it: the present table stays */
};

/* bundle: shards of the present set, or all of another, borrowed; of one generation, which is newer, unless it comes
 * from the state directory. seen_ns: monotonic, when the source saw the change; 0: not to be measured. */
enum publish_result publisher_offer(struct publisher *publisher, enum table_kind kind,
				    struct span bundle, uint64_t seen_ns);

/* Sends what was offered and not sent yet, endpoints first. */
void publisher_send(struct publisher *publisher);

/* Generation of the present table; 0: there is none. */
uint64_t publisher_generation(const struct publisher *publisher, enum table_kind kind);

/* The present table; NULL: there is none. Its shards until the next offer. */
const struct shards *publisher_table(const struct publisher *publisher, enum table_kind kind);

/* All of it as one bundle in sealed memory, borrowed until the next offer; -1: there is none, or no memory. */
int publisher_bundle_fd(struct publisher *publisher, enum table_kind kind);

/* What is known of a worker. */
struct peer_state {
	pid_t pid; /* 0: not known */
	bool connected;
	uint64_t in_effect[TABLE_KIND_COUNT]; /* generation; 0: none */
	uint64_t refused[TABLE_KIND_COUNT];   /* the last one that it refused; 0: none */
	/* Monotonic, when the bundle was sent that it has not answered yet; 0: it has answered all. */
	uint64_t asked_ns[TABLE_KIND_COUNT];
	uint64_t deaths;
};

uint32_t publisher_worker_count(const struct publisher *publisher);
const struct peer_state *publisher_worker(const struct publisher *publisher, uint32_t worker);

const struct propagation *publisher_propagation(const struct publisher *publisher,
						enum table_kind kind);
uint64_t publisher_refused_count(const struct publisher *publisher, enum table_kind kind);
uint64_t publisher_published_count(const struct publisher *publisher, enum table_kind kind);
