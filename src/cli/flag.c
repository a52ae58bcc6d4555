/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flag.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/memory.h"
#include "cli/flag_value.h"

/* How far a mistyped word may be from what it is taken for, and how long a word may be for that. */
enum { NEAR = 2, WORD_MAX = 48 };

enum { HELP_COLUMN = 34, LINE_WIDTH = 98 };

/* An argument of the command line, taken apart. */
struct argument {
	struct span name;                    /* without dashes */
	enum { LONG, LETTER, NEITHER } kind; /* one dash and a long name is neither */
	const char *value;                   /* NULL: none was attached */
};

/* Underscores count as dashes: klog's flags are written either way. */
static bool is_same_name(struct span a, const char *b)
{
	size_t i = 0;

	for (; i < a.len && b[i] != '\0'; i++) {
		char x = a.ptr[i] == '_' ? '-' : a.ptr[i];
		char y = b[i] == '_' ? '-' : b[i];

		if (x != y)
			return false;
	}
	return i == a.len && b[i] == '\0';
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Letters to insert, leave out or change (Levenshtein). b is shorter than WORD_MAX. */
static unsigned distance(struct span a, struct span b)
{
	unsigned row[WORD_MAX + 1];

	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);

			diagonal = row[j];
			row[j] = min3(row[j] + 1, row[j - 1] + 1, change);
		}
	}
	return row[b.len];
}

const char *flag_nearest(struct span word, const char *const *candidates, size_t count)
{
	const char *nearest = NULL;
	unsigned least = NEAR + 1;

	for (size_t i = 0; i < count; i++) {
		struct span candidate = span_from(candidates[i]);
		unsigned apart;

		if (candidate.len > WORD_MAX || word.len > WORD_MAX)
			continue;
		apart = distance(word, candidate);
		if (apart >= least || apart >= candidate.len)
			continue;
		least = apart;
		nearest = candidates[i];
	}
	return nearest;
}

static const char *nearest_flag(const struct flag_set *set, struct span name)
{
	const char *nearest = NULL;
	unsigned least = NEAR + 1;

	for (size_t i = 0; i < set->count; i++) {
		const char *one = flag_nearest(name, &set->flags[i].name, 1);
		unsigned apart = one == NULL ? least : distance(name, span_from(one));

		if (apart >= least)
			continue;
		least = apart;
		nearest = one;
	}
	return nearest;
}

static const struct flag *find_flag(const struct flag_set *set, const struct argument *argument)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct flag *flag = &set->flags[i];

		if ((argument->kind == LETTER && flag->letter == argument->name.ptr[0]) ||
		    (argument->kind == LONG && is_same_name(argument->name, flag->name)))
			return flag;
	}
	return NULL;
}

/* text begins with '-' and has more than that. */
static struct argument take_apart(const char *text)
{
	bool is_long = text[1] == '-';
	struct span name = span_from(text + (is_long ? 2 : 1));
	size_t equals = span_find(name, '=');
	struct argument argument = {.name = span_take(name, equals)};

	if (equals != SIZE_MAX)
		argument.value = name.ptr + equals + 1;
	if (!is_long && name.len == 2 && name.ptr[1] >= '0' && name.ptr[1] <= '9') {
		/* "-v2" */
		argument.name = span_take(name, 1);
		argument.value = name.ptr + 1;
	}
	if (!is_long)
		argument.kind = argument.name.len == 1 ? LETTER : NEITHER;
	return argument;
}

static bool is_help(const struct argument *argument)
{
	return argument->kind == LETTER ? argument->name.ptr[0] == 'h'
					: span_equals(argument->name, S("help"));
}

static int unknown_flag(const struct flag_set *set, const char *text,
			const struct argument *argument, struct error *err)
{
	const char *nearest = argument->kind == LETTER ? NULL : nearest_flag(set, argument->name);
	int len = (int)strcspn(text, "=");

	if (nearest == NULL)
		return error_set(err, "unknown flag %.*s (%s --help)", len, text, set->command);
	return error_set(err, "unknown flag %.*s; did you mean --%s? (%s --help)", len, text,
			 nearest, set->command);
}

static int wrong_value(const struct flag_set *set, const struct flag *flag, const char *text,
		       struct error *err)
{
	if (flag->type == FLAG_WORD)
		return error_set(err, "--%s: \"%s\" is not one of %s (%s --help)", flag->name, text,
				 flag->argument, set->command);
	return error_set(err, "--%s: \"%s\" %s (%s --help)", flag->name, text,
			 flag_value_wanted(flag->type), set->command);
}

static int set_flag(const struct flag_set *set, const struct flag *flag, const char *text,
		    struct flag_value *value, struct error *err)
{
	/* the fallback of a list is not added to */
	if (!value->given)
		*value = (struct flag_value){.given = true};
	if (!flag_value_set(flag, text, value))
		return wrong_value(set, flag, text, err);
	return 0;
}

/* Takes argv[*at], and its value where that is the next one; *at moves behind. */
static int take_flag(const struct flag_set *set, char **argv, int *at, struct flag_value *values,
		     struct error *err)
{
	const char *text = argv[(*at)++];
	struct argument argument = take_apart(text);
	const struct flag *flag = find_flag(set, &argument);

	if (flag == NULL)
		return unknown_flag(set, text, &argument, err);
	if (argument.value == NULL && flag->type == FLAG_BOOL)
		argument.value = "true";
	if (argument.value == NULL)
		argument.value = argv[*at] == NULL ? NULL : argv[(*at)++];
	if (argument.value == NULL)
		return error_set(err, "--%s needs a value: %s (%s --help)", flag->name,
				 flag->argument, set->command);
	return set_flag(set, flag, argument.value, &values[flag - set->flags], err);
}

