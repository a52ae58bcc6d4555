/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object/config.h"

#include <string.h>

#include "kube/object/kinds.h"

void config_map_decode(struct fields *fields, const json_t *json)
{
	struct config_map *map = (struct config_map *)fields->object;

	map->data = fields_pairs(fields, json, "data", FIELDS_PAIR_IS_LEFT_OUT);
}

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Standard base64 with padding; line breaks, which block scalars leave, are passed over. Returns the number of
 * bytes, or -1. into has room for 3/4 of the text. */
static ssize_t base64_decode(struct span text, char *into)
{
	uint32_t bits = 0;
	unsigned count = 0;
	unsigned padding = 0;
	ssize_t length = 0;

	for (size_t i = 0; i < text.len; i++) {
		int value = sextet(text.ptr[i]);

		if (text.ptr[i] == '\n' || text.ptr[i] == '\r')
			continue;
		if (text.ptr[i] == '=' && count + padding < 4 && count >= 2) {
			padding++;
			continue;
		}
		if (value == -1 || padding > 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		if (++count == 4) {
			into[length++] = (char)(bits >> 16);
			into[length++] = (char)(bits >> 8);
			into[length++] = (char)bits;
			count = 0;
		}
	}
	if (count == 0)
		return length;
	if (count + padding != 4)
		return -1;
	into[length++] = (char)(bits >> (count == 2 ? 4 : 10));
	if (count == 3)
		into[length++] = (char)(bits >> 2);
	return length;
}

static void wrong_base64(struct fields *fields, struct span key)
{
	size_t before = fields_enter(fields, "data");

	fields->refused = true;
	fields_wrong(fields, DIAGNOSTIC_WRONG_TYPE, key.ptr,
		     "is not base64; write plain text under stringData instead");
	fields_leave(fields, before);
}

/* The text is replaced where it lies: the decoded form is shorter, and what is left of the encoded one is
 * wiped. */
static void decode_in_place(struct fields *fields, struct pair *pair)
{
	char *bytes = (char *)pair->value.ptr; /* in the arena of this object */
	ssize_t length = base64_decode(pair->value, bytes);
	size_t used = length == -1 ? 0 : (size_t)length;

	if (length == -1)
		wrong_base64(fields, pair->key);
	explicit_bzero(bytes + used, pair->value.len - used);
	pair->value.len = used;
}

static void wipe(struct span value)
{
	if (value.len > 0)
		explicit_bzero((char *)value.ptr, value.len); /* in the arena of this object */
}

void secret_decode(struct fields *fields, const json_t *json)
{
	struct secret *secret = (struct secret *)fields->object;
	struct pairs data = fields_pairs(fields, json, "data", FIELDS_PAIR_REFUSES);
	struct pairs text = fields_pairs(fields, json, "stringData", FIELDS_PAIR_REFUSES);
	struct pair *items = fields_array(fields, data.count + text.count, sizeof(*items));
	uint32_t count = 0;

	secret->type = fields_text(fields, json, "type");
	for (uint32_t i = 0; i < data.count; i++) {
		struct pair pair = data.items[i];

		if (json_is_string(
			    json_object_get(json_object_get(json, "stringData"), pair.key.ptr))) {
			wipe(pair.value);
			continue;
		}
		decode_in_place(fields, &pair);
		items[count++] = pair;
	}
	for (uint32_t i = 0; i < text.count; i++)
		items[count++] = text.items[i];
	secret->data = (struct pairs){items, count};
}
