/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets and host names: taken apart, checked, and brought into the form in which routes are
 * looked up (security spec, H21–H36, P1–P7; RFC 3986; RFC 9112, 3.2).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"
#include "http/fault.h"
#include "http/head.h"

enum uri_form { URI_ORIGIN, URI_ABSOLUTE, URI_ASTERISK };

struct uri {
	enum uri_form form;
	struct span path;       /* as received; "/" where an absolute target has none */
	struct span query;      /* with its '?', or empty */
	struct span authority;  /* of an absolute target, else empty */
	struct span match_path; /* after P1, P2 and P4: what routes are looked up with */
	struct span sent_path;  /* path, or where P2 changed something the path after P1 and P2 */
	bool https;             /* scheme of an absolute target */
	bool has_readings; /* P5: '%2F', '%5C', ';' or '//' is in it, so uri_reading may differ */
};

/* Takes a target apart and normalizes its path. method decides which forms are allowed (H25, H26).
 * Results point into target or into the arena. FAULT_NONE, or BAD_TARGET, BAD_PATH, OUT_OF_MEMORY.
 * A path with nothing to normalize costs one scan and no memory. */
enum fault uri_parse(struct span target, enum method method, struct arena *arena, struct uri *uri);

/* The other readings of a path (P5): what a backend could take it for. */
enum uri_reading {
	URI_READING_DECODED_SLASH,         /* %2F and %5C are separators */
	URI_READING_NO_PARAMETERS,         /* each segment ends at its ';' */
	URI_READING_UNMERGED,              /* runs of '/' are not merged */
	URI_READING_DECODED_NO_PARAMETERS, /* first the one, then the other */
	URI_READING_NO_PARAMETERS_DECODED, /* the other way round */
	URI_READING_COUNT
};

/* The match path under that reading, in the arena. {NULL, 0}: it climbs above the root, or memory is
 * out; then nothing is known of that reading and the request must be refused. */
struct span uri_read(const struct uri *uri, enum uri_reading reading, struct arena *arena);

enum { HOST_NAME_BYTES = 253 };

struct host {
	struct span value; /* as received */
	struct span
		name;  /* lower case, no port, no trailing dot; IPv6 literals keep their brackets */
	uint16_t port; /* 0: none was given */
	char storage[HOST_NAME_BYTES +
		     3]; /* private to uri.c: where name lies when it had to be changed */
};

/* Checks and levels the value of a Host field or an authority (H34–H36). False: it is malformed or
 * empty. name points into value or into *host: do not copy the struct. */
bool host_parse(struct span value, struct host *host);

/* Same host and port after levelling, with default_port where one is absent (H23). */
bool host_equals(const struct host *a, const struct host *b, uint16_t default_port);
