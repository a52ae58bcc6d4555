/* SPDX-License-Identifier: Apache-2.0 */
/* What Ingresses say about TLS with clients of a host, other than certificates: ssl-ciphers and
 * ssl-prefer-server-ciphers (compat spec, 7.11). Private to model/.
 */
#pragma once

#include "model/annotation.h"
#include "model/host.h"

/* Into the intent. A value that does not fit counts as none: what the ConfigMap says holds. */
void host_tls_read(struct build *build, struct intent *intent,
		   const struct annotation_verdict *verdict);

/* Of each, the first Ingress with a value decides for the host. */
void host_tls_decide(struct build *build, struct host *host);
