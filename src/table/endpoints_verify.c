/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that readers of an `endpoints` segment rely on, checked once. */
#include "table/endpoints.h"

#include "base/bug.h"
#include "table/layout.h"
#include "table/verify.h"

enum { DNS_NAME_BYTES_MAX = 253 }; /* RFC 1035, 2.3.4, as text */

static void set_sections(struct endpoints *endpoints, const struct table_header *header)
{
	*endpoints = (struct endpoints){
		.header = header,
		.upstreams = table_section(header, ENDPOINTS_UPSTREAMS),
		.endpoints = table_section(header, ENDPOINTS_ENDPOINTS),
		.tls = table_section(header, ENDPOINTS_TLS),
		.shares = table_section(header, ENDPOINTS_SHARES),
		.ring = table_section(header, ENDPOINTS_RING),
		.parts = table_section(header, ENDPOINTS_PARTS),
		.upstream_count = header->sections[ENDPOINTS_UPSTREAMS].count,
		.endpoint_count = header->sections[ENDPOINTS_ENDPOINTS].count,
		.tls_count = header->sections[ENDPOINTS_TLS].count,
		.share_count = header->sections[ENDPOINTS_SHARES].count,
		.point_count = header->sections[ENDPOINTS_RING].count,
		.part_count = header->sections[ENDPOINTS_PARTS].count,
	};
}

static int verify_counts(const struct endpoints *endpoints, struct error *err)
{
	if (endpoints->upstream_count > TABLE_UPSTREAMS_MAX / endpoints->header->shard_count)
		return error_set(err, "%u upstreams are too many", endpoints->upstream_count);
	return 0;
}

/* It goes to a library that takes it as a C string. */
static bool is_c_string(struct span text, size_t bytes_max)
{
	return text.len <= bytes_max && span_find(text, '\0') == SIZE_MAX;
}

static int verify_tls(const struct endpoints *endpoints, struct error *err)
{
	for (uint32_t i = 0; i < endpoints->tls_count; i++) {
		const struct upstream_tls *tls = &endpoints->tls[i];

		if (tls->versions == 0 || tls->versions >= BIT(UPSTREAM_TLS_VERSION_COUNT) ||
		    tls->verify_depth == 0 || tls->verify_depth > TABLE_VERIFY_DEPTH_MAX ||
		    !verify_is_zero(tls->reserved, sizeof(tls->reserved)))
			return error_set(err, "tls[%u] has a value out of range", i);
		if (!is_c_string(endpoints_text(endpoints, tls->server_name), DNS_NAME_BYTES_MAX) ||
		    !is_c_string(endpoints_text(endpoints, tls->verify_name), DNS_NAME_BYTES_MAX) ||
		    !is_c_string(endpoints_text(endpoints, tls->ciphers), TABLE_WORDS_BYTES_MAX))
			return error_set(err, "tls[%u] has a text that is none", i);
	}
	return 0;
}

static int verify_upstream(const struct endpoints *endpoints, uint32_t index, struct error *err)
{
	const struct upstream_record *upstream = &endpoints->upstreams[index];
	bool is_external = upstream->external_name.len > 0;

	if (upstream->protocol >= UPSTREAM_PROTOCOL_COUNT ||
	    upstream->algorithm >= UPSTREAM_ALGORITHM_COUNT)
		return error_set(err, "upstreams[%u] has a value out of range", index);
	if (upstream->tls != TABLE_NONE && upstream->tls >= endpoints->tls_count)
		return error_set(err, "upstreams[%u] names no tls", index);
	if (!is_c_string(endpoints_text(endpoints, upstream->external_name), DNS_NAME_BYTES_MAX))
		return error_set(err, "upstreams[%u] has an external name that is none", index);
	if (is_external != (upstream->external_port != 0))
		return error_set(
			err, "upstreams[%u] has an external name or port without the other", index);
	if (is_external && upstream->endpoint_count != 0)
		return error_set(err, "upstreams[%u] has an external name and endpoints", index);
	return 0;
}

/* What follows in each section that upstreams have parts of. */
struct cursor {
	uint32_t endpoint;
	uint32_t share;
	uint32_t point;
	uint32_t part;
};

/* So many elements from where the last ones ended; none begin at 0. False: they do not. */
static bool take_run(uint32_t *next, uint32_t first, uint32_t count, uint32_t all)
{
	if (count == 0)
		return first == 0;
	if (first != *next || count > all - *next)
		return false;
	*next += count;
	return true;
}

static bool has_sound_shares(const uint32_t *ends, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (ends[i] < ends[i - 1])
			return false;
	return ends[count - 1] == UINT32_MAX;
}

static int verify_shares(const struct endpoints *endpoints, uint32_t index, struct cursor *next,
			 struct error *err)
{
	const struct upstream_record *upstream = &endpoints->upstreams[index];

	if (upstream->first_share == TABLE_NONE)
		return 0;
	if (upstream->endpoint_count == 0 ||
	    !take_run(&next->share, upstream->first_share, upstream->endpoint_count,
		      endpoints->share_count))
		return error_set(err, "the shares of upstreams[%u] are out of order", index);
	if (!has_sound_shares(&endpoints->shares[upstream->first_share], upstream->endpoint_count))
		return error_set(err, "the shares of upstreams[%u] do not add up", index);
	return 0;
}

static bool has_sound_points(const struct ring_point *points, uint32_t count, uint32_t nodes)
{
	for (uint32_t i = 0; i < count; i++)
		if (points[i].node >= nodes || (i > 0 && points[i].hash < points[i - 1].hash))
			return false;
	return true;
}

