/* SPDX-License-Identifier: Apache-2.0 */
#include "http/field.h"

#include "http/token.h"

enum {
	LENGTH_DIGITS_MAX = 19,   /* H41 */
	LOOKALIKE_BYTES_MAX = 64, /* no name of ours is as long */
};

/* What becomes of the field for which a reader that takes '_' (and its like) for '-' takes this name. */
static enum header_way way_of_lookalike(struct field_names rules, struct span name)
{
	char plain[LOOKALIKE_BYTES_MAX];
	enum header_id id;

	if (name.len > sizeof(plain))
		return HEADER_WAY_PASS;
	for (size_t i = 0; i < name.len; i++)
		plain[i] = token_byte_is(name.ptr[i], TOKEN_PLAIN) ? name.ptr[i] : '-';
	id = header_find((struct span){plain, name.len});
	return rules.is_response ? header_response_way(id) : header_request_way(id);
}

enum fault field_judge_odd_name(struct field_names rules, struct header *header)
{
	bool keep = rules.keep_odd;
	enum header_way way;

	if (!keep && rules.underscores) {
		keep = true;
		for (size_t i = 0; i < header->name.len; i++)
			keep &= header->name.ptr[i] == '_' ||
				token_byte_is(header->name.ptr[i], TOKEN_PLAIN);
	}
	way = keep ? way_of_lookalike(rules, header->name) : HEADER_WAY_PASS;
	/* a response's lookalike of a hop-by-hop field goes the way of that field; requests are stricter */
	header->dropped = !keep || (rules.is_response && way == HEADER_WAY_HOP);
	if (rules.is_response)
		return way == HEADER_WAY_FRAMING ? FAULT_BAD_FIELD : FAULT_NONE;
	return way == HEADER_WAY_PASS ? FAULT_NONE : FAULT_BAD_FIELD;
}

bool field_length_parse(struct span value, uint64_t *length)
{
	uint64_t sum;

	if (value.len > LENGTH_DIGITS_MAX || !span_to_u64(value, &sum) || sum > INT64_MAX)
		return false;
	*length = sum;
	return true;
}

bool field_each_says(const struct header *headers, uint32_t count, enum header_id id,
		     struct span value)
{
	for (uint32_t i = 0; i < count; i++)
		if (headers[i].id == id && !span_equals_nocase(headers[i].value, value))
			return false;
	return true;
}

bool field_may_trail(enum header_id id)
{
	if (id == HEADER_AUTHORIZATION || id == HEADER_COOKIE || id == HEADER_SET_COOKIE)
		return false;
	switch (header_request_way(id)) {
	case HEADER_WAY_PASS:
		return true;
	case HEADER_WAY_HOP:
	case HEADER_WAY_FRAMING:
	case HEADER_WAY_OURS:
	case HEADER_WAY_DROP:
		break;
	}
	return false;
}
