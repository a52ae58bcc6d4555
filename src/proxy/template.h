/* SPDX-License-Identifier: Apache-2.0 */
/* Texts with variables, filled for an exchange (compat spec, 32). A variable that is absent is empty. */
#pragma once

#include "table/template.h"

struct exchange;

/* Longer ones come to nothing. */
enum { TEMPLATE_BYTES_MAX = 64 * 1024 };

/* The text with its values, in the arena of the exchange. The route is found. {NULL, 0}: it is empty; or longer than
 * TEMPLATE_BYTES_MAX, or there is no memory, and then *lost. */
struct span template_expand(struct exchange *exchange, const struct template_text *text,
			    bool *lost);

/* A hash of the text with its values, without writing it down; the same for the same text, whatever its parts are. */
uint64_t template_hash(struct exchange *exchange, const struct template_text *text);
