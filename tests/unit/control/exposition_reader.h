/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the text format of Prometheus, strictly, and fails the test where it is not kept: names, escapes, HELP
 * and TYPE before their samples and once, no two samples of one series, histograms that add up.
 */
#pragma once

#include "base/span.h"
#include "given.h"

struct sample {
	struct span name;
	struct span labels; /* as written, without braces */
	double value;
};

struct exposition {
	struct sample *samples; /* spans point into the text */
	size_t count;
	size_t room;
};

/* text: kept until exposition_end. */
void exposition_read(struct exposition *exposition, struct span text);
void exposition_end(struct exposition *exposition);

/* The value of the sample of that name whose labels hold all of `labels` ("a=\"b\",c=\"d\""); fails where
 * there is not exactly one. */
double exposition_value(const struct exposition *exposition, const char *name, const char *labels);

/* How many samples have that name and hold all of these labels. */
size_t exposition_matches(const struct exposition *exposition, const char *name,
			  const char *labels);
