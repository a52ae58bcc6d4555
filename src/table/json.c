/* SPDX-License-Identifier: Apache-2.0 */
#include "table/json.h"

void json_init(struct json *json, struct buf *out)
{
	*json = (struct json){.out = out};
}

static void new_line(struct json *json)
{
	buf_add_byte(json->out, '\n');
	for (unsigned i = 0; i < json->depth; i++)
		buf_add(json->out, S("  "));
}

/* What stands before a value: comma, place, key. */
static void begin_value(struct json *json, const char *key)
{
	if (json->has_value)
		buf_add_byte(json->out, ',');
	if (json->line_depth == 0 && json->depth > 0)
		new_line(json);
	else if (json->has_value)
		buf_add_byte(json->out, ' ');
	if (key != NULL) {
		buf_add_byte(json->out, '"');
		buf_add(json->out, span_from(key));
		buf_add(json->out, S("\": "));
	}
	json->has_value = true;
}

static void open(struct json *json, const char *key, enum json_form form, char bracket)
{
	begin_value(json, key);
	buf_add_byte(json->out, bracket);
	json->depth++;
	if (json->line_depth > 0 || form == JSON_LINE)
		json->line_depth++;
	json->has_value = false;
}

static void close(struct json *json, char bracket)
{
	bool is_on_line = json->line_depth > 0;

	json->depth--;
	if (is_on_line)
		json->line_depth--;
	else if (json->has_value)
		new_line(json);
	buf_add_byte(json->out, bracket);
	json->has_value = true;
	if (json->depth == 0)
		buf_add_byte(json->out, '\n');
}

void json_open_object(struct json *json, const char *key, enum json_form form)
{
	open(json, key, form, '{');
}

void json_close_object(struct json *json)
{
	close(json, '}');
}

void json_open_list(struct json *json, const char *key, enum json_form form)
{
	open(json, key, form, '[');
}

void json_close_list(struct json *json)
{
	close(json, ']');
}

void json_text(struct json *json, const char *key, struct span text)
{
	begin_value(json, key);
	buf_add_byte(json->out, '"');
	buf_add_json(json->out, text);
	buf_add_byte(json->out, '"');
}

void json_number(struct json *json, const char *key, uint64_t number)
{
	begin_value(json, key);
	buf_printf(json->out, "%llu", (unsigned long long)number);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin_value(json, key);
	buf_add(json->out, value ? S("true") : S("false"));
}

void json_none(struct json *json, const char *key)
{
	begin_value(json, key);
	buf_add(json->out, S("null"));
}
