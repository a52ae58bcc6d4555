/* SPDX-License-Identifier: Apache-2.0 */
#include "table/routes_builder.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"
#include "table/hash.h"

/* A route on its way down the tree. */
struct path_piece {
	struct span
		rest; /* of its path, from the '/' behind the elements that are placed; empty at the end */
	struct span label; /* the element that is placed next */
	struct table_span path;
	uint32_t label_hash;
	uint32_t entry;
};

/* The pieces that reached a node: those from begin up to end. */
struct node_range {
	uint32_t begin;
	uint32_t end;
};

void routes_builder_init(struct routes_builder *builder)
{
	*builder = (struct routes_builder){0};
	builder_init(&builder->segment, TABLE_ROUTES);
}

void routes_builder_fini(struct routes_builder *builder)
{
	free(builder->pieces);
	free(builder->ranges);
	builder_fini(&builder->segment);
}

/* A node for the pieces of the range, still without routes and children. label: of a piece, or empty. */
static void add_node(struct routes_builder *builder, struct node_range range,
		     struct table_span label, uint32_t label_hash)
{
	struct path_node node = {
		.label = label,
		.label_hash = label_hash,
		.first_child = TABLE_NONE,
	};

	memset(node.routes, 0xff, sizeof(node.routes));
	builder_add(&builder->segment, ROUTES_NODES, &node);
	builder->ranges = memory_grow_array(builder->ranges, &builder->range_room,
					    builder->range_count + 1, sizeof(*builder->ranges));
	builder->ranges[builder->range_count++] = range;
}

/* TABLE_NONE while the path goes on below the node. */
static unsigned slot_at(struct span rest, bool is_root, uint8_t type)
{
	bool is_exact = type == ROUTE_EXACT;

	if (rest.len == 0 || (is_root && rest.len == 1))
		return is_exact ? NODE_EXACT : NODE_PREFIX;
	if (rest.len == 1)
		return is_exact ? NODE_EXACT_SLASH : NODE_PREFIX_SLASH;
	return TABLE_NONE;
}

/* Of two pieces for one slot; TABLE_NONE: the slot is empty. Entries are in the order of precedence. */
static uint32_t winner(const struct path_piece *pieces, const struct routes_entry *entries,
		       uint32_t a, uint32_t b)
{
	const struct path_piece *pa = &pieces[a];
	const struct path_piece *pb = &pieces[b];

	if (a == TABLE_NONE)
		return b;
	if (entries[pa->entry].route.implicit != entries[pb->entry].route.implicit)
		return entries[pa->entry].route.implicit ? b : a;
	return pa->entry < pb->entry ? a : b;
}

static uint32_t add_route(struct routes_builder *builder, uint32_t host,
			  const struct path_piece *piece, const struct routes_entry *entries)
{
	struct route route = entries[piece->entry].route;

	route.host = host;
	route.path = piece->path;
	return builder_add(&builder->segment, ROUTES_ROUTES, &route);
}

/* Gives the node the routes that end at it and moves their pieces to the front of the range, which then begins
 * behind them. */
static void place_ends(struct routes_builder *builder, uint32_t host, uint32_t node, bool is_root,
		       struct node_range *range, const struct routes_entry *entries)
{
	struct path_piece *pieces = builder->pieces;
	uint32_t slots[NODE_ROUTE_COUNT] = {TABLE_NONE, TABLE_NONE, TABLE_NONE, TABLE_NONE};
	uint32_t *routes;

	for (uint32_t i = range->begin; i < range->end; i++) {
		uint8_t type = entries[pieces[i].entry].route.path_type;
		unsigned slot = slot_at(pieces[i].rest, is_root, type);
		struct path_piece ended = pieces[i];

		if (slot == TABLE_NONE)
			continue;
		pieces[i] = pieces[range->begin];
		pieces[range->begin] = ended;
		slots[slot] = winner(pieces, entries, slots[slot], range->begin++);
	}
	routes = ((struct path_node *)builder_at(&builder->segment, ROUTES_NODES, node))->routes;
	for (unsigned slot = 0; slot < NODE_ROUTE_COUNT; slot++)
		if (slots[slot] != TABLE_NONE)
			routes[slot] = add_route(builder, host, &pieces[slots[slot]], entries);
}

