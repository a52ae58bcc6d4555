/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/template.h"

#include "base/arena.h"
#include "base/bug.h"
#include "model/template.h"

static_assert((int)MODEL_TEMPLATE_PARTS_MAX == (int)TEMPLATE_PARTS_MAX, "parts");

struct template_range template_add(struct builder *builder, unsigned section, struct span text)
{
	uint32_t first = builder_count(builder, section);
	struct model_template template;
	struct arena arena;
	uint32_t count;

	arena_init(&arena, NULL, 0, SIZE_MAX);
	BUG_ON(template_parse(&arena, text, &template) != NULL);
	for (uint32_t i = 0; i < template.count; i++) {
		const struct model_template_part *part = &template.parts[i];

		if (part->kind == MODEL_PART_UNKNOWN)
			continue;
		builder_add(builder, section,
			    &(struct template_part){.text = builder_text(builder, part->text),
						    .variable = (uint32_t)part->variable});
	}
	arena_fini(&arena);
	count = builder_count(builder, section) - first;
	return (struct template_range){.first = count > 0 ? first : 0, .count = count};
}
