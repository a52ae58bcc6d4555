/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics: what is wrong with a user's object, in words that teach (user-experience spec, 5). They are
 * values on lists, made by kube (decoding) and model (meaning), shown by check, logs, metrics, Events.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "kube/object/object.h"

enum diagnostic_id {
#define DIAGNOSTIC(name, code, level, reason, meaning) DIAGNOSTIC_##name,
#include "kube/diagnostic.def"
#undef DIAGNOSTIC
	DIAGNOSTIC_COUNT
};

enum diagnostic_level {
	DIAGNOSTIC_LEVEL_ERROR,   /* not served as written */
	DIAGNOSTIC_LEVEL_WARNING, /* served, probably not as meant */
	DIAGNOSTIC_LEVEL_NOTE,    /* no effect, or worth knowing */
};

struct diagnostic {
	struct diagnostic *next;
	enum diagnostic_id id;
	struct span kind;   /* "Ingress"; empty for a whole file */
	struct span object; /* "shop/web", or "name" without namespace; empty for a whole file */
	struct span field;  /* "spec.rules[0].host"; may be empty */
	struct span text; /* WHAT was found; what is expected or happens now. No object, no field */
	struct span file; /* empty: not from a file */
	uint32_t line;    /* 0: unknown */
	uint32_t column;  /* 0: unknown */
};

/* A list that owns its text. */
struct diagnostics {
	struct arena arena;
	struct diagnostic *first;
	struct diagnostic **last;
	uint32_t counts[3]; /* by level */
};

/* Who is told of lists that come and go as what they are about does. Lists are borrowed for the call. */
struct diagnostic_sink {
	void *owner;
	void (*on_new)(void *owner, const struct diagnostics *list);
	void (*on_gone)(void *owner, const struct diagnostics *list); /* one that was new before */
};

void diagnostics_init(struct diagnostics *list);
void diagnostics_fini(struct diagnostics *list);

/* On a field of an object; file, line and column come from the object. field may be empty. */
void diagnostics_add(struct diagnostics *list, enum diagnostic_id id, const struct object *object,
		     struct span field, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* On a place in a file that is no object yet. */
void diagnostics_add_place(struct diagnostics *list, enum diagnostic_id id, struct span file,
			   uint32_t line, uint32_t column, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* Copies all of from behind what list has. */
void diagnostics_append(struct diagnostics *list, const struct diagnostics *from);

/* A list on the heap. */
struct diagnostics *diagnostics_new(void);
void diagnostics_free(struct diagnostics *list);

/* *kept becomes what was found now, and the sink is told of both. found: of diagnostics_new, taken; *kept is NULL where
 * it is empty. sink: NULL: nobody is told. */
void diagnostics_replace(struct diagnostics **kept, struct diagnostics *found,
			 const struct diagnostic_sink *sink);

/* The list goes, and the sink is told. *kept: NULL: there is none. */
void diagnostics_drop(struct diagnostics **kept, const struct diagnostic_sink *sink);

/* Appends one line without line end:
 * web.yaml:14:9: error IGT1101: shop/web: spec.rules[0].host: "a_b.com" is not a DNS name … */
void diagnostic_write(const struct diagnostic *diagnostic, struct buf *buf);

/* Text of a user's object as messages quote it: in quotes, control characters escaped, shortened in the
 * middle beyond 80 characters. One of eight static buffers in turn: for arguments of one call. */
const char *diagnostic_quote(struct span text);

unsigned diagnostic_code(enum diagnostic_id id);
enum diagnostic_level diagnostic_level(enum diagnostic_id id);
const char *diagnostic_level_name(enum diagnostic_level level);
const char *diagnostic_reason(enum diagnostic_id id);