static void set_fallbacks(const struct flag_set *set, struct flag_value *values)
{
	for (size_t i = 0; i < set->count; i++) {
		values[i] = (struct flag_value){0};
		/* a fallback that is no value of its type is the absence of one, e.g. "" of a number */
		(void)flag_value_set(&set->flags[i], set->flags[i].fallback, &values[i]);
	}
}

static bool is_flag(const char *text)
{
	return text[0] == '-' && text[1] != '\0';
}

/* The arguments are read in order; operands are kept aside meanwhile. */
struct reading {
	const struct flag_set *set;
	char **argv;
	int argc;
	int at;
	const char **operands;
	int operand_count;
};

static enum flags_result read_one(struct reading *reading, struct flag_value *values,
				  struct error *err)
{
	const struct flag_set *set = reading->set;
	char *text = reading->argv[reading->at];
	struct argument argument;
	const struct flag *flag;

	if (!is_flag(text)) {
		if (set->operands != NULL) {
			reading->operands[reading->operand_count++] = text;
			reading->at++;
			return FLAGS_DONE;
		}
		error_set(err, "\"%s\" is not a flag, and nothing else is taken (%s --help)", text,
			  set->command);
		return FLAGS_BAD;
	}
	argument = take_apart(text);
	if (is_help(&argument))
		return FLAGS_HELP;
	if (take_flag(set, reading->argv, &reading->at, values, err) == -1)
		return FLAGS_BAD;
	flag = find_flag(set, &argument);
	if (flag->type == FLAG_OPERAND)
		reading->operands[reading->operand_count++] = values[flag - set->flags].text;
	return FLAGS_DONE;
}

/* Behind "--" all are operands. There are fewer of them than arguments, for the command's name is none. */
static int put_operands_last(struct reading *reading)
{
	int rest;

	while (reading->at < reading->argc)
		reading->operands[reading->operand_count++] = reading->argv[reading->at++];
	rest = reading->argc - reading->operand_count;
	memcpy(&reading->argv[rest], reading->operands,
	       (size_t)reading->operand_count * sizeof(reading->argv[0]));
	return rest;
}

static enum flags_result read_all(struct reading *reading, struct flag_value *values, int *rest,
				  struct error *err)
{
	const struct flag_set *set = reading->set;

	while (reading->at < reading->argc && strcmp(reading->argv[reading->at], "--") != 0) {
		enum flags_result result = read_one(reading, values, err);

		if (result != FLAGS_DONE)
			return result;
	}
	reading->at += reading->at < reading->argc; /* the "--" */
	if (rest != NULL) {
		*rest = set->operands == NULL ? reading->at : put_operands_last(reading);
	} else if (reading->at < reading->argc) {
		error_set(err, "nothing may follow \"--\", but \"%s\" does (%s --help)",
			  reading->argv[reading->at], set->command);
		return FLAGS_BAD;
	}
	return FLAGS_DONE;
}

enum flags_result flags_parse(const struct flag_set *set, int argc, char **argv,
			      struct flag_value *values, int *rest, struct error *err)
{
	struct reading reading = {.set = set, .argv = argv, .argc = argc, .at = 1};
	enum flags_result result;

	BUG_ON(set->operands != NULL && rest == NULL);
	set_fallbacks(set, values);
	reading.operands = memory_new_array((size_t)argc + 1, sizeof(reading.operands[0]));
	result = read_all(&reading, values, rest, err);
	free(reading.operands);
	return result;
}

/* Prints words of text from column `column` on, with line breaks before LINE_WIDTH. */
static void print_wrapped(const char *text, int column, FILE *to)
{
	struct span rest = span_from(text);
	int at = column;

	while (rest.ptr != NULL) {
		struct span word = span_cut(&rest, ' ');

		if (at > column && at + 1 + (int)word.len > LINE_WIDTH) {
			fprintf(to, "\n%*s", column, "");
			at = column;
		} else if (at > column) {
			fputc(' ', to);
			at++;
		}
		fprintf(to, "%.*s", (int)word.len, word.ptr);
		at += (int)word.len;
	}
	fputc('\n', to);
}

static void print_flag(const struct flag *flag, FILE *to)
{
	bool has_argument = flag->type != FLAG_BOOL;
	char text[512];
	int used = 2;

	fputs("  ", to);
	if (flag->letter != '\0')
		used += fprintf(to, "-%c, ", flag->letter);
	used += fprintf(to, "--%s%s%s", flag->name, has_argument ? " " : "",
			has_argument ? flag->argument : "");
	if (used > HELP_COLUMN - 2)
		fprintf(to, "\n%*s", HELP_COLUMN, "");
	else
		fprintf(to, "%*s", HELP_COLUMN - used, "");
	if (has_argument && flag->fallback[0] != '\0')
		snprintf(text, sizeof(text), "%s (default %s)", flag->help, flag->fallback);
	else
		snprintf(text, sizeof(text), "%s", flag->help);
	print_wrapped(text, HELP_COLUMN, to);
}

void flags_print(const struct flag_set *set, int group, FILE *to)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->flags[i].group == group && set->flags[i].help != NULL)
			print_flag(&set->flags[i], to);
	}
}

void flags_print_names(const struct flag_set *set, int group, FILE *to)
{
	int at = 0;

	for (size_t i = 0; i < set->count; i++) {
		int len = (int)strlen(set->flags[i].name) + 3;

		if (set->flags[i].group != group)
			continue;
		if (at + len > LINE_WIDTH) {
			fputc('\n', to);
			at = 0;
		}
		at += fprintf(to, at == 0 ? "  --%s" : " --%s", set->flags[i].name);
	}
	fputc('\n', to);
}
