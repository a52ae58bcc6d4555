/* SPDX-License-Identifier: Apache-2.0 */
/* What a compiler remembers. Private to compile/. */
#pragma once

#include "compile/compile.h"
#include "compile/hosts.h"
#include "compile/ids.h"
#include "compile/services.h"

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
	struct hosts hosts;
	struct upstream_shards upstreams;
	bool is_short; /* an upstream got no number */
	const struct diagnostic_sink *sink;
};

/* Shards are as many as make each this large; they become more or fewer only when that is off by far. */
uint32_t compiler_shard_count(uint32_t present, uint32_t things);

/* Endpoints of the upstream may be others than those compiled last (endpoints.c). */
void compiler_ask(struct compiler *compiler, struct ids_upstream *upstream);

/* The upstream is about to be freed, and with it what was compiled of it (endpoints.c). */
void compiler_forget(struct compiler *compiler, struct ids_upstream *upstream);