/* Cuts the next element off each piece of the range. */
static void cut_labels(struct path_piece *pieces, struct node_range range)
{
	for (uint32_t i = range.begin; i < range.end; i++) {
		struct path_piece *piece = &pieces[i];
		struct span label = {piece->rest.ptr + 1, piece->rest.len - 1};
		size_t len = span_find(label, '/');

		piece->label = len == SIZE_MAX ? label : span_take(label, len);
		piece->label_hash = table_hash_low(table_hash(piece->label, 0));
		piece->rest.ptr = piece->label.ptr + piece->label.len;
		piece->rest.len = label.len - piece->label.len;
	}
}

static int compare_pieces(const void *left, const void *right)
{
	const struct path_piece *a = left;
	const struct path_piece *b = right;
	int order = (a->label_hash > b->label_hash) - (a->label_hash < b->label_hash);

	if (order == 0)
		order = span_compare(a->label, b->label);
	return order != 0 ? order : (a->entry > b->entry) - (a->entry < b->entry);
}

static bool same_label(const struct path_piece *a, const struct path_piece *b)
{
	return a->label_hash == b->label_hash && span_equals(a->label, b->label);
}

/* Where the label lies in the text: inside the path, which is stored already. */
static struct table_span label_span(const struct path_piece *piece, const char *path)
{
	if (piece->label.len == 0)
		return (struct table_span){0};
	return (struct table_span){
		.at = piece->path.at + (uint32_t)(piece->label.ptr - path),
		.len = (uint32_t)piece->label.len,
	};
}

/* The children of a node, from what is left of its range. */
static void add_children(struct routes_builder *builder, uint32_t node, struct node_range range,
			 const struct routes_entry *entries)
{
	struct path_piece *pieces = builder->pieces;
	uint32_t first = builder_count(&builder->segment, ROUTES_NODES);
	struct path_node *parent;

	if (range.begin == range.end)
		return;
	cut_labels(pieces, range);
	qsort(&pieces[range.begin], range.end - range.begin, sizeof(*pieces), compare_pieces);
	while (range.begin < range.end) {
		struct path_piece *piece = &pieces[range.begin];
		struct node_range child = {range.begin, range.begin + 1};

		while (child.end < range.end && same_label(piece, &pieces[child.end]))
			child.end++;
		add_node(builder, child, label_span(piece, entries[piece->entry].path.ptr),
			 piece->label_hash);
		range.begin = child.end;
	}
	parent = builder_at(&builder->segment, ROUTES_NODES, node);
	parent->first_child = first;
	parent->child_count = builder_count(&builder->segment, ROUTES_NODES) - first;
}

static void set_pieces(struct routes_builder *builder, const struct routes_entry *entries,
		       uint32_t count)
{
	builder->pieces = memory_grow_array(builder->pieces, &builder->piece_room, count,
					    sizeof(*builder->pieces));
	for (uint32_t i = 0; i < count; i++) {
		BUG_ON(!span_starts_with(entries[i].path, S("/")));
		builder->pieces[i] = (struct path_piece){
			.rest = entries[i].path,
			.path = builder_text(&builder->segment, entries[i].path),
			.entry = i,
		};
	}
}

/* Level by level, as routes.h draws it: the queue of nodes is the section itself. */
static uint32_t add_tree(struct routes_builder *builder, uint32_t host,
			 const struct routes_entry *entries, uint32_t count)
{
	uint32_t root = builder_count(&builder->segment, ROUTES_NODES);

	set_pieces(builder, entries, count);
	builder->range_count = 0;
	add_node(builder, (struct node_range){0, count}, (struct table_span){0},
		 table_hash_low(table_hash((struct span){NULL, 0}, 0)));
	for (uint32_t i = 0; i < builder->range_count; i++) {
		struct node_range range = builder->ranges[i];

		place_ends(builder, host, root + i, i == 0, &range, entries);
		add_children(builder, root + i, range, entries);
	}
	return root;
}

