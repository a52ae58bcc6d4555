/* SPDX-License-Identifier: Apache-2.0 */
/* The names of variables: what the text of a user and the table have in common. Texts are taken apart in
 * model/template.h, and filled for a request in proxy/template.h.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

enum variable {
	VARIABLE_NONE,
#define VARIABLE(id, name, state) VARIABLE_##id,
#include "base/variable.def"
#undef VARIABLE
	VARIABLE_COUNT
};

/* The variable of that name, in any case. *rest: what follows where only the beginning is known (VARIABLE_HTTP of
 * "http_x_user": "x_user"), never empty there; else empty. VARIABLE_NONE: there is none. */
enum variable variable_find(struct span name, struct span *rest);

/* Whether something follows its name. */
bool variable_is_named(enum variable variable);

/* It is empty in Ingot, as yet. */
bool variable_is_later(enum variable variable);

/* "remote_addr", "http_" */
struct span variable_name(enum variable variable);
