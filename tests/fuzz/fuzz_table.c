/* SPDX-License-Identifier: Apache-2.0 */
/* A hostile bundle is refused, or harmless: whatever the bytes, verify reads inside them and ends, and after it
 * look-ups and dumps do too. The checksum is mended first: it guards against accidents, not against this. */
#include <stdlib.h>

#include "table/builder.h"
#include "table_use.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Most inputs of a mutator have a wrong size; the last header is told the right one, so that they get further. */
static void mend(char *bundle, size_t size)
{
	while (size >= sizeof(struct table_header)) {
		struct table_header *header = (void *)bundle;
		bool is_last = header->size < sizeof(*header) || header->size >= size ||
			       header->size % TABLE_ALIGN != 0;
		size_t own = is_last ? size : header->size;

		header->size = (uint32_t)own;
		builder_checksum(bundle, own);
		bundle += own;
		size -= own;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *segment = malloc(size == 0 ? 1 : size); /* aligned, and its end is guarded */

	if (size > 0)
		memcpy(segment, data, size);
	mend(segment, size);
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		table_use((struct span){segment, size}, kind);
	free(segment);
	return 0;
}
