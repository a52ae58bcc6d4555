/* SPDX-License-Identifier: Apache-2.0 */
/* Who the client is and by which name it came, and whom of those that say so is believed (security spec,
 * F1–F4; compat spec, 13). */
#pragma once

#include <stdbool.h>

#include "base/ip.h"
#include "base/span.h"

struct exchange;
struct routes;
struct head_out;

/* What the forwarded fields of a request are made of. */
struct forwarded {
	bool trusted;      /* the peer's own forwarded fields are believed */
	bool lost;         /* there was no memory for the chain: nothing may be written */
	struct span chain; /* the client's X-Forwarded-For as received, all of its lines */
	struct span host;  /* best host, as it is sent */
	struct span proto;
	struct span port;
	char client_text[IP_TEXT_SIZE];
	size_t client_length;
	char port_text[8];
};

/* Whether that peer is one of proxy-real-ip-cidr. */
bool forwarded_trusts(const struct routes *routes, const struct ip *ip);

/* Who the client is, as far as the peer is believed: sets exchange->client and peer_trusted. The table is
 * pinned. */
void forwarded_find_client(struct exchange *exchange);

/* What stands for a host in HTTP/1.0 without Host (H37): the name of the rule, or where there is none, our own
 * address. The route is found. */
struct span forwarded_own_host(struct exchange *exchange);

/* Results may point into the request and into *forwarded. */
void forwarded_find(struct exchange *exchange, struct forwarded *forwarded);

/* The request's id: the client's where it is fit, else a new one where settings ask for it. Sets
 * exchange->request_id once. */
void forwarded_find_request_id(struct exchange *exchange);

/* X-Request-ID, X-Real-IP, X-Forwarded-* and their kin. */
void forwarded_write(struct exchange *exchange, const struct forwarded *forwarded,
		     struct head_out *out);
