/* SPDX-License-Identifier: Apache-2.0 */
/* The `endpoints` segment: upstream id → pod addresses. Pods come and go far more often than routes, so
 * it is built without them. Read-only and shared, as routes.h says.
 *
 * An upstream id and an endpoint slot stay the same while the thing they name lives; when a number is
 * given to another thing, its incarnation changes. A slot is one address and port, whichever upstreams
 * it belongs to, for its load is one.
 *
 * Upstreams are dealt out: id is number id / count in shard id % count, count being that of the shards.
 */
#pragma once

#include "base/ip.h"
#include "table/certificates.h"
#include "table/format.h"
#include "table/template.h"

enum endpoints_section {
	ENDPOINTS_UPSTREAMS, /* struct upstream_record, by upstream id */
	ENDPOINTS_ENDPOINTS, /* struct endpoint_record, those of an upstream side by side */
	ENDPOINTS_TLS,       /* struct upstream_tls; equal ones are stored once */
	ENDPOINTS_SHARES,    /* uint32_t, those of an upstream side by side */
	ENDPOINTS_RING,      /* struct ring_point, those of an upstream side by side */
	ENDPOINTS_PARTS,     /* struct template_part, likewise */
	ENDPOINTS_TEXT,      /* bytes */
	ENDPOINTS_SECTION_COUNT
};

enum endpoint_state {
	ENDPOINT_READY,
	ENDPOINT_TERMINATING, /* serving and terminating: only when no other is ready */
	ENDPOINT_STATE_COUNT
};

struct endpoint_record {
	struct ip ip;
	uint16_t port;
	uint8_t state;        /* enum endpoint_state */
	uint8_t reserved;     /* zero */
	uint32_t weight;      /* 1 … TABLE_WEIGHT_MAX */
	uint32_t slot;        /* below TABLE_SLOTS_MAX */
	uint32_t incarnation; /* that of the slot, never 0 */
};

/* HTTP/2 in clear is known beforehand (RFC 9113, 3.3), over TLS it is what ALPN must choose. */
enum upstream_protocol { UPSTREAM_HTTP1, UPSTREAM_HTTP2, UPSTREAM_PROTOCOL_COUNT };

enum upstream_algorithm {
	UPSTREAM_ROUND_ROBIN,
	UPSTREAM_EWMA,
	UPSTREAM_LEAST_REQUESTS,
	UPSTREAM_HASH,
	UPSTREAM_ALGORITHM_COUNT
};

/* A place on the ring of an upstream that is chosen from by hash: whose hash comes next after the key's high half gets
 * the request, the first one after the last. */
struct ring_point {
	uint32_t hash;
	uint32_t node; /* index among the endpoints of the upstream; with subsets, of the subset */
};

enum { UPSTREAM_TLS_1_2, UPSTREAM_TLS_1_3, UPSTREAM_TLS_VERSION_COUNT };

/* How endpoints are spoken to by TLS. */
struct upstream_tls {
	uint8_t digest
		[32]; /* SHA-256 of all that follows: whether it is what a worker has a context for */
	struct certificate_id certificate; /* shown to endpoints; none: nothing is */
	struct certificate_id authorities; /* that they are verified by; none: they are not */
	struct table_span server_name;     /* sent (SNI); empty: none */
	struct table_span verify_name;     /* in their certificates; empty: any */
	struct table_span ciphers;         /* of TLS 1.2, in OpenSSL's words; empty: the default */
	uint8_t versions;                  /* BIT(enum), at least one */
	uint8_t verify_depth;              /* 1 … TABLE_VERIFY_DEPTH_MAX */
	uint8_t reserved[6];               /* zero */
};

/* incarnation 0: this id is free, and all else is zero. The endpoints of the upstreams follow each other in
 * the order of the ids, so none belongs to two. */
struct upstream_record {
	uint32_t incarnation;
	uint32_t first_endpoint;
	uint32_t
		endpoint_count; /* those that may get new requests, see endpoint choice in model/ */
	struct table_span name; /* "namespace-service-port", as logs have it */
	struct table_span
		external_name; /* ExternalName: resolved by the worker, has no endpoints; else empty */
	uint16_t external_port; /* nonzero with a name, else 0 */
	uint8_t protocol;       /* enum upstream_protocol */
	uint8_t algorithm;      /* enum upstream_algorithm */
	uint32_t tls;           /* index; TABLE_NONE: plain */
	/* Where weights differ each endpoint has a share, which ends here if all of them are 2^32: the first endpoint
	 * has what is up to the first end, it included, and so on; the last end is the largest number. TABLE_NONE: all
	 * have the same. */
	uint32_t first_share;
	uint32_t first_point; /* of the ring; with UPSTREAM_HASH where there are endpoints */
	uint32_t point_count;
	struct template_range hash_by; /* what is hashed; with UPSTREAM_HASH */
	uint32_t
		subset_size; /* with UPSTREAM_HASH; 0: none; else the key chooses so many endpoints */
	uint32_t
		bound_percent; /* with UPSTREAM_HASH: of the mean load, what one may have; 0: any; else above 100 */
};

/* How many subsets there are: in the order of the endpoints, and the last is filled up with the first ones. */
static inline uint32_t upstream_subset_count(uint32_t endpoint_count, uint32_t subset_size)
{
	return endpoint_count / subset_size + (endpoint_count % subset_size != 0);
}

/* A verified shard, mapped. */
struct endpoints {
	const struct table_header *header; /* start of the mapping */
	const struct upstream_record *upstreams;
	const struct endpoint_record *endpoints;
	const struct upstream_tls *tls;
	const uint32_t *shares;
	const struct ring_point *ring;
	const struct template_part *parts;
	uint32_t upstream_count;
	uint32_t endpoint_count;
	uint32_t tls_count;
	uint32_t share_count;
	uint32_t point_count;
	uint32_t part_count;
};

/* As routes_verify. */
struct error;
int endpoints_verify(struct span segment, struct endpoints *endpoints, struct error *err);

static inline struct span endpoints_text(const struct endpoints *endpoints, struct table_span text)
{
	return (struct span){(const char *)endpoints->header + text.at, text.len};
}
