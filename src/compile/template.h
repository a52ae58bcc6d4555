/* SPDX-License-Identifier: Apache-2.0 */
/* Values with variables, for a segment. Private to compile/. */
#pragma once

#include "table/builder.h"
#include "table/template.h"

/* Adds the parts of a text that the model has found to be right to that section; variables that nobody knows are left
 * out. */
struct template_range template_add(struct builder *builder, unsigned section, struct span text);
