/* SPDX-License-Identifier: Apache-2.0 */
/* The `routes` segment: listeners' settings, hosts, paths, policies.
 *
 * The segment is read-only and shared by every process that mapped it. Nothing here allocates,
 * locks, logs or fails. The caller keeps the segment mapped for as long as it uses a result.
 *
 * A host is in the shard that its hash names, all else with it: a request takes everything from one shard. The
 * settings and trusted networks are in every shard, the host for everything else in shard 0.
 *
 * Hosts lie in an open-addressed hash table. The paths of a host are a tree of path elements: a node's
 * children are sorted by (hash, label), so that a look-up costs the elements of the path and nothing more.
 *
 * Order, which verify checks in one pass: host by host, the nodes of a host level by level (its root, then all
 * children of the root, then theirs …), each level in the order of the parents. So each node but a root
 * has exactly one parent, and that lies before it. Routes lie in the order of the nodes and of
 * their slots in these, so each belongs to exactly one node.
 */
#pragma once

#include <stdbool.h>

#include "base/ip.h"
#include "table/certificates.h"
#include "table/format.h"

enum routes_section {
	ROUTES_SETTINGS,     /* struct table_settings, exactly one */
	ROUTES_NETWORKS,     /* struct ip_network: trusted peers (proxy-real-ip-cidr) */
	ROUTES_HOST_BUCKETS, /* struct host_bucket, a power of two of them, at least one free */
	ROUTES_HOSTS,        /* struct host_record */
	ROUTES_NODES,        /* struct path_node */
	ROUTES_ROUTES,       /* struct route */
	ROUTES_POLICIES,     /* struct route_policy; equal ones are stored once */
	ROUTES_OBJECTS,      /* struct route_object */
	ROUTES_TLS,          /* struct host_tls; equal ones are stored once */
	ROUTES_TEXT,         /* bytes */
	ROUTES_SECTION_COUNT
};

enum { TABLE_RECORD_BYTES_MIN = 1024, TABLE_RECORD_BYTES_MAX = 16384 };

/* What holds for the whole worker: ConfigMap keys and flags. Durations in milliseconds. */
struct table_settings {
	uint32_t client_header_timeout_ms;
	uint32_t client_body_timeout_ms;
	uint32_t keep_alive_timeout_ms; /* 0: close after each answer */
	uint32_t keep_alive_requests;
	uint32_t
		header_line_bytes; /* large-client-header-buffers: one line or field; 1 … header_total_bytes */
	uint32_t header_total_bytes; /* count × size: the whole head; … TABLE_HEAD_BYTES_MAX */
	uint32_t upstream_keepalive_connections; /* idle ones per worker; 0: none are kept */
	uint32_t upstream_keepalive_timeout_ms;
	uint32_t upstream_keepalive_time_ms; /* age at which a connection is not reused */
	uint32_t upstream_keepalive_requests;
	uint32_t client_stall_timeout_ms; /* a client that takes no response */
	uint32_t tunnel_idle_timeout_ms;  /* 0: proxy-read-timeout of the route */
	uint32_t drain_timeout_ms;        /* worker-shutdown-timeout */
	uint32_t proxy_header_timeout_ms; /* proxy-protocol-header-timeout */
	uint32_t stream_idle_timeout_ms;  /* proxy-stream-timeout; so the next */
	uint32_t stream_retry_timeout_ms; /* after which no other endpoint is tried */
	uint32_t stream_tries;            /* in all; 0: no limit */
	uint8_t underscores_in_headers;
	uint8_t ignore_invalid_headers;
	uint8_t use_forwarded_headers; /* also enable-real-ip */
	uint8_t compute_full_forwarded_for;
	uint8_t generate_request_id;
	uint8_t add_original_uri;
	uint8_t allow_backend_server_header;
	uint8_t server_tokens;
	uint8_t access_log; /* 0: off */
	uint8_t access_log_default_backend;
	uint8_t tenant_destinations_free; /* 1: loopback and the like may be endpoints (a trusted directory) */
	uint8_t retry_non_idempotent;
	uint8_t ssl_reject_handshake; /* of names that no host has */
	uint8_t ssl_session_tickets;
	uint8_t use_proxy_protocol; /* every connection of a client begins with a PROXY header */
	uint8_t stream_retry;       /* another endpoint is tried where one cannot be connected to */
	uint8_t use_http2;
	uint8_t tls_versions;     /* BIT(enum host_tls_version), at least one */
	uint16_t redirect_status; /* of a redirect to https: 300 … 308 */
	uint16_t
		tls_record_bytes; /* plaintext of a TLS record at most: TABLE_RECORD_BYTES_MIN to … MAX; 0: the latter */
	uint16_t reserved;
	uint32_t ssl_session_timeout_s; /* how long a session may be resumed; 0: ten minutes */
	uint32_t http2_streams;         /* a client may have open at once, at least 1 */
	uint32_t host_seed;             /* of the hash of hosts, the same in every shard of a set */
	struct table_span ssl_ciphers;  /* of TLS 1.2, in OpenSSL's words; empty: the default */
	struct table_span ssl_curves;   /* likewise, "X25519:P-256" */
	struct table_span dh_parameters; /* DER; empty: no DHE */
	struct table_span
		hsts; /* value of Strict-Transport-Security; empty: the field is not sent */
};

