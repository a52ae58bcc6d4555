/* SPDX-License-Identifier: Apache-2.0 */
/* A host is served over connections with its own ciphers alone (ssl-ciphers, ssl-prefer-server-ciphers): who asks for
 * it over one that was opened under a name with others gets 421 and comes again.
 */
#pragma once

#include <stdbool.h>

struct exchange;

/* Answers where that is so. The route is known. False: the request goes on. */
bool same_ciphers_refuses(struct exchange *exchange);
