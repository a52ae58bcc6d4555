/* SPDX-License-Identifier: Apache-2.0 */
/* What the user asked for, whatever kind said it: hosts, routes, policies, upstreams, settings.
 *
 * Ingress comes in here, and later Gateway API; behind it they look the same. Objects in, model and diagnostics
 * out; no clock, no I/O, no global. What is wrong with an object becomes a diagnostic on that object; the rest of
 * the model stands.
 *
 * A model follows its store: an update makes anew what depends on the objects that changed, and the rest stays.
 * Whatever the history, it is what a model made at once from the same store would be, but for the order of
 * hosts and upstreams.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/ip.h"
#include "base/list.h"
#include "kube/diagnostic.h"
#include "kube/store.h"

/* What flags say about the reading of objects. */
struct model_options {
	struct span ingress_class;    /* --ingress-class */
	struct span controller_class; /* --controller-class */
	struct span watch_namespace;  /* empty: all */
	struct span config_map;       /* "namespace/name"; empty: none */
	struct span default_backend;  /* --default-backend-service "namespace/name"; empty: none */
	bool ingress_class_by_name;
	bool watch_without_class;
	bool disable_catch_all;
	bool allow_external_name; /* --disable-svc-external-name turns it off */
	bool ssl_passthrough;     /* --enable-ssl-passthrough */
	bool tenant_destinations_free; /* endpoints may be loopback and the like: a directory is trusted */
	struct span
		default_certificate; /* --default-ssl-certificate "namespace/name"; empty: none */
	/* What serves where no other certificate does, as workers decode it (DER, PKCS #8); an ECDSA key. Empty:
	 * nothing does. */
	struct span fallback_chain;
	struct span fallback_key;
};

/* How endpoints are chosen, in the order of table/endpoints.h, enum upstream_algorithm. */
enum model_algorithm { MODEL_ROUND_ROBIN, MODEL_EWMA, MODEL_LEAST_REQUESTS, MODEL_HASH };

struct model_balance {
	enum model_algorithm algorithm;
	struct span
		hash_by; /* with MODEL_HASH: a text with variables (template.h) that can be parsed */
	uint32_t subset_size;   /* with MODEL_HASH: the key chooses so many endpoints; 0: one */
	uint32_t bound_percent; /* with MODEL_HASH: of the mean load, what one may have; 0: any */
};
/* As nginx keeps it in a file: its name, the key of the authentication, the key of the cipher. */
enum { MODEL_TICKET_KEY_BYTES = 80 };

/* Global settings: ConfigMap keys with their defaults. Field by field what table_settings and
 * route_policy carry; see model/config_key.def. Durations in milliseconds, sizes in bytes. */
struct model_settings {
	uint32_t client_header_timeout_ms;
	uint32_t client_body_timeout_ms;
	uint32_t keep_alive_timeout_ms;
	uint32_t keep_alive_requests;
	uint32_t header_line_bytes;
	uint32_t header_total_bytes;
	uint32_t upstream_keepalive_connections;
	uint32_t upstream_keepalive_timeout_ms;
	uint32_t upstream_keepalive_time_ms;
	uint32_t upstream_keepalive_requests;
	uint32_t drain_timeout_ms;
	uint32_t proxy_header_timeout_ms;
	uint32_t stream_idle_timeout_ms;
	uint32_t stream_retry_timeout_ms;
	uint32_t stream_tries;
	uint32_t ssl_session_timeout_ms; /* how long a session may be resumed */
	uint32_t tls_record_bytes;       /* plaintext of a record at most */
	bool underscores_in_headers;
	bool ignore_invalid_headers;
	bool use_forwarded_headers;
	bool compute_full_forwarded_for;
	bool generate_request_id;
	bool add_original_uri;
	bool allow_backend_server_header;
	bool server_tokens;
	bool access_log;
	bool access_log_default_backend;
	bool retry_non_idempotent;
	bool ssl_redirect; /* where no annotation says otherwise; so the next */
	bool force_ssl_redirect;
	bool ssl_reject_handshake;
	bool ssl_session_tickets;
	bool use_proxy_protocol;
	bool stream_retry;
	bool use_http2;
	bool hsts;
	bool hsts_include_subdomains;
	bool hsts_preload;
	enum model_algorithm load_balance; /* where no annotation says otherwise */
	uint32_t tls_versions;             /* BIT(0): 1.2, BIT(1): 1.3 */
	uint32_t http_redirect_code;       /* 300 … 308 */
	uint32_t http2_concurrent_streams;
	struct span ssl_ciphers;          /* of TLS 1.2; empty: the default */
	struct span ssl_curves;           /* empty: the default */
	struct span dh_parameters;        /* DER; empty: no DHE */
	struct span ticket_key;           /* MODEL_TICKET_KEY_BYTES; empty: one is made */
	struct span hsts_max_age;         /* digits */
	struct span no_tls_redirect;      /* beginnings of paths, with commas */
	const struct ip_network *trusted; /* proxy-real-ip-cidr */
	uint32_t trusted_count;
};

