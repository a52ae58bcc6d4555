/* SPDX-License-Identifier: Apache-2.0 */
#include "head_field.h"

struct span head_field(struct span head, struct span name)
{
	while (head.len > 0) {
		struct span line = span_cut(&head, '\n');

		if (span_ends_with(line, S("\r")) &&
		    span_equals_nocase(span_take(line, name.len), name))
			return span_trim(span_skip(span_take(line, line.len - 1), name.len));
	}
	return S("");
}
