/* SPDX-License-Identifier: Apache-2.0 */
/* Chunked bodies. Pieces decode to what the whole decodes to; a second reading finds the same data
 * and the same end; and data that is cut into chunks anew comes back.
 *
 * The first byte of an input is the size of the pieces.
 */
#include "h1_use.h"
#include "http/chunked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pieces(struct span coded, size_t piece, struct chunked_result whole,
			 const char *expected)
{
	struct chunked_decoder decoder = {0};
	struct chunked_result result = {.status = CHUNKED_MORE};
	size_t consumed = 0;
	size_t produced = 0;

	while (result.status == CHUNKED_MORE && consumed < coded.len) {
		struct span bytes = span_take(span_skip(coded, consumed), piece);
		char *copy = guarded_copy((const uint8_t *)bytes.ptr, bytes.len);

		result = chunked_decode(&decoder, copy, bytes.len);
		MUST(result.produced <= result.consumed && result.consumed <= bytes.len);
		MUST(result.status != CHUNKED_MORE || result.consumed == bytes.len);
		MUST(produced + result.produced <= whole.produced);
		MUST(memcmp(copy, expected + produced, result.produced) == 0);
		consumed += result.consumed;
		produced += result.produced;
		free(copy);
	}
	MUST(result.status == whole.status && result.fault == whole.fault);
	MUST(consumed == whole.consumed && produced == whole.produced);
	MUST(decoder.data_total == produced);
}

static void check_second_reading(struct span coded, struct chunked_result whole,
				 const char *expected)
{
	char *data = malloc(coded.len + 1);
	size_t data_bytes;
	size_t coded_bytes;

	MUST(data != NULL);
	MUST(second_chunked(coded, data, &data_bytes, &coded_bytes));
	MUST(coded_bytes == whole.consumed && data_bytes == whole.produced);
	MUST(memcmp(data, expected, data_bytes) == 0);
	free(data);
}

/* Cuts the data into chunks of at most that size, and decodes them. */
static void check_round_trip(struct span data, size_t most)
{
	size_t chunks = data.len / most + 1;
	char *coded = malloc(data.len + (chunks + 1) * (CHUNKED_SIZE_LINE_MAX + 2) + 5);
	struct chunked_decoder decoder = {0};
	struct chunked_result result;
	size_t length = 0;

	MUST(coded != NULL);
	for (size_t at = 0; at < data.len; at += most) {
		struct span chunk = span_take(span_skip(data, at), most);

		length += chunked_write_size(coded + length, chunk.len);
		memcpy(coded + length, chunk.ptr, chunk.len);
		memcpy(coded + length + chunk.len, "\r\n", 2);
		length += chunk.len + 2;
	}
	memcpy(coded + length, "0\r\n\r\n", 5);
	length += 5;
	result = chunked_decode(&decoder, coded, length);
	MUST(result.status == CHUNKED_DONE && result.consumed == length);
	MUST(span_equals(span_make(coded, result.produced), data));
	free(coded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chunked_decoder decoder = {0};
	struct chunked_result whole;
	struct span coded;
	char *original;
	char *decoded;

	if (size == 0)
		return 0;
	original = guarded_copy(data + 1, size - 1);
	decoded = guarded_copy(data + 1, size - 1);
	coded = span_make(original, size - 1);
	whole = chunked_decode(&decoder, decoded, size - 1);
	if (size > 1)
		check_pieces(coded, (size_t)data[0] + 1, whole, decoded);
	if (whole.status == CHUNKED_DONE) {
		check_second_reading(coded, whole, decoded);
		check_round_trip(span_make(decoded, whole.produced), (size_t)data[0] + 1);
	}
	free(original);
	free(decoded);
	return 0;
}
