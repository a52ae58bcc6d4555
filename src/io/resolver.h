/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of names, by c-ares in the loop, as /etc/resolv.conf says. The configuration is read once, in
 * resolver_new; after it no file is touched.
 */
#pragma once

#include "base/error.h"
#include "base/ip.h"
#include "io/loop.h"

struct resolver;

enum { RESOLVER_ADDRESSES_MAX = 32 };

enum resolver_status {
	RESOLVER_OK,     /* at least one address */
	RESOLVER_ABSENT, /* the name does not exist, or has no address */
	RESOLVER_FAILED, /* no server answered usefully: it may work later */
};

struct resolver_answer {
	enum resolver_status status;
	uint32_t count;
	uint32_t ttl_s; /* the smallest of all records */
	struct ip ips[RESOLVER_ADDRESSES_MAX];
};

/* server: "192.0.2.53" or "192.0.2.53:5353" instead of those of resolv.conf; NULL: those. */
struct resolver *resolver_new(struct loop *loop, const char *server, struct error *err);

/* Questions under way are not answered any more. */
void resolver_free(struct resolver *resolver);

/* Asks for A and AAAA. name: NUL-terminated, at most 253 bytes, borrowed. on_answer is called once, maybe before this
 * returns; the answer is borrowed for the call. */
void resolver_ask(struct resolver *resolver, const char *name,
		  void (*on_answer)(void *owner, const struct resolver_answer *answer),
		  void *owner);
