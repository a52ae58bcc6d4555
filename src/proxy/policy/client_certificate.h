/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that ask clients for certificates: who gets in, and what endpoints are told (auth-tls-*; compat spec, 7.9;
 * security spec, T5 to T7).
 */
#pragma once

#include <stdbool.h>

#include "http/h1_write.h"
#include "io/tls_context.h"
#include "table/shards.h"

struct exchange;
struct head_out;

/* Answers where the host asks and the client does not satisfy it. The route is known. False: the request goes on. */
bool client_certificate_refuses(struct exchange *exchange);

/* Whether a field of that name might be taken for word of a client's certificate, which a client must not give
 * (security spec, F2). */
bool client_certificate_reserves(struct span name);

/* ssl-client-verify and its kin, where the host asks. */
void client_certificate_write(struct exchange *exchange, struct head_out *out);
