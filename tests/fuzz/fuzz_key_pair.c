/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a Secret with certificate and key (apart by a NUL), and as parameters of DHE. What is accepted is whole,
 * what is refused leaves nothing behind and has a reason.
 */
#include <openssl/err.h>
#include <stdint.h>

#include "base/bug.h"
#include "model/dh_parameters.h"
#include "model/key_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_pair(struct span chain, struct span key)
{
	struct key_pair pair;
	struct error err = {{0}};

	if (key_pair_read(&pair, chain, key, &err) == -1) {
		BUG_ON(err.text[0] == '\0');
		BUG_ON(pair.chain.len > 0 || pair.key.len > 0 || pair.names.len > 0);
		return;
	}
	BUG_ON(pair.chain.len == 0 || pair.key.len == 0);
	key_pair_covers(buf_span(&pair.names), S("shop.example"));
	key_pair_fini(&pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span key = span_make((const char *)bytes, size);
	struct span chain = span_cut(&key, '\0');
	struct buf der = {0};
	struct error err = {{0}};

	read_pair(chain, key);
	BUG_ON((dh_parameters_read(chain, &der, &err) == 0) != (der.len > 0));
	BUG_ON(ERR_peek_error() != 0);
	buf_fini(&der);
	return 0;
}
