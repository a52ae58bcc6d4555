/* SPDX-License-Identifier: Apache-2.0 */
#include "model/nearest.h"

enum { NAME_MAX_BYTES = 64 };

struct nearest nearest_to(struct span wanted)
{
	/* a third of the name may be wrong, two letters of a short one */
	unsigned most = wanted.len < 3 ? 1 : wanted.len < 9 ? 2 : (unsigned)(wanted.len / 3);

	return (struct nearest){.wanted = wanted, .distance = (most > 4 ? 4 : most) + 1};
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Edits that make b of a: a letter more, less, another, or two neighbours swapped. */
static unsigned distance(struct span a, struct span b)
{
	unsigned rows[3][NAME_MAX_BYTES + 1];

	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i - 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned other = a.ptr[i - 1] != b.ptr[j - 1];

			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + other);
			if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] &&
			    a.ptr[i - 2] == b.ptr[j - 1] && rows[(i - 2) % 3][j - 2] + 1 < row[j])
				row[j] = rows[(i - 2) % 3][j - 2] + 1;
		}
	}
	return rows[a.len % 3][b.len];
}

/* What both begin or end with costs no edit, and most names that are near share most of it. */
static void strip_common(struct span *a, struct span *b)
{
	while (a->len > 0 && b->len > 0 && a->ptr[0] == b->ptr[0]) {
		*a = span_skip(*a, 1);
		*b = span_skip(*b, 1);
	}
	while (a->len > 0 && b->len > 0 && a->ptr[a->len - 1] == b->ptr[b->len - 1]) {
		a->len--;
		b->len--;
	}
}

/* Of names that are as near, the first in the alphabet: what is said does not depend on the order of a map. */
static bool is_nearer(const struct nearest *nearest, struct span name, unsigned edits)
{
	if (edits != nearest->distance)
		return edits < nearest->distance;
	return nearest->best.ptr != NULL && span_compare(name, nearest->best) < 0;
}

void nearest_offer(struct nearest *nearest, struct span name)
{
	size_t longer = name.len > nearest->wanted.len ? name.len : nearest->wanted.len;
	size_t shorter = name.len + nearest->wanted.len - longer;
	struct span wanted = nearest->wanted;
	struct span offered = name;
	unsigned edits;

	if (longer > NAME_MAX_BYTES || longer - shorter > nearest->distance)
		return;
	strip_common(&wanted, &offered);
	edits = distance(wanted, offered);
	if (!is_nearer(nearest, name, edits))
		return;
	nearest->best = name;
	nearest->distance = edits;
}
