/* SPDX-License-Identifier: Apache-2.0 */
/* How the endpoints of an upstream are spoken to: connections of one way never serve another. */
#pragma once

#include "table/endpoints.h"

struct tls_context;

struct upstream_way {
	enum upstream_protocol protocol;
	struct tls_context *tls; /* NULL: plain */
};
