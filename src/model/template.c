/* SPDX-License-Identifier: Apache-2.0 */
#include "model/template.h"

#include "model/annotation.h"
#include "model/nearest.h"

/* A text on its way into parts. */
struct reading {
	struct arena *arena;
	struct span rest;
	struct model_template_part *parts;
	uint32_t count;
};

static bool is_name_byte(char byte)
{
	return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
	       byte == '_';
}

/* $1 to $9 are one byte long, whatever follows. */
static size_t name_length(struct span text)
{
	size_t length = 0;

	if (text.len > 0 && text.ptr[0] >= '1' && text.ptr[0] <= '9')
		return 1;
	while (length < text.len && is_name_byte(text.ptr[length]))
		length++;
	return length;
}

static struct span lower(struct arena *arena, struct span text)
{
	char *copy = arena_take_bytes(arena, text.len + 1);

	for (size_t i = 0; i < text.len; i++) {
		char byte = text.ptr[i];

		copy[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
	}
	return span_make(copy, text.len);
}

static const char *add(struct reading *reading, struct model_template_part part)
{
	if (reading->count == MODEL_TEMPLATE_PARTS_MAX)
		return "has more than 32 parts";
	reading->parts[reading->count++] = part;
	return NULL;
}

static const char *add_variable(struct reading *reading, struct span name)
{
	struct span rest;
	enum variable variable = variable_find(name, &rest);

	if (variable == VARIABLE_NONE)
		return add(reading,
			   (struct model_template_part){.kind = MODEL_PART_UNKNOWN, .text = name});
	return add(reading, (struct model_template_part){.kind = MODEL_PART_VARIABLE,
							 .variable = variable,
							 .text = lower(reading->arena, rest)});
}

/* Behind a '$'. */
static const char *read_variable(struct reading *reading)
{
	bool has_brace = span_starts_with(reading->rest, S("{"));
	struct span name = span_skip(reading->rest, has_brace);
	size_t length = name_length(name);

	if (length == 0)
		return "has a '$' without a name behind it";
	if (has_brace && (length == name.len || name.ptr[length] != '}'))
		return "has a '${' without its '}'";
	reading->rest = span_skip(name, length + has_brace);
	return add_variable(reading, span_take(name, length));
}

static const char *read_text(struct reading *reading)
{
	size_t length = span_find(reading->rest, '$');
	struct span text = span_take(reading->rest, length);

	reading->rest = span_skip(reading->rest, text.len);
	return add(reading, (struct model_template_part){.kind = MODEL_PART_TEXT, .text = text});
}

const char *template_parse(struct arena *arena, struct span text, struct model_template *template)
{
	struct reading reading = {.arena = arena, .rest = text};
	const char *fault = NULL;

	reading.parts = arena_take_zero(arena, MODEL_TEMPLATE_PARTS_MAX * sizeof(*reading.parts));
	while (reading.rest.len > 0 && fault == NULL) {
		if (reading.rest.ptr[0] == '$') {
			reading.rest = span_skip(reading.rest, 1);
			fault = read_variable(&reading);
		} else {
			fault = read_text(&reading);
		}
	}
	*template = (struct model_template){.parts = reading.parts, .count = reading.count};
	return fault;
}

static void report_unknown(struct build *build, const struct ingress *ingress, const char *name,
			   struct span variable)
{
	struct nearest nearest = nearest_to(variable);

	for (unsigned i = VARIABLE_NONE + 1; i < VARIABLE_COUNT && build->compared < NEAREST_BUDGET;
	     i++, build->compared++)
		nearest_offer(&nearest, variable_name((enum variable)i));
	diagnostics_add(build->diagnostics, DIAGNOSTIC_UNKNOWN_VARIABLE, &ingress->object,
			annotation_field(build, name),
			"has the variable %s, which nobody knows%s%s%s; it is empty",
			diagnostic_quote(variable),
			nearest.best.ptr == NULL ? "" : " (did you mean ",
			nearest.best.ptr == NULL ? "" : diagnostic_quote(nearest.best),
			nearest.best.ptr == NULL ? "" : "?)");
}

void template_report(struct build *build, const struct ingress *ingress, const char *name,
		     const struct model_template *template)
{
	for (uint32_t i = 0; i < template->count; i++) {
		const struct model_template_part *part = &template->parts[i];

		if (part->kind == MODEL_PART_UNKNOWN)
			report_unknown(build, ingress, name, part->text);
		else if (part->kind == MODEL_PART_VARIABLE && variable_is_later(part->variable))
			diagnostics_add(build->diagnostics, DIAGNOSTIC_UNKNOWN_VARIABLE,
					&ingress->object, annotation_field(build, name),
					"has the variable %s, which Ingot does not fill yet; it is "
					"empty",
					diagnostic_quote(variable_name(part->variable)));
	}
}
