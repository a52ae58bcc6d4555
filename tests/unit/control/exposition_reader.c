/* SPDX-License-Identifier: Apache-2.0 */
#include "exposition_reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct family {
	struct span name;
	struct span type;
};

static void fail_at(struct span line, const char *why)
{
	fail_msg("%s: %.*s", why, (int)line.len, line.ptr);
}

static bool is_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
		      (i > 0 && c >= '0' && c <= '9')))
			return false;
	}
	return name.len > 0;
}

/* Takes `name="value"` off the rest of the labels. */
static void take_label(struct span *rest, struct span line)
{
	struct span name = span_take(*rest, span_find(*rest, '='));
	size_t at = name.len + 1;

	if (!is_name(name))
		fail_at(line, "bad label name");
	if (at >= rest->len || rest->ptr[at] != '"')
		fail_at(line, "label without quotes");
	for (at++; at < rest->len && rest->ptr[at] != '"'; at++)
		if (rest->ptr[at] == '\\' && strchr("\\\"n", rest->ptr[++at]) == NULL)
			fail_at(line, "bad escape");
	if (at >= rest->len)
		fail_at(line, "label without end");
	*rest = span_skip(*rest, at + 1);
	if (rest->len > 0 && rest->ptr[0] != ',')
		fail_at(line, "no comma between labels");
	*rest = span_skip(*rest, 1);
}

static double read_value(struct span text, struct span line)
{
	char copy[64];
	char *end;
	double value;

	if (text.len == 0 || text.len >= sizeof(copy))
		fail_at(line, "bad number");
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	value = strtod(copy, &end);
	if (*end != '\0')
		fail_at(line, "bad number");
	return value;
}

static struct sample read_sample(struct span line)
{
	size_t name_end = strcspn(line.ptr, "{ ");
	struct sample sample = {.name = span_take(line, name_end)};
	struct span rest = span_skip(line, name_end);

	if (!is_name(sample.name))
		fail_at(line, "bad name");
	if (rest.len > 0 && rest.ptr[0] == '{') {
		/* a blank stands behind the last brace: values may hold braces too */
		const char *end = memrchr(rest.ptr, '}', rest.len);

		if (end == NULL)
			fail_at(line, "labels without end");
		sample.labels = span_make(rest.ptr + 1, (size_t)(end - rest.ptr) - 1);
		rest = span_skip(rest, sample.labels.len + 2);
		for (struct span labels = sample.labels; labels.len > 0;)
			take_label(&labels, line);
	}
	if (rest.len == 0 || rest.ptr[0] != ' ')
		fail_at(line, "no blank before the number");
	sample.value = read_value(span_skip(rest, 1), line);
	return sample;
}

static struct span base_name(struct span name, struct span type)
{
	static const char *const suffixes[] = {"_bucket", "_sum", "_count"};

	for (size_t i = 0; span_equals(type, S("histogram")) && i < 3; i++)
		if (span_ends_with(name, span_from(suffixes[i])))
			return span_take(name, name.len - strlen(suffixes[i]));
	return name;
}

static void check_no_twin(const struct exposition *exposition, const struct sample *sample)
{
	for (size_t i = 0; i < exposition->count; i++)
		if (span_equals(exposition->samples[i].name, sample->name) &&
		    span_equals(exposition->samples[i].labels, sample->labels))
			fail_at(sample->name, "two samples of one series");
}

static void add_sample(struct exposition *exposition, const struct sample *sample)
{
	check_no_twin(exposition, sample);
	exposition->samples = memory_grow_array(exposition->samples, &exposition->room,
						exposition->count + 1, sizeof(*sample));
	exposition->samples[exposition->count++] = *sample;
}

/* Cumulative, ending with +Inf, whose count is the histogram's. Buckets, sum and count stand together. */
static void check_histograms(const struct exposition *exposition)
{
	double last = 0;

	for (size_t i = 0; i < exposition->count; i++) {
		const struct sample *sample = &exposition->samples[i];

		if (!span_ends_with(sample->name, S("_bucket"))) {
			last = 0;
			continue;
		}
		if (sample->value < last)
			fail_at(sample->name, "buckets that are not cumulative");
		last = sample->value;
		if (!span_ends_with(sample->labels, S("le=\"+Inf\"")))
			continue;
		assert_true(i + 2 < exposition->count);
		assert_true(span_ends_with(sample[1].name, S("_sum")));
		assert_true(span_ends_with(sample[2].name, S("_count")));
		if (sample[2].value < last || sample[2].value > last)
			fail_at(sample->name, "a count that is not that of +Inf");
		last = 0;
	}
}

static void read_help(struct span line, struct span *name)
{
	struct span rest = span_skip(line, strlen("# HELP "));

	*name = span_cut(&rest, ' ');
	if (!is_name(*name) || rest.len == 0)
		fail_at(line, "bad HELP");
}

static void read_type(struct span line, struct span help_name, struct family *family)
{
	struct span rest = span_skip(line, strlen("# TYPE "));

	family->name = span_cut(&rest, ' ');
	family->type = rest;
	if (!span_equals(family->name, help_name))
		fail_at(line, "TYPE without its HELP");
	if (!span_equals(rest, S("counter")) && !span_equals(rest, S("gauge")) &&
	    !span_equals(rest, S("histogram")))
		fail_at(line, "bad TYPE");
}

static void check_family_is_new(struct span text, struct span line)
{
	const char *first = memmem(text.ptr, text.len, line.ptr, line.len + 1);

	if (first != line.ptr)
		fail_at(line, "a family that stands twice");
}

void exposition_read(struct exposition *exposition, struct span text)
{
	struct span rest = text;
	struct span help_name = {0};
	struct family family = {0};

	*exposition = (struct exposition){0};
	if (!span_ends_with(text, S("\n")))
		fail_msg("the text does not end with a line end");
	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');
		struct sample sample;

		if (span_starts_with(line, S("# HELP "))) {
			read_help(line, &help_name);
			continue;
		}
		if (span_starts_with(line, S("# TYPE "))) {
			read_type(line, help_name, &family);
			check_family_is_new(text, line);
			continue;
		}
		sample = read_sample(line);
		if (!span_equals(base_name(sample.name, family.type), family.name))
			fail_at(line, "a sample outside of its family");
		add_sample(exposition, &sample);
	}
	check_histograms(exposition);
}

void exposition_end(struct exposition *exposition)
{
	free(exposition->samples);
}

static bool has_label(struct span labels, struct span label)
{
	return label.len == 0 || memmem(labels.ptr, labels.len, label.ptr, label.len) != NULL;
}

static bool matches(const struct sample *sample, const char *name, const char *labels)
{
	struct span rest = span_from(labels);

	if (!span_equals(sample->name, span_from(name)))
		return false;
	while (rest.len > 0)
		if (!has_label(sample->labels, span_cut(&rest, ',')))
			return false;
	return true;
}

size_t exposition_matches(const struct exposition *exposition, const char *name, const char *labels)
{
	size_t count = 0;

	for (size_t i = 0; i < exposition->count; i++)
		count += matches(&exposition->samples[i], name, labels);
	return count;
}

double exposition_value(const struct exposition *exposition, const char *name, const char *labels)
{
	if (exposition_matches(exposition, name, labels) != 1)
		fail_msg("%s{%s}: %zu samples", name, labels,
			 exposition_matches(exposition, name, labels));
	for (size_t i = 0; i < exposition->count; i++)
		if (matches(&exposition->samples[i], name, labels))
			return exposition->samples[i].value;
	return NAN;
}
