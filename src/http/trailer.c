/* SPDX-License-Identifier: Apache-2.0 */
#include "http/trailer.h"

#include "http/field.h"
#include "http/token.h"

static struct header parse_line(struct span line)
{
	const struct field_names rules = {.keep_odd = true, .is_response = true};
	struct header header = {.name = span_cut(&line, ':')};

	header.value = span_trim(line);
	header.id = (uint16_t)header_find(header.name);
	if (!token_is(header.name, TOKEN_PLAIN) &&
	    field_judge_odd_name(rules, &header) != FAULT_NONE)
		header.dropped = true;
	if (!field_may_trail((enum header_id)header.id))
		header.dropped = true;
	return header;
}

uint32_t trailer_parse(struct span section, struct header headers[static TRAILER_FIELDS_MAX])
{
	uint32_t count = 0;

	while (count < TRAILER_FIELDS_MAX) {
		struct span line = span_cut(&section, '\r');

		if (line.len == 0)
			break;
		headers[count++] = parse_line(line);
		section = span_skip(section, 1); /* LF */
	}
	return count;
}
