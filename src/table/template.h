/* SPDX-License-Identifier: Apache-2.0 */
/* Texts with variables, taken apart: parts that lie side by side in a section of their segment. A record names its
 * first part and how many there are.
 */
#pragma once

#include "base/variable.h"
#include "table/format.h"

enum { TEMPLATE_PARTS_MAX = 32 };

struct template_part {
	struct table_span
		text; /* VARIABLE_NONE: stands as it is; with a variable that is named: of what, in lower case */
	uint32_t variable; /* enum variable */
};

/* Which parts of a section. */
struct template_range {
	uint32_t first; /* 0 where there are none */
	uint32_t count; /* up to TEMPLATE_PARTS_MAX */
};

/* One of a verified segment. */
struct template_text {
	const struct table_header *segment;
	const struct template_part *parts;
	uint32_t count;
};

/* Whether a reader may rely on the part; its text lies in the segment. */
static inline bool template_part_is_sound(const struct template_part *part)
{
	if (part->variable >= VARIABLE_COUNT)
		return false;
	return part->variable == VARIABLE_NONE ||
	       variable_is_named((enum variable)part->variable) == (part->text.len > 0);
}

static inline struct span template_part_text(const struct template_text *text,
					     const struct template_part *part)
{
	return (struct span){(const char *)text->segment + part->text.at, part->text.len};
}
