/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that look-ups in a `routes` segment rely on, checked once. */
#include "table/routes.h"

#include "base/bug.h"
#include "table/hash.h"
#include "table/layout.h"
#include "table/verify.h"

static uint32_t count_of(const struct routes *routes, enum routes_section section)
{
	return routes->header->sections[section].count;
}

static void set_sections(struct routes *routes, const struct table_header *header)
{
	*routes = (struct routes){
		.header = header,
		.settings = table_section(header, ROUTES_SETTINGS),
		.networks = table_section(header, ROUTES_NETWORKS),
		.buckets = table_section(header, ROUTES_HOST_BUCKETS),
		.hosts = table_section(header, ROUTES_HOSTS),
		.nodes = table_section(header, ROUTES_NODES),
		.routes = table_section(header, ROUTES_ROUTES),
		.policies = table_section(header, ROUTES_POLICIES),
		.objects = table_section(header, ROUTES_OBJECTS),
		.tls = table_section(header, ROUTES_TLS),
	};
	routes->network_count = count_of(routes, ROUTES_NETWORKS);
	routes->bucket_mask = count_of(routes, ROUTES_HOST_BUCKETS) - 1;
	routes->host_count = count_of(routes, ROUTES_HOSTS);
	routes->node_count = count_of(routes, ROUTES_NODES);
	routes->route_count = count_of(routes, ROUTES_ROUTES);
	routes->policy_count = count_of(routes, ROUTES_POLICIES);
	routes->object_count = count_of(routes, ROUTES_OBJECTS);
	routes->tls_count = count_of(routes, ROUTES_TLS);
	routes->other_host = TABLE_NONE;
}

static bool are_switches(const struct table_settings *settings)
{
	const uint8_t *first = &settings->underscores_in_headers;
	const uint8_t *last = &settings->use_http2;

	for (const uint8_t *at = first; at <= last; at++)
		if (*at > 1)
			return false;
	return true;
}

static int verify_settings(const struct routes *routes, struct error *err)
{
	const struct table_settings *settings = routes->settings;

	if (count_of(routes, ROUTES_SETTINGS) != 1)
		return error_set(err, "%u settings, expected one",
				 count_of(routes, ROUTES_SETTINGS));
	if (settings->header_line_bytes == 0 ||
	    settings->header_line_bytes > settings->header_total_bytes ||
	    settings->header_total_bytes > TABLE_HEAD_BYTES_MAX)
		return error_set(err, "limits of heads, %u and %u bytes, are out of range",
				 settings->header_line_bytes, settings->header_total_bytes);
	if (!are_switches(settings))
		return error_set(err, "a switch of the settings is neither 0 nor 1");
	if (settings->tls_versions == 0 || settings->tls_versions >= BIT(HOST_TLS_VERSION_COUNT) ||
	    settings->redirect_status < 300 || settings->redirect_status > 308 ||
	    settings->http2_streams == 0 || settings->proxy_header_timeout_ms == 0 ||
	    settings->stream_idle_timeout_ms == 0)
		return error_set(err, "a value of the settings is out of range");
	if (settings->tls_record_bytes != 0 &&
	    (settings->tls_record_bytes < TABLE_RECORD_BYTES_MIN ||
	     settings->tls_record_bytes > TABLE_RECORD_BYTES_MAX))
		return error_set(err, "records of %u bytes are out of range",
				 settings->tls_record_bytes);
	return 0;
}

/* Who asks clients says of whom, and who does not says nothing. */
static bool is_client_policy(const struct host_tls *tls)
{
	bool asks = tls->verify != HOST_TLS_VERIFY_OFF;

	return tls->verify < HOST_TLS_VERIFY_COUNT && tls->pass_certificate <= 1 &&
	       tls->refuses <= 1 && certificate_id_is_none(tls->authorities) != asks &&
	       certificate_id_is_none(tls->client_policy) != asks &&
	       (tls->verify_depth != 0) == asks && tls->verify_depth <= TABLE_VERIFY_DEPTH_MAX;
}

/* A policy of ciphers is named where there is one. */
static bool is_cipher_policy(const struct host_tls *tls)
{
	bool has_own = tls->ciphers.len > 0 || tls->client_prefers != 0;

	return tls->client_prefers <= 1 && certificate_id_is_none(tls->cipher_policy) != has_own &&
	       tls->ciphers.len <= TABLE_WORDS_BYTES_MAX;
}