enum host_tls_version { HOST_TLS_1_2, HOST_TLS_1_3, HOST_TLS_VERSION_COUNT };

enum host_tls_verify {
	HOST_TLS_VERIFY_OFF,
	HOST_TLS_VERIFY_ON,
	HOST_TLS_VERIFY_OPTIONAL,
	HOST_TLS_VERIFY_OPTIONAL_NO_CA,
	HOST_TLS_VERIFY_COUNT
};

/* How connections to a host by TLS are ended. */
struct host_tls {
	struct certificate_id certificates
		[2]; /* by kind, ECDSA and RSA; none: those of the host for everything else */
	struct certificate_id authorities; /* of clients; none: HOST_TLS_VERIFY_OFF */
	struct certificate_id
		client_policy; /* equal where the same is asked for, of the same; likewise */
	struct certificate_id
		cipher_policy; /* equal where ciphers and client_prefers are; none: the settings' */
	struct table_span secret;          /* "namespace/name" of the first, for people */
	struct table_span ciphers;         /* of TLS 1.2; empty: those of the settings */
	struct table_span subject_pattern; /* that the subject of a client must match; empty: any */
	struct table_span error_page;      /* where clients go instead of 400; empty: nowhere */
	uint8_t verify;                    /* enum host_tls_verify */
	uint8_t verify_depth;     /* 1 … TABLE_VERIFY_DEPTH_MAX; 0 with HOST_TLS_VERIFY_OFF */
	uint8_t pass_certificate; /* 1: to endpoints */
	uint8_t refuses;          /* 1: nobody gets in */
	uint8_t client_prefers;   /* 1: the order of ciphers is the client's */
	uint8_t reserved[11];     /* zero */
};

/* How the client of a route is treated and the endpoint spoken to. Shared by routes that agree. */
struct route_policy {
	uint64_t body_limit_bytes; /* proxy-body-size; 0: none */
	uint32_t connect_timeout_ms;
	uint32_t send_timeout_ms;
	uint32_t read_timeout_ms;
	uint32_t next_upstream;            /* BIT(enum next_upstream) */
	uint32_t next_upstream_tries;      /* attempts in all; 0: no limit */
	uint32_t next_upstream_timeout_ms; /* 0: none */
	uint32_t response_head_bytes;      /* larger is 502; 1 … TABLE_HEAD_BYTES_MAX */
	uint32_t reserved[3];              /* zero */
};

enum next_upstream {
	NEXT_UPSTREAM_ERROR,
	NEXT_UPSTREAM_TIMEOUT,
	NEXT_UPSTREAM_INVALID_HEADER,
	NEXT_UPSTREAM_HTTP_500,
	NEXT_UPSTREAM_HTTP_502,
	NEXT_UPSTREAM_HTTP_503,
	NEXT_UPSTREAM_HTTP_504,
	NEXT_UPSTREAM_HTTP_403,
	NEXT_UPSTREAM_HTTP_404,
	NEXT_UPSTREAM_HTTP_429,
	NEXT_UPSTREAM_NON_IDEMPOTENT,
	NEXT_UPSTREAM_COUNT
};

/* What a route stems from: for logs, metrics and explain. */
struct route_object {
	struct table_span namespace;
	struct table_span ingress;
	struct table_span service;      /* as written in the rule; empty: none */
	struct table_span service_port; /* as written */
};

enum route_answer {
	ROUTE_PROXY,     /* to the upstream */
	ROUTE_NOT_FOUND, /* 404: implicit root without a default backend */
	ROUTE_NO_SERVICE, /* 503: the Service or its port does not exist, or the backend is no Service */
	ROUTE_DENIED, /* 503: an annotation that guards something cannot be obeyed */
	ROUTE_ANSWER_COUNT
};

enum route_path_type { ROUTE_EXACT, ROUTE_PREFIX };

