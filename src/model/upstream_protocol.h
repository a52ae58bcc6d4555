/* SPDX-License-Identifier: Apache-2.0 */
/* How the endpoints of an Ingress are spoken to: backend-protocol and proxy-ssl-* (compat spec, 7.3 and 7.10), and
 * what Service ports say (appProtocol). Private to model/.
 */
#pragma once

#include "kube/object/service.h"
#include "model/annotation.h"
#include "model/intent.h"

/* Reads the annotations into the intent, which holds the certificates; denies it where it names a Secret that cannot be
 * used. What is wrong is reported. */
void upstream_protocol_read(struct build *build, struct intent *intent,
			    const struct annotation_verdict *verdict);

/* Which protocol a Service port is spoken to with; port: NULL: one that the Service does not declare. */
enum upstream_speech upstream_protocol_of(const struct intent *intent,
					  const struct service_port *port);

/* What a word of appProtocol says; UPSTREAM_SPEAKS_NOT_YET: one that Ingot does not know. */
enum upstream_speech upstream_protocol_of_word(struct span app_protocol);

static inline bool upstream_protocol_is_secure(enum upstream_speech speech)
{
	return speech == UPSTREAM_SPEAKS_HTTPS || speech == UPSTREAM_SPEAKS_GRPCS;
}

static inline bool upstream_protocol_is_http2(enum upstream_speech speech)
{
	return speech == UPSTREAM_SPEAKS_GRPC || speech == UPSTREAM_SPEAKS_GRPCS;
}

/* The settings of TLS for that Service, in the arena of the update; intent: NULL: nobody said anything. */
struct model_upstream_tls upstream_protocol_tls(struct build *build, const struct intent *intent,
						const struct service *service);

/* The intent leads to endpoints by TLS, through a backend of that field: where they are not verified it is told,
 * once. */
void upstream_protocol_note_tls(struct build *build, struct intent *intent, struct span field);
