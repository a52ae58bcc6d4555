/* SPDX-License-Identifier: Apache-2.0 */
/* The header that a load balancer puts before a connection to say whose it is: PROXY protocol, versions 1 and 2.
 * Bytes in, addresses out; nothing is guessed: what does not fit exactly is refused (security spec, F5).
 */
#pragma once

#include <stdbool.h>

#include "base/ip.h"

/* A whole header, TLVs included: what is longer is refused. Version 1 has at most 107 bytes. */
enum { PROXY_PROTOCOL_MAX = 536 };

enum proxy_protocol_status {
	PROXY_PROTOCOL_DONE, /* consumed bytes are the header */
	PROXY_PROTOCOL_MORE, /* it begins like one; nothing is consumed */
	PROXY_PROTOCOL_BAD,
};

struct proxy_protocol {
	enum proxy_protocol_status status;
	size_t consumed;
	bool is_local; /* the connection is the sender's own, or of a kind that has no addresses: the real ones hold */
	struct ip_port source;      /* who connected to the load balancer */
	struct ip_port destination; /* and to what */
};

/* bytes: what came so far, borrowed. */
struct proxy_protocol proxy_protocol_parse(struct span bytes);
