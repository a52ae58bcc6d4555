/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of the PROXY protocol. Whatever the bytes: nothing behind them is read, no more is consumed than there is or
 * than is allowed, and what was said of a beginning is said of the whole.
 *
 * The first two bytes of an input choose where the beginning ends.
 */
#include "io/proxy_protocol.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct proxy_protocol parse(const uint8_t *data, size_t size)
{
	char *copy = guarded_copy(data, size);
	struct proxy_protocol header = proxy_protocol_parse(span_make(copy, size));

	free(copy);
	if (header.status == PROXY_PROTOCOL_DONE)
		MUST(header.consumed > 0 && header.consumed <= size &&
		     header.consumed <= PROXY_PROTOCOL_MAX);
	MUST(header.status != PROXY_PROTOCOL_MORE || size < PROXY_PROTOCOL_MAX);
	return header;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_protocol whole;
	struct proxy_protocol beginning;
	size_t cut;

	if (size < 2)
		return 0;
	cut = (size_t)(data[0] << 8 | data[1]) % (size - 1);
	whole = parse(data + 2, size - 2);
	beginning = parse(data + 2, cut);
	MUST(beginning.status == PROXY_PROTOCOL_MORE ||
	     (beginning.status == whole.status && beginning.consumed == whole.consumed &&
	      beginning.is_local == whole.is_local));
	return 0;
}