static int verify_ring(const struct endpoints *endpoints, uint32_t index, struct cursor *next,
		       struct error *err)
{
	const struct upstream_record *upstream = &endpoints->upstreams[index];
	bool has_ring = upstream->algorithm == UPSTREAM_HASH && upstream->endpoint_count > 0;
	uint32_t nodes = upstream->endpoint_count;

	if (has_ring != (upstream->point_count > 0) ||
	    !take_run(&next->point, upstream->first_point, upstream->point_count,
		      endpoints->point_count))
		return error_set(err, "the ring of upstreams[%u] is out of order", index);
	if (upstream->subset_size > 0)
		nodes = upstream_subset_count(nodes, upstream->subset_size);
	if (!has_sound_points(&endpoints->ring[upstream->first_point], upstream->point_count,
			      nodes))
		return error_set(err, "the ring of upstreams[%u] leads nowhere", index);
	return 0;
}

static int verify_hash(const struct endpoints *endpoints, uint32_t index, struct cursor *next,
		       struct error *err)
{
	const struct upstream_record *upstream = &endpoints->upstreams[index];
	bool hashes = upstream->algorithm == UPSTREAM_HASH;
	uint32_t bound = upstream->bound_percent;

	if (upstream->subset_size > TABLE_SUBSET_MAX || bound > TABLE_BOUND_PERCENT_MAX ||
	    (bound > 0 && bound <= 100) || upstream->hash_by.count > TEMPLATE_PARTS_MAX)
		return error_set(err, "upstreams[%u] has a value out of range", index);
	if (!hashes && (upstream->subset_size > 0 || bound > 0 || upstream->hash_by.count > 0))
		return error_set(err, "upstreams[%u] says what is hashed, and nothing is", index);
	if (!take_run(&next->part, upstream->hash_by.first, upstream->hash_by.count,
		      endpoints->part_count))
		return error_set(err, "the parts of upstreams[%u] are out of order", index);
	return verify_ring(endpoints, index, next, err);
}

static int verify_runs(const struct endpoints *endpoints, uint32_t index, struct cursor *next,
		       struct error *err)
{
	const struct upstream_record *upstream = &endpoints->upstreams[index];

	if (upstream->first_endpoint != next->endpoint ||
	    upstream->endpoint_count > endpoints->endpoint_count - next->endpoint)
		return error_set(err, "the endpoints of upstreams[%u] are out of order", index);
	next->endpoint += upstream->endpoint_count;
	if (verify_shares(endpoints, index, next, err) == -1)
		return -1;
	return verify_hash(endpoints, index, next, err);
}

static int verify_ends(const struct endpoints *endpoints, const struct cursor *next,
		       struct error *err)
{
	if (next->endpoint != endpoints->endpoint_count)
		return error_set(err, "endpoints[%u] belongs to no upstream", next->endpoint);
	if (next->share != endpoints->share_count || next->point != endpoints->point_count ||
	    next->part != endpoints->part_count)
		return error_set(err, "a share, a point or a part belongs to no upstream");
	return 0;
}

static int verify_upstreams(const struct endpoints *endpoints, struct error *err)
{
	struct cursor next = {0};

	for (uint32_t i = 0; i < endpoints->upstream_count; i++) {
		const struct upstream_record *upstream = &endpoints->upstreams[i];

		if (upstream->incarnation == 0) {
			if (!verify_is_zero(upstream, sizeof(*upstream)))
				return error_set(err, "upstreams[%u] is free and not zero", i);
			continue;
		}
		if (verify_upstream(endpoints, i, err) == -1 ||
		    verify_runs(endpoints, i, &next, err) == -1)
			return -1;
	}
	return verify_ends(endpoints, &next, err);
}

static int verify_parts(const struct endpoints *endpoints, struct error *err)
{
	for (uint32_t i = 0; i < endpoints->part_count; i++)
		if (!template_part_is_sound(&endpoints->parts[i]))
			return error_set(err, "parts[%u] is no part of a text", i);
	return 0;
}

static int verify_endpoints(const struct endpoints *endpoints, struct error *err)
{
	for (uint32_t i = 0; i < endpoints->endpoint_count; i++) {
		const struct endpoint_record *endpoint = &endpoints->endpoints[i];

		if (endpoint->port == 0 || endpoint->state >= ENDPOINT_STATE_COUNT ||
		    endpoint->reserved != 0 || endpoint->weight == 0 ||
		    endpoint->weight > TABLE_WEIGHT_MAX)
			return error_set(err, "endpoints[%u] has a value out of range", i);
		if (endpoint->slot >= TABLE_SLOTS_MAX || endpoint->incarnation == 0)
			return error_set(err, "endpoints[%u] has no slot", i);
	}
	return 0;
}

int endpoints_verify(struct span segment, struct endpoints *endpoints, struct error *err)
{
	if (verify_segment(segment, TABLE_ENDPOINTS, err) == -1)
		return error_prefix(err, "endpoints segment: ");
	set_sections(endpoints, (const void *)segment.ptr);
	if (verify_counts(endpoints, err) == -1 || verify_tls(endpoints, err) == -1 ||
	    verify_parts(endpoints, err) == -1 || verify_upstreams(endpoints, err) == -1 ||
	    verify_endpoints(endpoints, err) == -1)
		return error_prefix(err, "endpoints segment: ");
	return 0;
}
