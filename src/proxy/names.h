/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of ExternalName backends, resolved when a request needs them and kept for their TTL. What was known is
 * used on while it is being refreshed, and for a while when no server answers.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "io/resolver.h"
#include "proxy/balance/balance.h"
#include "stats/layout.h"

struct name_waiter {
	struct list link;
	void (*on_known)(struct name_waiter *waiter);
};

struct names {
	struct loop *loop;
	struct resolver *resolver; /* NULL: none could be set up; every name fails */
	struct worker_counters *counters;
	struct map by_key; /* struct name, by "name:port" */
	uint32_t count;
};

enum names_status {
	NAMES_KNOWN, /* *choice has its endpoints, borrowed for this event */
	NAMES_ASKED, /* on_known is called later, maybe to find that it failed: ask again then */
	NAMES_FAILED,
};

/* Takes the resolver. */
void names_init(struct names *names, struct loop *loop, struct resolver *resolver,
		struct worker_counters *counters);
void names_fini(struct names *names);

/* name: at most 253 bytes; an IP address is its own answer. Sets endpoints and count of the choice. waiter is
 * kept while NAMES_ASKED, until it is called or name_waiter_cancel. */
enum names_status names_find(struct names *names, struct span name, uint16_t port,
			     struct name_waiter *waiter,
			     void (*on_known)(struct name_waiter *waiter),
			     struct balance_choice *choice);

void name_waiter_init(struct name_waiter *waiter);

/* Harmless when it waits for nothing. */
void name_waiter_cancel(struct name_waiter *waiter);
