/* SPDX-License-Identifier: Apache-2.0 */
/* The model becomes shards. Pure: the model and the numbers given so far in, bytes and stable numbers out. The only
 * folder that sees model and table both.
 *
 * A compiler remembers which host and which upstream is in which shard, so that a change costs the shards that it
 * touches and not the table. First it is told what changed, then it compiles what that makes old.
 */
#pragma once

#include "base/buf.h"
#include "model/model.h"

/* What has which number (upstreams, endpoint slots, stat rows, each with an incarnation that grows when a number gets
 * another meaning) and lies in which shard. Lives as long as control; starts empty. A number that was given back is
 * used again as late as possible. */
struct compiler;

/* sink: kept; is told what is wrong with endpoints of upstreams that the model has. NULL: nobody is. */
struct compiler *compiler_new(const struct diagnostic_sink *sink);

/* Incarnations begin above the first (0 without this call): with another seed for each life of control, routes of an
 * earlier life can only miss its endpoints and never meet those of another upstream. The second is for the hash of
 * hosts: with one that nobody knows, names cannot be made to collide. Right after compiler_new. */
void compiler_seed(struct compiler *compiler, uint32_t incarnations, uint32_t hosts);

void compiler_free(struct compiler *compiler);

/* The model is like this now. changes: since the last call; NULL: everything may have changed. generation: that routes
 * of this model will have. */
void compiler_note(struct compiler *compiler, const struct model *model,
		   const struct model_changes *changes, uint64_t generation);

/* Slices of that Service changed: its upstreams have other endpoints from here on. Both are borrowed. */
void compiler_note_service(struct compiler *compiler, struct span namespace, struct span service);

/* An upstream got no number: everything is to be noted from now on, until all have one. */
bool compiler_is_short(const struct compiler *compiler);

/* Appends the shards of the `routes` table that are not known to be as they were, as a bundle of segments complete but
 * for being sealed; nothing where all are. False, here and below: a shard would be larger than TABLE_SEGMENT_MAX and is
 * left out. */
bool compile_routes(struct compiler *compiler, const struct model *model,
		    const struct model_options *options, uint64_t generation,
		    uint64_t built_wall_ns, struct buf *out);

/* The same of the `endpoints` table. Upstreams of earlier models whose numbers are still held (see compiler_release)
 * stay in it, so that routes of before find them. */
bool compile_endpoints(struct compiler *compiler, const struct store *store,
		       const struct model_options *options, uint64_t generation,
		       uint64_t built_wall_ns, struct buf *out);

/* Session tickets are sealed with these from now on, the first of them, and opened with all. Copied. At most
 * TICKET_KEYS_MAX. */
struct ticket_key;
void compiler_set_tickets(struct compiler *compiler, const struct ticket_key *keys, uint32_t count);

/* The same of the `certificates` table. What is appended holds keys: it is to be wiped (buf_wipe). */
bool compile_certificates(struct compiler *compiler, const struct model *model, uint64_t generation,
			  uint64_t built_wall_ns, struct buf *out);

/* Every worker obeys routes of that generation or later: numbers that only earlier ones named are free. True: the
 * endpoints are to be compiled. */
bool compiler_release(struct compiler *compiler, uint64_t routes_generation);
