/* SPDX-License-Identifier: Apache-2.0 */
/* Values with variables, taken apart (compat spec, 32): $name, ${name}, and text between. What a request has of them is
 * for proxy/template.h.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/variable.h"

enum { MODEL_TEMPLATE_PARTS_MAX = 32 };

struct build;
struct ingress;

enum model_part_kind {
	MODEL_PART_TEXT,     /* stands as it is */
	MODEL_PART_VARIABLE, /* has a value in each request */
	MODEL_PART_UNKNOWN,  /* a variable that nobody knows: empty */
};

struct model_template_part {
	enum model_part_kind kind;
	enum variable variable; /* with MODEL_PART_VARIABLE */
	/* Of a variable what follows its name, in lower case ("x_user" of $http_X_User), or nothing; of an
	 * unknown one its name. */
	struct span text;
};

struct model_template {
	const struct model_template_part *parts; /* in the arena */
	uint32_t count;                          /* up to MODEL_TEMPLATE_PARTS_MAX */
};

/* Takes text apart; texts of parts point into it or into the arena. NULL, or what is wrong with it: "has a '$' without
 * a name". */
const char *template_parse(struct arena *arena, struct span text, struct model_template *template);

/* A diagnostic for each variable of the annotation's value that is unknown, or empty as yet. name: without prefix. */
void template_report(struct build *build, const struct ingress *ingress, const char *name,
		     const struct model_template *template);
