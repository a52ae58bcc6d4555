/* SPDX-License-Identifier: Apache-2.0 */
#include "table/routes.h"

#include "table/hash.h"
#include "table/shards.h"

/* host NULL: none. */
struct found_host {
	struct shard *shard;
	const struct host_record *host;
};

/* The host with exactly that stored name. A free bucket ends the search: verify saw one. */
static struct found_host find_name(const struct shards *shards, struct span name)
{
	uint64_t hash = table_hash(name, shards->host_seed);
	struct shard *shard = shards->at[table_hash_shard(hash, shards->count)];
	const struct routes *routes = &shard->routes;
	uint32_t at = table_hash_high(hash) & routes->bucket_mask;

	while (routes->buckets[at].host != TABLE_NONE) {
		const struct host_bucket *bucket = &routes->buckets[at];

		if (bucket->name_hash == table_hash_low(hash)) {
			const struct host_record *host = &routes->hosts[bucket->host];

			if (span_equals(routes_text(routes, host->name), name))
				return (struct found_host){shard, host};
		}
		at = (at + 1) & routes->bucket_mask;
	}
	return (struct found_host){shard, NULL};
}

/* What a wildcard may stand for: letters, digits, '_' and '-' (compat spec, 4.2). Hosts are lower case. */
static bool is_label(const char *label, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = label[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return len > 0;
}

static bool stands_for(const struct host_record *host, bool is_first)
{
	return host != NULL && (host->wildcard == HOST_MANY_LABELS ||
				(host->wildcard == HOST_ONE_LABEL && is_first));
}

/* The wildcard that a name falls under. Labels are cut off from the left: the first suffix that is found is the
 * longest. */
static struct found_host find_wildcard(const struct shards *shards, struct span name)
{
	struct span suffix = name;
	size_t label;

	while ((label = span_find(suffix, '.')) != SIZE_MAX && is_label(suffix.ptr, label)) {
		bool is_first = suffix.ptr == name.ptr;
		struct found_host match;

		suffix = span_skip(suffix, label);
		match = find_name(shards, suffix);
		if (stands_for(match.host, is_first))
			return match;
		if (shards->many_labels == 0)
			break;
		suffix = span_skip(suffix, 1);
	}
	return (struct found_host){NULL, NULL};
}

static struct found_host other_host(const struct shards *shards)
{
	struct shard *shard = shards->at[0];

	return (struct found_host){shard, &shard->routes.hosts[shard->routes.other_host]};
}

static struct found_host find_host(const struct shards *shards, struct span name)
{
	struct found_host match = find_name(shards, name);

	if (match.host != NULL && match.host->wildcard == HOST_EXACT)
		return match;
	match = find_wildcard(shards, name);
	return match.host != NULL ? match : other_host(shards);
}

/* The child with that label, or NULL: children are sorted by (hash, label). */
static const struct path_node *find_child(const struct routes *routes, const struct path_node *node,
					  struct span label)
{
	const struct path_node *children;
	uint32_t low = 0;
	uint32_t high = node->child_count;
	uint32_t hash;

	if (high == 0)
		return NULL;
	children = &routes->nodes[node->first_child];
	hash = table_hash_low(table_hash(label, 0));
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct path_node *child = &children[middle];
		int order = hash < child->label_hash ? -1 : hash > child->label_hash;

		if (order == 0) {
			struct span other = routes_text(routes, child->label);

			if (span_equals(label, other))
				return child;
			order = span_compare(label, other);
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Cuts the first element off a path that begins with '/'; the rest begins with '/' again, or is empty. */
static struct span cut_label(struct span *path)
{
	struct span label = span_skip(*path, 1);
	size_t len = span_find(label, '/');

	if (len == SIZE_MAX)
		len = label.len;
	*path = span_skip(label, len);
	return span_take(label, len);
}

static struct route_match match_of(const struct routes *routes, uint32_t route)
{
	return (struct route_match){.route = route == TABLE_NONE ? NULL : &routes->routes[route]};
}

/* The first that there is; TABLE_NONE is behind every index. */
static uint32_t first_of(uint32_t a, uint32_t b)
{
	return a != TABLE_NONE ? a : b;
}

/* The path is P, that of the node. best: the longest Prefix above it. */
static struct route_match match_end(const struct routes *routes, const struct path_node *node,
				    uint32_t best)
{
	uint32_t own = first_of(node->routes[NODE_EXACT], node->routes[NODE_PREFIX]);

	if (own == TABLE_NONE && node->routes[NODE_PREFIX_SLASH] != TABLE_NONE)
		return (struct route_match){
			.route = &routes->routes[node->routes[NODE_PREFIX_SLASH]],
			.add_slash = true,
		};
	return match_of(routes, first_of(own, best));
}

/* The longest Prefix for what lies under P/. */
static uint32_t best_under(const struct path_node *node, uint32_t best)
{
	return first_of(node->routes[NODE_PREFIX_SLASH], first_of(node->routes[NODE_PREFIX], best));
}

static struct route_match find_path(const struct routes *routes, const struct path_node *root,
				    struct span path)
{
	const struct path_node *node = root;
	uint32_t best = root->routes[NODE_PREFIX];

	if (path.len <= 1)
		return match_of(routes, first_of(root->routes[NODE_EXACT], best));
	while (path.len > 1) {
		node = find_child(routes, node, cut_label(&path));
		if (node == NULL)
			return match_of(routes, best);
		if (path.len == 0)
			return match_end(routes, node, best);
		best = best_under(node, best);
	}
	/* the path is P/: at equal length Exact goes first */
	return match_of(routes, first_of(node->routes[NODE_EXACT_SLASH], best));
}

struct route_match routes_find(const struct shards *routes, struct span host, struct span path)
{
	struct found_host found = find_host(routes, host);
	const struct routes *in = &found.shard->routes;
	struct route_match match = find_path(in, &in->nodes[found.host->root], path);

	match.shard = found.shard;
	return match;
}

struct route_match routes_find_beside(struct shard *shard, const struct route *route,
				      struct span path)
{
	const struct routes *routes = &shard->routes;
	const struct host_record *host = &routes->hosts[route->host];
	struct route_match match = find_path(routes, &routes->nodes[host->root], path);

	match.shard = shard;
	return match;
}

const struct route *routes_root(const struct routes *routes, const struct host_record *host)
{
	const struct path_node *root = &routes->nodes[host->root];
	const struct route *every = match_of(routes, root->routes[NODE_PREFIX]).route;

	if (every != NULL && !every->implicit)
		return every;
	return match_of(routes, root->routes[NODE_EXACT]).route;
}

struct route_match routes_find_passthrough(const struct shards *shards, struct span name)
{
	struct found_host found = find_host(shards, name);
	const struct routes *in = &found.shard->routes;

	return (struct route_match){
		.shard = found.shard,
		.route = found.host->passthrough ? routes_root(in, found.host) : NULL,
	};
}

struct host_match routes_find_host(const struct shards *routes, struct span name)
{
	struct found_host found = find_host(routes, name);
	const struct routes *in = &found.shard->routes;

	return (struct host_match){
		.shard = found.shard,
		.tls = found.host->tls == TABLE_NONE ? NULL : &in->tls[found.host->tls],
		.is_known = found.host->name.len > 0,
	};
}