static int verify_tls(const struct routes *routes, struct error *err)
{
	for (uint32_t i = 0; i < routes->tls_count; i++) {
		const struct host_tls *tls = &routes->tls[i];

		if (!verify_is_zero(tls->reserved, sizeof(tls->reserved)))
			return error_set(err, "reserved bytes of tls[%u] are not zero", i);
		if (!is_client_policy(tls))
			return error_set(err, "tls[%u] asks clients for what makes no sense", i);
		if (!is_cipher_policy(tls))
			return error_set(err, "tls[%u] has ciphers without a policy", i);
	}
	return 0;
}

/* Bits behind the prefix are zero. */
static bool is_network(const struct ip_network *network)
{
	if (network->prefix_bits > 128)
		return false;
	for (unsigned bit = network->prefix_bits; bit < 128; bit++)
		if (network->ip.bytes[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

static int verify_networks(const struct routes *routes, struct error *err)
{
	for (uint32_t i = 0; i < routes->network_count; i++)
		if (!is_network(&routes->networks[i]))
			return error_set(err, "networks[%u] is no network", i);
	return 0;
}

static int verify_policies(const struct routes *routes, struct error *err)
{
	for (uint32_t i = 0; i < routes->policy_count; i++) {
		const struct route_policy *policy = &routes->policies[i];

		if (policy->next_upstream >= BIT(NEXT_UPSTREAM_COUNT))
			return error_set(err, "policies[%u] has unknown conditions", i);
		if (policy->response_head_bytes == 0 ||
		    policy->response_head_bytes > TABLE_HEAD_BYTES_MAX)
			return error_set(err, "policies[%u] allows heads of %u bytes", i,
					 policy->response_head_bytes);
		if (!verify_is_zero(policy->reserved, sizeof(policy->reserved)))
			return error_set(err, "reserved bytes of policies[%u] are not zero", i);
	}
	return 0;
}

/* Its form only: whether the table of hosts finds it is for verify_buckets. */
static bool is_host(const struct routes *routes, const struct host_record *host)
{
	struct span name = routes_text(routes, host->name);
	bool is_suffix = name.len > 0 && name.ptr[0] == '.';

	if (host->wildcard >= HOST_WILDCARD_COUNT || name.len > TABLE_HOST_BYTES_MAX ||
	    is_suffix != (host->wildcard != HOST_EXACT) || (is_suffix && name.len == 1) ||
	    host->passthrough > 1 || (host->passthrough && name.len == 0) ||
	    !verify_is_zero(host->reserved, sizeof(host->reserved)))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
			return false;
	return true;
}

static int verify_hosts(struct routes *routes, struct error *err)
{
	for (uint32_t i = 0; i < routes->host_count; i++) {
		if (!is_host(routes, &routes->hosts[i]))
			return error_set(err, "hosts[%u] is no host", i);
		if (routes->hosts[i].tls != TABLE_NONE && routes->hosts[i].tls >= routes->tls_count)
			return error_set(err, "hosts[%u] names no tls", i);
		if (routes->hosts[i].name.len == 0)
			routes->other_host = i;
		if (routes->hosts[i].wildcard == HOST_MANY_LABELS)
			routes->many_labels = true;
		if (routes->hosts[i].passthrough)
			routes->passthrough = true;
	}
	if ((routes->other_host != TABLE_NONE) != (routes->header->shard == 0))
		return error_set(err, "the host with the empty name is %s",
				 routes->header->shard == 0 ? "missing"
							    : "in another shard than 0");
	return 0;
}

/* Where the search for a name ends: at the first bucket that is free, or whose host has that name. */
static uint32_t search(const struct routes *routes, struct span name, uint64_t hash)
{
	uint32_t at = table_hash_high(hash) & routes->bucket_mask;

	while (routes->buckets[at].host != TABLE_NONE) {
		const struct host_bucket *bucket = &routes->buckets[at];

		if (bucket->name_hash == table_hash_low(hash) &&
		    span_equals(routes_text(routes, routes->hosts[bucket->host].name), name))
			break;
		at = (at + 1) & routes->bucket_mask;
	}
	return routes->buckets[at].host;
}

static int count_taken(const struct routes *routes, uint64_t *taken, struct error *err)
{
	for (uint64_t i = 0; i <= routes->bucket_mask; i++) {
		const struct host_bucket *bucket = &routes->buckets[i];
		bool is_free = bucket->host == TABLE_NONE;

		if (!is_free && bucket->host >= routes->host_count)
			return error_set(err, "bucket %llu names no host", (unsigned long long)i);
		if (is_free && bucket->name_hash != 0)
			return error_set(err, "bucket %llu is free and has a hash",
					 (unsigned long long)i);
		*taken += !is_free;
	}
	return 0;
}

/* The host for everything else is in shard 0, wherever its name would be. */
static bool is_of_shard(const struct routes *routes, struct span name, uint64_t hash)
{
	const struct table_header *header = routes->header;

	return name.len == 0 || table_hash_shard(hash, header->shard_count) == header->shard;
}

/* As many buckets are taken as there are hosts and each host is found: so each has exactly one bucket,
 * and no two have the same name. */
static int verify_buckets(const struct routes *routes, struct error *err)
{
	uint32_t buckets = count_of(routes, ROUTES_HOST_BUCKETS);
	uint64_t taken = 0;

	if (buckets == 0 || (buckets & (buckets - 1)) != 0)
		return error_set(err, "%u buckets are no power of two", buckets);
	if (buckets <= routes->host_count)
		return error_set(err, "no bucket is free: %u for %u hosts", buckets,
				 routes->host_count);
	if (count_taken(routes, &taken, err) == -1)
		return -1;
	if (taken != routes->host_count)
		return error_set(err, "%llu buckets are taken for %u hosts",
				 (unsigned long long)taken, routes->host_count);
	for (uint32_t i = 0; i < routes->host_count; i++) {
		struct span name = routes_text(routes, routes->hosts[i].name);
		uint64_t hash = table_hash(name, routes->settings->host_seed);

		if (search(routes, name, hash) != i || !is_of_shard(routes, name, hash))
			return error_set(err, "hosts[%u] is not found by its name", i);
	}
	return 0;
}

static bool has_upstream(const struct route *route)
{
	if (route->answer == ROUTE_PROXY)
		return route->upstream < TABLE_UPSTREAMS_MAX && route->upstream_incarnation != 0;
	return route->upstream == TABLE_NONE && route->upstream_incarnation == 0;
}

static int verify_route(const struct routes *routes, uint32_t index, struct error *err)
{
	const struct route *route = &routes->routes[index];
	struct span path = routes_text(routes, route->path);

	if (route->answer >= ROUTE_ANSWER_COUNT || route->path_type > ROUTE_PREFIX ||
	    route->implicit > 1 || route->default_backend > 1 || route->https_only > 1 ||
	    route->plain_anyway > 1 || !verify_is_zero(route->reserved, sizeof(route->reserved)))
		return error_set(err, "routes[%u] has a value out of range", index);
	if (!has_upstream(route))
		return error_set(err, "the upstream of routes[%u] does not fit its answer", index);
	if (route->policy >= routes->policy_count)
		return error_set(err, "routes[%u] has no policy", index);
	if (route->object != TABLE_NONE && route->object >= routes->object_count)
		return error_set(err, "routes[%u] names no object", index);
	if (route->stat_row >= TABLE_STAT_ROWS_MAX)
		return error_set(err, "routes[%u] has no row", index);
	if (path.len == 0 || path.ptr[0] != '/')
		return error_set(err, "the path of routes[%u] does not begin with '/'", index);
	return 0;
}

static int verify_routes(const struct routes *routes, struct error *err)
{
	for (uint32_t i = 0; i < routes->route_count; i++)
		if (verify_route(routes, i, err) == -1)
			return -1;
	return 0;
}

/* How far the walk over the trees is. What comes next must be this. */
struct walk {
	uint32_t host;
	uint32_t node;  /* first that is no child or root yet */
	uint32_t route; /* first that no node has yet */
};

/* The slot of a node where a route must be. */
static enum node_route slot_of(struct span path, uint8_t type)
{
	bool has_slash = path.len > 1 && path.ptr[path.len - 1] == '/';

	if (type == ROUTE_EXACT)
		return has_slash ? NODE_EXACT_SLASH : NODE_EXACT;
	return has_slash ? NODE_PREFIX_SLASH : NODE_PREFIX;
}

static int verify_node_routes(const struct routes *routes, uint32_t index, struct walk *walk,
			      struct error *err)
{
	const struct path_node *node = &routes->nodes[index];

	for (unsigned slot = 0; slot < NODE_ROUTE_COUNT; slot++) {
		const struct route *route = &routes->routes[walk->route];

		if (node->routes[slot] == TABLE_NONE)
			continue;
		if (node->routes[slot] != walk->route || walk->route >= routes->route_count)
			return error_set(err, "nodes[%u] names a route out of order", index);
		if (route->host != walk->host)
			return error_set(err, "routes[%u] is of another host", walk->route);
		if (slot_of(routes_text(routes, route->path), route->path_type) != slot)
			return error_set(err, "routes[%u] does not fit its place", walk->route);
		walk->route++;
	}
	return 0;
}

static bool is_before(const struct routes *routes, const struct path_node *a,
		      const struct path_node *b)
{
	if (a->label_hash != b->label_hash)
		return a->label_hash < b->label_hash;
	return span_compare(routes_text(routes, a->label), routes_text(routes, b->label)) < 0;
}

static int verify_children(const struct routes *routes, uint32_t index, struct walk *walk,
			   struct error *err)
{
	const struct path_node *node = &routes->nodes[index];
	const struct path_node *children = &routes->nodes[walk->node];

	if (node->child_count == 0)
		return node->first_child == TABLE_NONE
			       ? 0
			       : error_set(err, "nodes[%u] names a child and has none", index);
	if (node->first_child != walk->node || node->child_count > routes->node_count - walk->node)
		return error_set(err, "the children of nodes[%u] are out of order", index);
	for (uint32_t i = 1; i < node->child_count; i++)
		if (!is_before(routes, &children[i - 1], &children[i]))
			return error_set(err, "the children of nodes[%u] are not sorted", index);
	walk->node += node->child_count;
	return 0;
}

static int verify_node(const struct routes *routes, uint32_t index, struct walk *walk,
		       struct error *err)
{
	const struct path_node *node = &routes->nodes[index];
	struct span label = routes_text(routes, node->label);

	if (node->label_hash != table_hash_low(table_hash(label, 0)) || node->reserved != 0)
		return error_set(err, "nodes[%u] has a wrong hash or reserved bytes", index);
	if (span_find(label, '/') != SIZE_MAX)
		return error_set(err, "nodes[%u] is more than one element", index);
	if (verify_node_routes(routes, index, walk, err) == -1)
		return -1;
	return verify_children(routes, index, walk, err);
}

static bool is_root(const struct path_node *node)
{
	return node->label.len == 0 && node->routes[NODE_EXACT_SLASH] == TABLE_NONE &&
	       node->routes[NODE_PREFIX_SLASH] == TABLE_NONE;
}

/* All nodes of one host, level by level. */
static int verify_tree(const struct routes *routes, struct walk *walk, struct error *err)
{
	uint32_t root = routes->hosts[walk->host].root;

	if (root != walk->node || root >= routes->node_count || !is_root(&routes->nodes[root]))
		return error_set(err, "the root of hosts[%u] is out of order", walk->host);
	walk->node++;
	for (uint32_t i = root; i < walk->node; i++)
		if (verify_node(routes, i, walk, err) == -1)
			return -1;
	return 0;
}

static int verify_trees(const struct routes *routes, struct error *err)
{
	struct walk walk = {0};

	for (; walk.host < routes->host_count; walk.host++)
		if (verify_tree(routes, &walk, err) == -1)
			return -1;
	if (walk.node != routes->node_count)
		return error_set(err, "nodes[%u] belongs to no host", walk.node);
	if (walk.route != routes->route_count)
		return error_set(err, "routes[%u] belongs to no node", walk.route);
	return 0;
}

/* Who passes connections on has where to: after the trees, which the roots stand in. */
static int verify_passthrough(const struct routes *routes, struct error *err)
{
	for (uint32_t i = 0; i < routes->host_count; i++) {
		const struct route *route = routes_root(routes, &routes->hosts[i]);

		if (routes->hosts[i].passthrough && (route == NULL || route->answer != ROUTE_PROXY))
			return error_set(err, "hosts[%u] passes connections on to nobody", i);
	}
	return 0;
}

int routes_verify(struct span segment, struct routes *routes, struct error *err)
{
	if (verify_segment(segment, TABLE_ROUTES, err) == -1)
		return error_prefix(err, "routes segment: ");
	set_sections(routes, (const void *)segment.ptr);
	if (verify_settings(routes, err) == -1 || verify_networks(routes, err) == -1 ||
	    verify_policies(routes, err) == -1 || verify_tls(routes, err) == -1 ||
	    verify_hosts(routes, err) == -1 || verify_buckets(routes, err) == -1 ||
	    verify_routes(routes, err) == -1 || verify_trees(routes, err) == -1 ||
	    verify_passthrough(routes, err) == -1)
		return error_prefix(err, "routes segment: ");
	return 0;
}
