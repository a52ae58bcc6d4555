/* SPDX-License-Identifier: Apache-2.0 */
/* The table of one kind in effect: its shards, how they change, and the look-ups in them.
 *
 * Shards come in bundles (format.h). A bundle of the set in effect replaces those of its shards that it holds; one of
 * another set is complete and replaces everything. A bundle is prepared first (verified, with nothing changed
 * yet) and then committed, by the swap of pointers: between two events a reader sees all of it or nothing.
 *
 * Used by workers for what they obey, by control for what it published, by commands for what they read. A
 * reader that needs a shard for longer than its turn pins it: replaced, it stays until it is unpinned.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "table/certificates.h"
#include "table/endpoints.h"
#include "table/routes.h"

/* Where the bytes of shards lie; goes with the last of them. */
struct shard_memory {
	struct span bytes;
	void (*give_back)(struct span bytes); /* NULL: they are another's */
	uint32_t shards;                      /* that lie in it and are there */
};

struct shard {
	union {                                    /* by kind */
		const struct table_header *header; /* that of each */
		struct routes routes;
		struct endpoints endpoints;
		struct certificates certificates;
	};
	/* private to shards.c */
	struct shard_memory *memory;
	uint32_t pins;
	bool in_effect;
	struct list link; /* among the replaced ones that are pinned */
};

struct shards {
	enum table_kind kind;
	uint32_t count; /* 0: nothing is in effect yet */
	uint32_t bits;  /* log2 of count */
	uint64_t set;
	uint64_t generation;  /* the newest of the shards' */
	uint32_t host_seed;   /* routes: that of every shard */
	uint32_t many_labels; /* routes: how many shards have such hosts */
	uint32_t passthrough; /* likewise */
	struct shard **at;
	size_t bytes; /* of the shards in effect */
	size_t held; /* bytes of the memory that shards lie in: one that is there keeps all of its bundle's */
	uint32_t mapped; /* shards that are there, replaced ones that are pinned included */
	struct list replaced;
};

void shards_init(struct shards *shards, enum table_kind kind);

/* Nothing may be used of them afterwards, pinned or not. */
void shards_fini(struct shards *shards);

/* What a bundle would change. */
struct shards_change {
	uint64_t set;
	uint64_t generation;
	uint32_t shard_count;
	uint32_t count;       /* of fresh */
	struct shard **fresh; /* in ascending order; NULL: nothing is prepared */
};

/* Verifies a bundle and whether it fits what is in effect. bytes: aligned as a segment must be, kept until the last of
 * its shards goes, then given back; at once where this fails. 0, or -1 with the reason. A generation that is not
 * newer is taken too: control may have started anew. */
int shards_prepare(const struct shards *shards, struct span bytes,
		   void (*give_back)(struct span bytes), struct shards_change *change,
		   struct error *err);

/* Makes it so; *change is empty afterwards. */
void shards_commit(struct shards *shards, struct shards_change *change);

/* Forgets it. Harmless for one that is empty. */
void shards_drop(struct shards_change *change);

/* Both at once, for those who have nothing to do in between. */
int shards_apply(struct shards *shards, struct span bytes, void (*give_back)(struct span bytes),
		 struct error *err);

/* When the shard was built that is the newest by the clock. */
uint64_t shards_built_wall_ns(const struct shards *shards);

/* Of all that is in effect: one number for equal contents in equal shards. */
uint64_t shards_checksum(const struct shards *shards);

/* Appends what is in effect as one bundle. */
void shards_write(const struct shards *shards, struct buf *out);

/* Cuts the next segment off what is left of a bundle. False: it is empty, or what follows is no segment. */
bool bundle_cut(struct span *rest, struct span *segment);

static inline void shard_pin(struct shard *shard)
{
	shard->pins++;
}

void shard_unpin(struct shards *shards, struct shard *shard);

/* Those of every shard. routes: something is in effect. */
static inline const struct table_settings *shards_settings(const struct shards *routes)
{
	return routes->at[0]->routes.settings;
}

struct route_match {
	struct shard *shard;       /* that answers for the host; never NULL */
	const struct route *route; /* NULL: none, answer 404 */
	bool add_slash; /* 301 to the path with '/' behind it, where route is (compat spec, 4.4) */
};

/* The route for a request. host: lower case, no port, no trailing dot, may be empty; path: normalized,
 * begins with '/' (both: http/uri.c). Both are borrowed for the call; something is in effect.
 * Host: exact, then wildcard, then the empty one; paths of that host only. Path: longest match, Exact
 * before Prefix at equal length (Kubernetes Ingress v1; compat spec, 4.4).
 * Cost: one hash of the host, one more where only a wildcard matches, one of each element of the path as
 * far as the host has any; whatever the size of the table. */
struct route_match routes_find(const struct shards *routes, struct span host, struct span path);

/* The route for another path of the host that route belongs to. */
struct route_match routes_find_beside(struct shard *shard, const struct route *route,
				      struct span path);

struct upstream_match {
	const struct upstream_record *upstream; /* NULL: that id is free or is another one by now */
	const struct endpoints *endpoints;      /* its shard */
};

/* Nothing is found where nothing is in effect. */
static inline struct upstream_match endpoints_find(const struct shards *endpoints,
						   uint32_t upstream, uint32_t incarnation)
{
	const struct endpoints *shard;
	uint32_t index;

	if (endpoints->count == 0)
		return (struct upstream_match){0};
	shard = &endpoints->at[upstream & (endpoints->count - 1)]->endpoints;
	index = upstream >> endpoints->bits;
	if (index >= shard->upstream_count || incarnation == 0 ||
	    shard->upstreams[index].incarnation != incarnation)
		return (struct upstream_match){0};
	return (struct upstream_match){&shard->upstreams[index], shard};
}

/* The route by which connections that name a host in TLS (as routes_find takes it) are passed on as they are; NULL:
 * they are ended here. Something is in effect. */
struct route_match routes_find_passthrough(const struct shards *shards, struct span name);

/* What a host says about TLS. */
struct host_match {
	struct shard *shard;        /* of the host; never NULL */
	const struct host_tls *tls; /* NULL: nothing of its own */
	bool is_known; /* a host of that name, or a wildcard that it falls under, is there */
};

/* The host for a server name, as routes_find takes it. Something is in effect. */
struct host_match routes_find_host(const struct shards *routes, struct span name);

struct certificate_match {
	const struct certificate_record *record; /* NULL: there is none with that id */
	const struct certificates *certificates; /* its shard */
};

/* Nothing is found where nothing is in effect. */
struct certificate_match certificates_find(const struct shards *certificates,
					   struct certificate_id id);

/* Whether a certificate is in effect still as it was with that digest. None always is. */
bool certificates_hold(const struct shards *certificates, struct certificate_id id,
		       const uint8_t digest[static 32]);
