/* SPDX-License-Identifier: Apache-2.0 */
/* Command line flags as pflag has them, since manifests of ingress-nginx are to start unchanged:
 * `--name=value`, `--name value`, a bool alone or `--name=false`; of one letter `-v 2`, `-v=2` and `-v2`. A flag
 * that comes twice takes its last value; only lists add up. `--` ends the flags. A command that works on
 * something named by plain arguments (files, a host) takes them before, between and behind its flags.
 *
 * A table of struct flag says what there is; the values come back in an array beside it. Everything is
 * checked here, so that whoever uses a value cannot meet a wrong one.
 */
#pragma once

#include <stdio.h>

#include "base/error.h"
#include "base/ip.h"
#include "base/span.h"

enum flag_type {
	FLAG_BOOL,        /* number: 0 or 1 */
	FLAG_TEXT,        /* anything, the empty text too */
	FLAG_NUMBER,      /* number: 0 … UINT32_MAX */
	FLAG_COUNT,       /* "auto" (number: 0) or 1 … 256 */
	FLAG_DECIMAL,     /* "0.3"; kept as text */
	FLAG_PORT,        /* number: 1 … 65535 */
	FLAG_PORT_OR_OFF, /* the same, or "off": 0 */
	FLAG_DURATION, /* "240", "10s", "500ms", "1m30s"; number: milliseconds; a bare number counts seconds */
	FLAG_OBJECT,    /* "namespace/name", or empty */
	FLAG_WORD,      /* one of the words in `argument`, apart by '|'; number: its index */
	FLAG_ADDRESS,   /* "ADDRESS:PORT", ":PORT" (address is ::) or "off" (port is 0); at */
	FLAG_ADDRESSES, /* IP addresses, apart by commas, repeatable; parts */
	FLAG_NUMBERS,   /* likewise numbers; parts and numbers */
	FLAG_OPERAND,   /* its value is a plain argument more, repeatable: `-f FILE` is `FILE` */
};

struct flag {
	const char *name;
	char letter; /* '\0': none */
	enum flag_type type;
	const char *fallback; /* what holds when it is not given, as it would be written */
	const char *argument; /* word for the value in the help, e.g. "PORT" */
	const char *help;     /* NULL: not shown */
	int group;            /* the caller's own: an index of its groups */
};

/* FLAG_ADDRESSES, FLAG_NUMBERS: how many there may be. */
enum { FLAG_PARTS_MAX = 16 };

struct flag_value {
	const char *text; /* as written; borrowed from argv or from the fallback */
	uint64_t number;
	struct span parts[FLAG_PARTS_MAX];
	uint32_t numbers[FLAG_PARTS_MAX];
	uint32_t part_count;
	struct ip_port at;
	bool given;
};

struct flag_set {
	const char *command; /* "ingot run": where a message sends the reader */
	const char
		*operands; /* what plain arguments are, e.g. "FILE|DIR"; NULL: there may be none */
	const struct flag *flags;
	size_t count;
};

enum flags_result {
	FLAGS_DONE,
	FLAGS_HELP, /* -h or --help was among them */
	FLAGS_BAD,  /* *err says what is wrong, what is accepted and where to read on */
};

/* Reads argv[1] and on into values, one for each flag of the set. rest: gets the index behind "--", or argc;
 * NULL: nothing may follow. With operands, argv is put in order and those stand at its end, from *rest to argc - 1. */
enum flags_result flags_parse(const struct flag_set *set, int argc, char **argv,
			      struct flag_value *values, int *rest, struct error *err);

/* Prints the flags of a group, one or more lines each, at most 100 columns wide. */
void flags_print(const struct flag_set *set, int group, FILE *to);

/* The same without help: only the names, as lines of text. */
void flags_print_names(const struct flag_set *set, int group, FILE *to);

/* The candidate that a mistyped word most likely meant, or NULL where none is near. */
const char *flag_nearest(struct span word, const char *const *candidates, size_t count);
