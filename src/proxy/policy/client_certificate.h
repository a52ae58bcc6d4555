/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that ask clients for certificates: who gets in, and what endpoints are told (auth-tls-*; compat spec, 7.9;
 * security spec, T5 to T7).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/tls_context.h"
#include "table/shards.h"

struct exchange;
struct head_out;

/* What a connection was opened under: what the host asked for then, and of whom. All zero: nothing. False: it
 * asks, and its authorities are not in the table. */
bool client_certificate_tag(const struct shards *certificates, const struct host_tls *host,
			    struct tls_tag *tag);

/* Answers where the host asks and the client does not satisfy it. The route is known. False: the request goes on. */
bool client_certificate_refuses(struct exchange *exchange);

/* ssl-client-verify and its kin, where the host asks. */
void client_certificate_write(struct exchange *exchange, struct head_out *out);