/* When another endpoint is tried (proxy-next-upstream), in the order of table/routes.h, enum next_upstream. */
enum model_retry {
	MODEL_RETRY_ERROR,
	MODEL_RETRY_TIMEOUT,
	MODEL_RETRY_INVALID_HEADER,
	MODEL_RETRY_HTTP_500,
	MODEL_RETRY_HTTP_502,
	MODEL_RETRY_HTTP_503,
	MODEL_RETRY_HTTP_504,
	MODEL_RETRY_HTTP_403,
	MODEL_RETRY_HTTP_404,
	MODEL_RETRY_HTTP_429,
	MODEL_RETRY_NON_IDEMPOTENT,
	MODEL_RETRY_COUNT
};

struct model_policy {
	uint64_t body_limit_bytes;
	uint32_t connect_timeout_ms;
	uint32_t send_timeout_ms;
	uint32_t read_timeout_ms;
	uint32_t next_upstream; /* BIT(enum model_retry) */
	uint32_t next_upstream_tries;
	uint32_t next_upstream_timeout_ms;
	uint32_t response_head_bytes;
};

enum model_endpoint_state { MODEL_ENDPOINT_READY, MODEL_ENDPOINT_TERMINATING };

struct model_endpoint {
	struct ip_port at;
	enum model_endpoint_state state;
};

/* How the endpoints of an upstream are spoken to by TLS. */
struct model_upstream_tls {
	bool is_used;
	struct span
		certificate; /* that is shown to them, by name (model.certificates); empty: none */
	struct span authorities; /* that they are verified by, likewise; empty: they are not */
	struct span server_name; /* sent to them (SNI); empty: none */
	struct span verify_name; /* that their certificates must be good for; empty: any */
	struct span ciphers;     /* of TLS 1.2; empty: the default */
	uint32_t versions;       /* BIT(0): 1.2, BIT(1): 1.3 */
	uint32_t verify_depth;
};

/* A named group of endpoints: one Service port, as spelled in the rule ("80" and "http" are two), spoken to in one way.
 * Its text is its own. */
struct model_upstream {
	struct map_entry by_key; /* key: "namespace/service:port", and what is special about it */
	struct list link;        /* in model.upstreams */
	struct span name;        /* "namespace-service-port" */
	struct span namespace;
	struct span service;
	struct span port_name;     /* name of the Service port: that of the slices' port */
	uint16_t target_number;    /* for slices without ports */
	struct span external_name; /* ExternalName Services; else empty */
	uint16_t external_port;
	bool http2; /* is spoken to them, and not HTTP/1.1 */
	struct model_upstream_tls tls;
	struct model_balance balance;
};

enum model_certificate_kind {
	MODEL_CERTIFICATE_ECDSA,
	MODEL_CERTIFICATE_RSA,
	MODEL_CERTIFICATE_AUTHORITIES, /* those that vouch for others: no key */
};

/* Kinds of keys that a server may have side by side. */
enum { MODEL_KEY_KIND_COUNT = MODEL_CERTIFICATE_RSA + 1 };

/* A certificate with its key, or authorities, of a Secret. */
struct model_certificate {
	struct map_entry
		by_name; /* key: "namespace/name", of authorities with "/ca.crt" behind it; empty: the fallback */
	struct list link; /* in model.certificates */
	enum model_certificate_kind kind;
	uint8_t digest[32];  /* SHA-256 of what follows */
	struct span chain;   /* DER */
	struct span key;     /* DER, PKCS #8; a secret; empty: authorities */
	struct span revoked; /* DER: lists of what authorities have revoked; may be empty */
};

enum model_answer { MODEL_PROXY, MODEL_NOT_FOUND, MODEL_NO_SERVICE, MODEL_DENIED };
enum model_path_type { MODEL_EXACT, MODEL_PREFIX };