uint32_t routes_builder_add_host(struct routes_builder *builder, struct span name,
				 enum host_wildcard wildcard, const struct routes_entry *entries,
				 uint32_t count)
{
	uint32_t index = builder_count(&builder->segment, ROUTES_HOSTS);
	struct host_record host = {
		.name = builder_text(&builder->segment, name),
		.root = add_tree(builder, index, entries, count),
		.tls = TABLE_NONE,
		.wildcard = (uint8_t)wildcard,
	};

	return builder_add(&builder->segment, ROUTES_HOSTS, &host);
}

void routes_builder_set_tls(struct routes_builder *builder, uint32_t host,
			    const struct host_tls *tls)
{
	uint32_t index = builder_intern(&builder->segment, ROUTES_TLS, tls);
	struct host_record *record = builder_at(&builder->segment, ROUTES_HOSTS, host);

	record->tls = index;
}

void routes_builder_set_passthrough(struct routes_builder *builder, uint32_t host)
{
	struct host_record *record = builder_at(&builder->segment, ROUTES_HOSTS, host);

	record->passthrough = 1;
}

/* Adds one host to buckets that have room; how many buckets were looked at. */
static uint32_t fill_bucket(struct host_bucket *buckets, uint32_t mask, uint32_t host,
			    uint64_t hash)
{
	uint32_t at = table_hash_high(hash) & mask;
	uint32_t chain = 1;

	for (; buckets[at].host != TABLE_NONE; chain++)
		at = (at + 1) & mask;
	buckets[at] = (struct host_bucket){.host = host, .name_hash = table_hash_low(hash)};
	return chain;
}

/* All hosts; the longest chain. */
static uint32_t fill_buckets(struct routes_builder *builder, struct host_bucket *buckets,
			     uint32_t mask, uint32_t seed)
{
	uint32_t hosts = builder_count(&builder->segment, ROUTES_HOSTS);
	uint32_t longest = 0;

	for (uint64_t i = 0; i <= mask; i++)
		buckets[i] = (struct host_bucket){.host = TABLE_NONE};
	for (uint32_t i = 0; i < hosts; i++) {
		const struct host_record *host = builder_at(&builder->segment, ROUTES_HOSTS, i);
		struct span name = builder_text_at(&builder->segment, host->name);
		uint32_t chain = fill_bucket(buckets, mask, i, table_hash(name, seed));

		if (chain > longest)
			longest = chain;
	}
	return longest;
}

/* Twice as many as hosts or more, so that chains are short. */
static uint32_t bucket_count(uint32_t hosts)
{
	uint32_t count = 2;

	while (count / 2 < hosts)
		count *= 2;
	return count;
}

static uint32_t add_buckets(struct routes_builder *builder)
{
	uint32_t count = bucket_count(builder_count(&builder->segment, ROUTES_HOSTS));
	struct host_bucket *buckets = memory_new_array(count, sizeof(*buckets));
	const struct table_settings *settings = builder_at(&builder->segment, ROUTES_SETTINGS, 0);
	uint32_t longest = fill_buckets(builder, buckets, count - 1, settings->host_seed);

	for (uint32_t i = 0; i < count; i++)
		builder_add(&builder->segment, ROUTES_HOST_BUCKETS, &buckets[i]);
	free(buckets);
	return longest;
}

uint32_t routes_builder_finish(struct routes_builder *builder, const struct table_stamp *stamp,
			       struct buf *out)
{
	uint32_t longest = add_buckets(builder);

	builder_finish(&builder->segment, stamp, out);
	return longest;
}
