/* SPDX-License-Identifier: Apache-2.0 */
/* What a client of TLS says first. Whatever the bytes: nothing behind them is read, a name is one that hosts can have,
 * and what was said of a beginning is said of the whole.
 *
 * The first two bytes of an input choose where the beginning ends.
 */
#include "io/tls_preview.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const struct tls_preview *found)
{
	MUST(found->name_length <= TLS_SERVER_NAME_MAX);
	MUST(found->name_length == 0 || found->status == TLS_PREVIEW_DONE);
	for (size_t i = 0; i < found->name_length; i++) {
		char c = found->name[i];

		MUST((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		     c == '.');
	}
}

static void preview(const uint8_t *data, size_t size, struct tls_preview *found)
{
	char *copy = guarded_copy(data, size);

	tls_preview(span_make(copy, size), found);
	free(copy);
	check_name(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_preview whole;
	struct tls_preview beginning;
	size_t cut;

	if (size < 2)
		return 0;
	cut = (size_t)(data[0] << 8 | data[1]) % (size - 1);
	preview(data + 2, size - 2, &whole);
	preview(data + 2, cut, &beginning);
	MUST(beginning.status == TLS_PREVIEW_MORE ||
	     (beginning.status == whole.status && beginning.name_length == whole.name_length &&
	      memcmp(beginning.name, whole.name, whole.name_length) == 0));
	return 0;
}