/* Its text is that of the store's objects or of the model. */
struct model_route {
	const struct model_route *next; /* next of its host, in order of age */
	struct span path; /* begins with '/'; as requests are compared: unreserved bytes plain,
				      * '%' and what no path may hold percent-encoded in capitals */
	enum model_path_type type;
	enum model_answer answer;
	const struct model_upstream *upstream; /* with MODEL_PROXY */
	const struct model_policy *policy;
	bool implicit;         /* the root that every host has */
	bool https_only;       /* plain requests are redirected to https */
	bool plain_anyway;     /* plain requests are served whatever else wants https */
	bool default_backend;  /* leads to the default backend */
	struct span namespace; /* of the Ingress; empty for the built-in default */
	struct span ingress;
	struct span service;      /* as written */
	struct span service_port; /* as written */
};

enum model_verify {
	MODEL_VERIFY_OFF,
	MODEL_VERIFY_ON,
	MODEL_VERIFY_OPTIONAL,
	MODEL_VERIFY_OPTIONAL_NO_CA,
	MODEL_VERIFY_COUNT
};

/* What clients of a host have to show. */
struct model_client_tls {
	enum model_verify verify;
	bool refuses; /* what was asked for cannot be had: everybody is refused */
	bool passes_certificate;
	uint32_t verify_depth;
	struct span authorities;     /* by name (model.certificates) */
	struct span subject_pattern; /* that the subject must match; empty: any */
	struct span error_page;      /* instead of 400; empty: none */
};

/* Who chooses among the ciphers that both sides have. */
enum model_preference { MODEL_PREFERENCE_NONE, MODEL_PREFERENCE_SERVER, MODEL_PREFERENCE_CLIENT };

struct model_host {
	struct map_entry
		by_name; /* key: lower case; "*.shop.example" for a wildcard; empty: every other host */
	struct list link; /* in model.hosts */
	const struct model_route *first;
	uint32_t route_count;
	bool has_tls; /* an Ingress names it in spec.tls, with a Secret that can be used or not */
	/* By kind; NULL: none. Both NULL: those of the host for everything else serve. */
	const struct model_certificate *certificates[MODEL_KEY_KIND_COUNT];
	struct model_client_tls client;
	bool passthrough; /* TLS goes to the endpoints of its "/" as it is, and is not ended here */
	struct span ciphers; /* of TLS 1.2; empty: those of the settings */
	bool client_prefers; /* the order of ciphers is the client's */
};

struct model {
	struct model_settings settings;
	struct map hosts_by_name;
	struct list hosts; /* by link: in order of first mention, as far as they came together */
	struct map upstreams_by_key;
	struct list upstreams; /* by link, likewise */
	struct map certificates_by_name;
	struct list certificates; /* by link, likewise */
	uint32_t route_count;     /* of all hosts */
	uint32_t ingress_count;   /* those that are served */
};

/* What an update made anew, by name; also what is not there any more. */
struct model_changes {
	bool everything; /* settings too; the lists are empty */
	const struct span *hosts;
	size_t host_count;
	const struct span *upstreams; /* keys */
	size_t upstream_count;
	const struct span *certificates; /* names */
	size_t certificate_count;
};

/* An empty model, to be updated. The three are kept; sink is told what is wrong with objects; NULL: nobody is. */
struct model *model_new(const struct store *store, const struct model_options *options,
			const struct diagnostic_sink *sink);

/* The sink is told nothing. */
void model_free(struct model *model);

/* now_s: seconds since 1970, by which certificates are judged.
 * The model becomes that of the store as it is, by the changes that the store has noted (not to be forgotten
 * before). Valid until the next update. The first update makes everything. Between a change of the store and
 * the update nothing may be read from the model but upstreams: text of objects that went is gone. */
const struct model_changes *model_update(struct model *model, int64_t now_s);

/* A model made at once; for commands. The store must not change while it lives, and has noted everything as changed.
 * diagnostics gets what is wrong. */
struct model *model_build(const struct store *store, const struct model_options *options,
			  int64_t now_s, struct diagnostics *diagnostics);

/* The endpoints of one upstream that may get requests now, without duplicates, in the order of address
 * and port: those that are ready, or where there is none those that serve while they terminate (Kubernetes API spec,
 * 4.3). Returns their number; *endpoints lies in the arena. None for an ExternalName.
 * Also reports addresses that may not be used (M6) unless options allow them. */
uint32_t model_endpoints(const struct store *store, const struct model_options *options,
			 const struct model_upstream *upstream, struct arena *arena,
			 const struct model_endpoint **endpoints, struct diagnostics *diagnostics);
