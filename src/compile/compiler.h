/* SPDX-License-Identifier: Apache-2.0 */
/* What a compiler remembers. Private to compile/. */
#pragma once

#include "compile/compile.h"
#include "compile/deal.h"
#include "compile/ids.h"
#include "compile/services.h"
#include "table/certificates.h"

/* Upstreams, and which of their shards are old. */
struct upstream_shards {
	uint32_t count; /* 0: none was compiled yet */
	uint64_t set;
	bool *old;           /* by shard */
	struct list asked;   /* upstreams whose endpoints are to be asked for anew */
	struct list starved; /* upstreams with endpoints that got no slot */
};

struct compiler {
	struct ids ids;
	struct services services;
	struct deal hosts;
	struct deal certificates;
	struct ticket_key tickets[TICKET_KEYS_MAX]; /* wiped */
	uint32_t ticket_count;
	struct upstream_shards upstreams;
	bool is_short; /* an upstream got no number */
	const struct diagnostic_sink *sink;
};

/* A certificate as the table names it: by a hash that nobody can make collide (certificates.c). */
struct certificate_id compiler_certificate_id(struct span name);

/* The name of a host as the table has it: a wildcard without its star (routes.c). */
struct span compiler_stored_host(struct span name);

/* In which shard hosts and certificates are; for their deals. */
uint32_t compiler_host_shard(const struct deal *deal, struct span name);
uint32_t compiler_certificate_shard(const struct deal *deal, struct span name);

/* Shards are as many as make each this large; they become more or fewer only when that is off by far. */
uint32_t compiler_shard_count(uint32_t present, uint32_t things);

/* Endpoints of the upstream may be others than those compiled last (endpoints.c). */
void compiler_ask(struct compiler *compiler, struct ids_upstream *upstream);

/* The upstream is about to be freed, and with it what was compiled of it (endpoints.c). */
void compiler_forget(struct compiler *compiler, struct ids_upstream *upstream);
