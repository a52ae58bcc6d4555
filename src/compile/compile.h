/* SPDX-License-Identifier: Apache-2.0 */
/* The model becomes segments. Pure: the model and the ids given so far in, bytes and stable ids out. The only
 * folder that sees model and table both.
 */
#pragma once

#include "base/buf.h"
#include "model/model.h"

/* Which numbers are given to what: upstreams, endpoint slots, stat rows, each with an incarnation that grows
 * when a number gets another meaning. Lives as long as control; starts empty. A number that was
 * given back is used again as late as possible. */
struct ids;

struct ids *ids_new(void);

/* Incarnations begin above seed (0 without this call): with another seed for each life of control, routes of an
 * earlier life can only miss its endpoints and never meet those of another upstream. Right after ids_new. */
void ids_seed(struct ids *ids, uint32_t seed);

void ids_free(struct ids *ids);

/* The `routes` segment of a model, complete but for being sealed. Appends to *out, which is empty; it stays
 * empty, here and below, where the segment would be larger than TABLE_SEGMENT_MAX. */
void compile_routes(const struct model *model, const struct model_options *options, struct ids *ids,
		    uint64_t generation, uint64_t built_wall_ns, struct buf *out);

/* The `endpoints` segment. Upstreams of earlier models whose ids are still held (see ids_release) stay in it, so
 * that routes of before find them. diagnostics gets what model_endpoints has to say. */
void compile_endpoints(const struct model *model, const struct store *store,
		       const struct model_options *options, struct ids *ids, uint64_t generation,
		       uint64_t built_wall_ns, struct buf *out, struct diagnostics *diagnostics);

/* Every worker obeys routes of that generation or later: ids that only earlier ones named are free. */
void ids_release(struct ids *ids, uint64_t routes_generation);
