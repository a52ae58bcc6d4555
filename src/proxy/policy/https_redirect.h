/* SPDX-License-Identifier: Apache-2.0 */
/* Plain requests for routes that are for https alone go there (ssl-redirect, force-ssl-redirect; compat spec, 14). */
#pragma once

#include <stdbool.h>

struct exchange;

/* The request is for https alone, and came in clear. The route is known. */
bool https_redirect_is_due(struct exchange *exchange);

/* Answers with a redirect where one is due. The route is known. False: the request goes on. */
bool https_redirect(struct exchange *exchange);
