/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/exposition.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const type_names[] = {
	[EXPOSITION_COUNTER] = "counter",
	[EXPOSITION_GAUGE] = "gauge",
	[EXPOSITION_HISTOGRAM] = "histogram",
};

void exposition_family(struct buf *out, const char *name, enum exposition_type type,
		       const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type_names[type]);
}

/* Quotes, backslashes and line ends are escaped; other bytes stand as they are. What is no ASCII comes
 * from names that were checked, and other control bytes are legal in the format. */
static void add_value(struct buf *out, struct span value)
{
	for (size_t i = 0; i < value.len; i++) {
		char byte = value.ptr[i];

		if (byte == '\n')
			buf_add(out, S("\\n"));
		else if (byte == '"' || byte == '\\')
			buf_printf(out, "\\%c", byte);
		else
			buf_add_byte(out, byte);
	}
}

/* A short decimal text that reads back as the same number. Bounds of buckets are labels and so compared as text:
 * with six digits at least they look as Go writes them ("1000", "1e+06"). */
static void add_number(struct buf *out, double value)
{
	char text[32];

	if (isinf(value)) {
		buf_add(out, value > 0 ? S("+Inf") : S("-Inf"));
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buf_add(out, span_from(text));
}

static void add_label(struct buf *out, char before, const char *name, struct span value)
{
	buf_printf(out, "%c%s=\"", before, name);
	add_value(out, value);
	buf_add_byte(out, '"');
}

/* name{a="b",c="d"} and a blank; bound, where not NULL, becomes the label `le`. */
static void add_series(struct buf *out, const char *name, const char *suffix, struct labels labels,
		       const double *bound)
{
	char before = '{';

	buf_printf(out, "%s%s", name, suffix);
	for (size_t i = 0; i < labels.count; i++) {
		add_label(out, before, labels.items[i].name, labels.items[i].value);
		before = ',';
	}
	if (bound != NULL) {
		buf_printf(out, "%cle=\"", before);
		add_number(out, *bound);
		buf_add_byte(out, '"');
		before = ',';
	}
	if (before == ',')
		buf_add_byte(out, '}');
	buf_add_byte(out, ' ');
}

static void add_count(struct buf *out, uint64_t value)
{
	buf_printf(out, "%" PRIu64 "\n", value);
}

void exposition_count(struct buf *out, const char *name, struct labels labels, uint64_t value)
{
	add_series(out, name, "", labels, NULL);
	add_count(out, value);
}

void exposition_number(struct buf *out, const char *name, struct labels labels, double value)
{
	add_series(out, name, "", labels, NULL);
	add_number(out, value);
	buf_add_byte(out, '\n');
}

void exposition_histogram(struct buf *out, const char *name, struct labels labels,
			  const struct exposition_histogram *histogram)
{
	uint64_t total = 0;

	for (size_t i = 0; i < histogram->count; i++) {
		double bound = i + 1 < histogram->count ? histogram->bounds[i] : (double)INFINITY;

		total += histogram->buckets[i];
		add_series(out, name, "_bucket", labels, &bound);
		add_count(out, total);
	}
	add_series(out, name, "_sum", labels, NULL);
	add_number(out, histogram->sum);
	buf_add_byte(out, '\n');
	add_series(out, name, "_count", labels, NULL);
	add_count(out, total);
}
