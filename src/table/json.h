/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as text, indented, in the order of the calls: for people, and for diffs of golden files. Objects that belong
 * on one line are opened with JSON_LINE, and what is in them stays on it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json {
	struct buf *out;
	unsigned depth;      /* of open objects and lists */
	unsigned line_depth; /* of those that are on one line; 0: none is */
	bool has_value;      /* one stands before in the same object or list */
};

enum json_form { JSON_BLOCK, JSON_LINE };

void json_init(struct json *json, struct buf *out);

/* key: of a literal; NULL in a list and at the top. */
void json_open_object(struct json *json, const char *key, enum json_form form);
void json_close_object(struct json *json);
void json_open_list(struct json *json, const char *key, enum json_form form);
void json_close_list(struct json *json);

void json_text(struct json *json, const char *key, struct span text);
void json_number(struct json *json, const char *key, uint64_t number);
void json_bool(struct json *json, const char *key, bool value);
/* null; not named so because jansson has that name, and one executable links both. */
void json_none(struct json *json, const char *key);
