/* SPDX-License-Identifier: Apache-2.0 */
/* A hostile segment is refused, or harmless: whatever the bytes, verify reads inside them and ends, and after it
 * look-ups and dumps do too. The checksum is mended first: it guards against accidents, not against this. */
#include <stdlib.h>

#include "base/error.h"
#include "table/builder.h"
#include "table_use.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try(struct span segment)
{
	struct error err;
	struct routes routes;
	struct endpoints endpoints;

	if (routes_verify(segment, &routes, &err) == 0)
		table_use_routes(&routes);
	if (endpoints_verify(segment, &endpoints, &err) == 0)
		table_use_endpoints(&endpoints);
}

/* Most inputs of a mutator have a wrong size; the header is told the right one, so that they get further. */
static void mend(char *segment, size_t size)
{
	struct table_header *header = (void *)segment;

	if (size < sizeof(*header))
		return;
	header->size = (uint32_t)size;
	builder_checksum(segment, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *segment = malloc(size == 0 ? 1 : size); /* aligned, and its end is guarded */

	if (size > 0)
		memcpy(segment, data, size);
	mend(segment, size);
	try((struct span){segment, size});
	free(segment);
	return 0;
}
