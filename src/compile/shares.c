/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/shares.h"

static bool do_weights_differ(const struct endpoint_record *records, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (records[i].weight != records[0].weight)
			return true;
	return false;
}

uint32_t shares_add(struct builder *builder, const struct endpoint_record *records, uint32_t count)
{
	uint32_t first = builder_count(builder, ENDPOINTS_SHARES);
	uint64_t all = 0;
	uint64_t so_far = 0;

	if (!do_weights_differ(records, count))
		return TABLE_NONE;
	for (uint32_t i = 0; i < count; i++)
		all += records[i].weight;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t end;
		uint32_t last;

		/* below 2^17 endpoints with 2^16 each, times 2^32: more than 64 bits hold */
		so_far += records[i].weight;
		end = (uint64_t)(((unsigned __int128)so_far << 32) / all);
		last = end > 0 ? (uint32_t)(end - 1) : 0;
		builder_add(builder, ENDPOINTS_SHARES, &last);
	}
	return first;
}
