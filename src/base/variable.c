/* SPDX-License-Identifier: Apache-2.0 */
#include "base/variable.h"

enum state { KNOWN, NAMED, LATER, LATER_NAMED };

static const struct {
	const char *name;
	enum state state;
} variables[VARIABLE_COUNT] = {
#define VARIABLE(id, name, state) [VARIABLE_##id] = {name, state},
#include "base/variable.def"
#undef VARIABLE
};

bool variable_is_named(enum variable variable)
{
	return variables[variable].state == NAMED || variables[variable].state == LATER_NAMED;
}

bool variable_is_later(enum variable variable)
{
	return variables[variable].state == LATER || variables[variable].state == LATER_NAMED;
}

struct span variable_name(enum variable variable)
{
	return span_from(variables[variable].name);
}

/* A whole name wins over a beginning. */
enum variable variable_find(struct span name, struct span *rest)
{
	enum variable beginning = VARIABLE_NONE;

	*rest = S("");
	for (unsigned i = VARIABLE_NONE + 1; i < VARIABLE_COUNT; i++) {
		struct span known = variable_name((enum variable)i);

		if (!variable_is_named((enum variable)i)) {
			if (span_equals_nocase(name, known))
				return (enum variable)i;
		} else if (name.len > known.len &&
			   span_equals_nocase(span_take(name, known.len), known)) {
			beginning = (enum variable)i;
		}
	}
	if (beginning != VARIABLE_NONE)
		*rest = span_skip(name, variable_name(beginning).len);
	return beginning;
}