struct route {
	uint32_t host;     /* index of its host_record */
	uint32_t upstream; /* id in the endpoints segment; TABLE_NONE unless ROUTE_PROXY */
	uint32_t
		upstream_incarnation; /* must be equal to that of the upstream_record; 0 without one */
	uint32_t policy;              /* index */
	uint32_t object;              /* index, TABLE_NONE for the built-in default */
	uint32_t stat_row;            /* row in the live figures */
	struct table_span path;       /* of the rule, as written */
	uint8_t answer;               /* enum route_answer */
	uint8_t path_type;            /* enum route_path_type */
	uint8_t implicit;             /* 1: the root that every host has (compat spec, 4.3) */
	uint8_t default_backend;      /* 1: leads to the default backend */
	uint8_t https_only;           /* 1: plain requests are redirected to https */
	uint8_t plain_anyway; /* 1: plain requests are served whatever the host asks of clients */
	uint8_t reserved[2];  /* zero */
};

/* Which of its own routes a node holds for its path P. */
enum node_route {
	NODE_EXACT,        /* Exact P */
	NODE_EXACT_SLASH,  /* Exact P/ */
	NODE_PREFIX,       /* Prefix P: P and all under P/ */
	NODE_PREFIX_SLASH, /* Prefix P/: all under P/; P itself is redirected to P/ */
	NODE_ROUTE_COUNT
};

/* One element of a path. The root node of a host has the empty label and stands for "/": its Prefix is
 * NODE_PREFIX, its Exact is NODE_EXACT, and the other two are empty. */
struct path_node {
	struct table_span label;
	uint32_t label_hash;  /* low half of XXH3 of the label, seed 0 */
	uint32_t first_child; /* TABLE_NONE without children */
	uint32_t child_count;
	uint32_t routes[NODE_ROUTE_COUNT]; /* index or TABLE_NONE */
	uint32_t reserved;                 /* zero */
};

/* Where a host is found: XXH3 of its name, seeded with host_seed, says in which shard (hash.h), its high half at
 * which bucket the search begins; it ends at a free one. */
struct host_bucket {
	uint32_t host;      /* index, or TABLE_NONE: free */
	uint32_t name_hash; /* low half of the same hash; 0 where it is free */
};

enum host_wildcard {
	HOST_EXACT,
	HOST_ONE_LABEL,   /* exactly one label stands before the suffix */
	HOST_MANY_LABELS, /* one or more; the longest suffix wins */
	HOST_WILDCARD_COUNT
};

/* name: lower case. A wildcard is stored as its suffix with the dot: ".shop.example"; the host for
 * everything else has the empty name; shard 0 has it, and no other. */
struct host_record {
	struct table_span name;
	uint32_t root;       /* index of its root node */
	uint32_t tls;        /* index, TABLE_NONE: as the host for everything else */
	uint8_t wildcard;    /* enum host_wildcard */
	uint8_t passthrough; /* 1: connections by TLS go to the endpoints of its root as they are */
	uint8_t reserved[2];
};

/* A verified shard, mapped. Opaque but for these, which a request reads without a call. */
struct routes {
	const struct table_header *header; /* start of the mapping */
	const struct table_settings *settings;
	const struct ip_network *networks;
	const struct host_bucket *buckets;
	const struct host_record *hosts;
	const struct path_node *nodes;
	const struct route *routes;
	const struct route_policy *policies;
	const struct route_object *objects;
	const struct host_tls *tls;
	uint32_t network_count;
	uint32_t bucket_mask;
	uint32_t host_count;
	uint32_t node_count;
	uint32_t route_count;
	uint32_t policy_count;
	uint32_t object_count;
	uint32_t tls_count;
	uint32_t
		other_host; /* index of the host with the empty name; TABLE_NONE: another shard has it */
	bool many_labels; /* a host is HOST_MANY_LABELS: all suffixes of a name are tried, not the first alone */
	bool passthrough; /* a host has it: what clients say first by TLS is looked at */
};

/* Fills *routes from memory that seal.h mapped or a test built. Checks every offset, index, count, enum and
 * order; -1 with the reason when anything is off. After it, a look-up checks nothing. */
struct error;
int routes_verify(struct span segment, struct routes *routes, struct error *err);

/* The route for what passes a host as it is: that of its rule for all paths, else of that for "/" alone; NULL:
 * it has neither. Where the host has passthrough it is ROUTE_PROXY. */
const struct route *routes_root(const struct routes *routes, const struct host_record *host);

static inline struct span routes_text(const struct routes *routes, struct table_span text)
{
	return (struct span){(const char *)routes->header + text.at, text.len};
}
