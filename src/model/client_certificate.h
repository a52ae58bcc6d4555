/* SPDX-License-Identifier: Apache-2.0 */
/* What an Ingress wants of clients: auth-tls-* (compat spec, 7.9). Private to model/. */
#pragma once

#include "model/annotation.h"
#include "model/intent.h"

/* Reads the annotations into the intent, which holds the authorities. Where what guards cannot be had, hosts of the
 * Ingress refuse everybody; it is reported, as all that is wrong. */
void client_certificate_read(struct build *build, struct intent *intent,
			     const struct auth_tls_texts *texts);

bool client_certificate_is_same(const struct model_client_tls *a, const struct model_client_tls *b);
