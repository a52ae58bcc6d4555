/* SPDX-License-Identifier: Apache-2.0 */
/* The text form in which Prometheus reads figures (text exposition format 0.0.4).
 *
 * A family (HELP and TYPE) comes first, then its samples. The caller keeps the order, and sees to it that no two
 * samples of a family have the same labels. Label values may be any bytes; they are escaped here.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

struct label {
	const char *name; /* [a-zA-Z_][a-zA-Z0-9_]* */
	struct span value;
};

/* A list of labels, borrowed. */
struct labels {
	const struct label *items;
	size_t count;
};

#define LABELS(...)                                           \
	((struct labels){(const struct label[]){__VA_ARGS__}, \
			 sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label)})
#define LABELS_NONE ((struct labels){NULL, 0})

/* bounds: count - 1 upper bounds, ascending; the last bucket has none. buckets are not cumulative. */
struct exposition_histogram {
	const double *bounds;
	const uint64_t *buckets;
	size_t count;
	double sum;
};

/* help: one line. */
void exposition_family(struct buf *out, const char *name, enum exposition_type type,
		       const char *help);

void exposition_count(struct buf *out, const char *name, struct labels labels, uint64_t value);
void exposition_number(struct buf *out, const char *name, struct labels labels, double value);
void exposition_histogram(struct buf *out, const char *name, struct labels labels,
			  const struct exposition_histogram *histogram);
