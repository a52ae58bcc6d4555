/* SPDX-License-Identifier: Apache-2.0 */
/* What one Ingress wants: which hosts it names, and where their paths lead. Made from the Ingress and from the
 * Services that it names, and thrown away when one of them changes. Private to model/.
 */
#pragma once

#include "kube/object/ingress.h"
#include "model/build.h"

struct host;
struct intent;

/* A path of a host and where it leads. */
struct claim {
	struct span path; /* in match form */
	enum model_path_type type;
	uint32_t index; /* of the path in its rule */
	struct target target;
};

enum mention_kind {
	MENTION_CATCH_ALL, /* spec.defaultBackend of an Ingress without rules: wins whatever the ages */
	MENTION_RULE,
};

/* A rule names a host. */
struct mention {
	struct list of_host; /* who comes first wins (host.c) */
	struct intent *intent;
	struct host *host;
	enum mention_kind kind;
	uint32_t rule; /* index in the Ingress */
	struct claim *claims;
	uint32_t claim_count;
	bool is_shut; /* what guards it is not obeyed on the host (host.c) */
	/* What spec.tls says about the host: whether it decides how TLS is ended (the first that does, counts), and
	 * the certificates by kind; NULL: the default ones. */
	bool decides_tls;
	bool has_tls; /* the host is named in it */
	struct certificate *certificates[MODEL_KEY_KIND_COUNT];
};

/* What the endpoints of an Ingress are spoken to with. */
enum upstream_speech {
	UPSTREAM_SPEAKS_AS_PORT, /* as the Service port says, or HTTP */
	UPSTREAM_SPEAKS_HTTP,
	UPSTREAM_SPEAKS_HTTPS,
	UPSTREAM_SPEAKS_GRPC,    /* HTTP/2 in clear, known beforehand */
	UPSTREAM_SPEAKS_GRPCS,   /* HTTP/2 over TLS */
	UPSTREAM_SPEAKS_NOT_YET, /* something that Ingot does not: requests get 503 */
};

/* Whether TLS of its hosts is to go to endpoints as it is. */
enum passthrough_wish { PASSTHROUGH_UNSAID, PASSTHROUGH_NO, PASSTHROUGH_YES };

/* An object is named, which may be there or not: a Service by a backend, a Secret by spec.tls. */
struct object_use {
	struct list of_object; /* in build.intents_by_service or intents_by_secret */
	struct intent *intent;
	struct span name; /* "namespace/name" */
};

/* Uses of objects of one kind, in one of build's indexes. */
struct object_uses {
	struct list_map *index;
	struct object_use *items;
	uint32_t count;
};

/* An intent leads to an upstream. */
struct hold {
	struct list of_upstream; /* in upstream.holds */
	struct intent *intent;
	struct upstream *upstream;
};

struct intent {
	struct map_entry by_name;
	const struct ingress *ingress; /* in the store; it goes when that does */
	bool is_served;
	bool denied;                  /* an annotation guards and is not obeyed */
	bool has_default;             /* its spec.defaultBackend can be used */
	struct target default_target; /* of that */
	struct mention *mentions;
	uint32_t mention_count;
	struct object_uses services;
	struct object_uses secrets;
	struct hold *held;
	uint32_t held_count;
	struct certificate **certificates; /* held */
	uint32_t certificate_count;
	enum passthrough_wish passthrough;
	bool ssl_redirect; /* annotations over the ConfigMap */
	bool force_ssl_redirect;
	bool decides_client;              /* auth-tls-secret */
	struct model_client_tls client;   /* where it does */
	struct span ciphers;              /* ssl-ciphers; empty: it says nothing */
	enum model_preference preference; /* ssl-prefer-server-ciphers */
	struct model_balance balance;     /* load-balance, upstream-hash-by* */
	enum upstream_speech speech;      /* backend-protocol */
	struct model_upstream_tls tls;    /* where TLS is spoken; without names */
	struct span tls_name;             /* proxy-ssl-name; empty: that of the Service */
	bool sends_tls_name;              /* proxy-ssl-server-name */
	bool tells_unverified;            /* a diagnostic says that endpoints are not verified */
	struct list of_miss;              /* in build.intents_by_miss, where a Service is missing */
	struct span missed_in;            /* the namespace, where it is in that */
	struct diagnostics *diagnostics;  /* NULL: nothing is wrong */
	struct arena arena;               /* owns what the above need */
	_Alignas(16) char first[];        /* of the arena */
};

/* Room for what an Ingress can need at most, for intent_new. */
struct intent_room {
	uint32_t mentions;
	uint32_t backends;
	uint32_t secrets; /* mentions of them */
	size_t text;
};

/* Known by the name of the Ingress from now on. room: NULL: it is not served. */
struct intent *intent_new(struct build *build, const struct ingress *ingress,
			  const struct intent_room *room);

/* With all that it holds; the hosts that it names are old. */
void intent_free(struct build *build, struct intent *intent);

/* NULL: the Ingress of that name is not looked at. */
struct intent *intent_find(const struct build *build, struct span name);

/* It depends on that Service, or Secret, from now on. name: "namespace/name". */
void intent_use(struct intent *intent, struct object_uses *uses, struct span name);

/* A Service that it names is not there; others with nearly its name are reported. */
void intent_miss_service(struct build *build, struct intent *intent);

/* The upstream stays as long as the intent. */
void intent_hold(struct build *build, struct intent *intent, struct upstream *upstream);

/* So does the certificate. */
void intent_hold_certificate(struct intent *intent, struct certificate *certificate);
