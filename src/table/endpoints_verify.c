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
		.upstream_count = header->sections[ENDPOINTS_UPSTREAMS].count,
		.endpoint_count = header->sections[ENDPOINTS_ENDPOINTS].count,
		.tls_count = header->sections[ENDPOINTS_TLS].count,
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
	if (upstream->reserved != 0)
		return error_set(err, "reserved bytes of upstreams[%u] are not zero", index);
	if (!is_c_string(endpoints_text(endpoints, upstream->external_name), DNS_NAME_BYTES_MAX))
		return error_set(err, "upstreams[%u] has an external name that is none", index);
	if (is_external != (upstream->external_port != 0))
		return error_set(
			err, "upstreams[%u] has an external name or port without the other", index);
	if (is_external && upstream->endpoint_count != 0)
		return error_set(err, "upstreams[%u] has an external name and endpoints", index);
	return 0;
}

static int verify_upstreams(const struct endpoints *endpoints, struct error *err)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < endpoints->upstream_count; i++) {
		const struct upstream_record *upstream = &endpoints->upstreams[i];

		if (upstream->incarnation == 0) {
			if (!verify_is_zero(upstream, sizeof(*upstream)))
				return error_set(err, "upstreams[%u] is free and not zero", i);
			continue;
		}
		if (verify_upstream(endpoints, i, err) == -1)
			return -1;
		if (upstream->first_endpoint != next ||
		    upstream->endpoint_count > endpoints->endpoint_count - next)
			return error_set(err, "the endpoints of upstreams[%u] are out of order", i);
		next += upstream->endpoint_count;
	}
	if (next != endpoints->endpoint_count)
		return error_set(err, "endpoints[%u] belongs to no upstream", next);
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
	    verify_upstreams(endpoints, err) == -1 || verify_endpoints(endpoints, err) == -1)
		return error_prefix(err, "endpoints segment: ");
	return 0;
}
