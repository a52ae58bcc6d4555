/* SPDX-License-Identifier: Apache-2.0 */
/* Reading fields of one object, with diagnostics that name them. Private to kube/object/.
 *
 * A field of the wrong type makes the object refused, says so once with what was found and what is
 * accepted, and reads as absent. null is the same as absent.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "kube/diagnostic.h"
#include "kube/object/object.h"

struct fields {
	struct object *object;
	struct diagnostics *diagnostics;
	struct buf path; /* of the value that is being read: "spec.rules[0]" */
	bool refused;
};

/* Goes into a field or an entry of a list; what it returns is given to fields_leave. */
size_t fields_enter(struct fields *fields, const char *key);
size_t fields_enter_index(struct fields *fields, size_t index);
void fields_leave(struct fields *fields, size_t before);

/* A diagnostic on the present path, or on `key` below it where that is not NULL. */
void fields_wrong(struct fields *fields, enum diagnostic_id id, const char *key, const char *format,
		  ...) __attribute__((format(printf, 4, 5)));

/* "a list", "the number 8", "the text "on"": what was found instead. One of four static buffers. */
const char *fields_found(const json_t *value);

/* {NULL, 0} when absent; copied into the arena of the object. */
struct span fields_text(struct fields *fields, const json_t *parent, const char *key);

bool fields_bool(struct fields *fields, const json_t *parent, const char *key, bool absent);

/* A whole number from least to most; `absent` when there is none. */
int64_t fields_number(struct fields *fields, const json_t *parent, const char *key, int64_t least,
		      int64_t most, int64_t absent);

/* NULL when absent. entry: what an entry is and begins with, for the message: "each path starts with "- "". */
json_t *fields_list(struct fields *fields, const json_t *parent, const char *key,
		    const char *entry);
json_t *fields_map(struct fields *fields, const json_t *parent, const char *key);

/* Whether an entry of a list is a mapping; on the present path. */
bool fields_is_map(struct fields *fields, const json_t *entry);

/* What happens to a pair whose value is no text. */
enum fields_pair_fault { FIELDS_PAIR_REFUSES, FIELDS_PAIR_IS_LEFT_OUT };
struct pairs fields_pairs(struct fields *fields, const json_t *parent, const char *key,
			  enum fields_pair_fault fault);

/* Takes zeroed room for count structs of that size from the arena of the object. */
void *fields_array(struct fields *fields, size_t count, size_t size);
