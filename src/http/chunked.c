/* SPDX-License-Identifier: Apache-2.0 */
/* A machine over bytes; chunk data alone is moved in runs.
 *
 *   SIZE --CR--> SIZE_LF --size > 0--> DATA --all--> DATA_CR -> DATA_LF --> SIZE
 *    | ';'          | size = 0
 *    v              v
 *   EXT_…          LINE <---------------- VALUE_LF <--CR-- VALUE
 *                   | CR        | tchar                      ^
 *                   v           v                            | ':'
 *                  END_LF -> ENDED      NAME ----------------+
 *
 * Extensions (H46): BWS ";" BWS token [ "=" ( token / quoted-string ) ]. Between the size and the
 * first ';' no blank is taken: H45 forbids it there.
 */
#include "http/chunked.h"

#include <string.h>

#include "http/scan.h"
#include "http/token.h"
#include "http/trailer.h"

enum state {
	STATE_SIZE,
	STATE_SIZE_LF,
	STATE_EXTENSION, /* behind ';': blanks, then a name */
	STATE_EXTENSION_NAME,
	STATE_EXTENSION_VALUE, /* behind '=' */
	STATE_EXTENSION_TOKEN,
	STATE_EXTENSION_QUOTED,
	STATE_EXTENSION_ESCAPED,
	STATE_EXTENSION_END, /* behind a quoted string or blanks */
	STATE_DATA,
	STATE_DATA_CR,
	STATE_DATA_LF,
	STATE_LINE, /* a trailer line or the empty line begins */
	STATE_NAME,
	STATE_VALUE,
	STATE_VALUE_LF,
	STATE_END_LF,
	STATE_ENDED,
};

enum {
	SIZE_DIGITS_MAX = 16,
	EXTENSION_LINE_MAX = 256,
	EXTENSION_TOTAL_MAX = 4096,
	OVERHEAD_WINDOW = 64 * 1024, /* bytes beside data that data has not paid for yet */
	OVERHEAD_PER_BYTE = 16,
};

#define BODY_MAX ((uint64_t)INT64_MAX)

static unsigned hex_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return (unsigned)(byte - '0');
	return (unsigned)((byte | 0x20) - 'a') + 10;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static bool move_to(struct chunked_decoder *decoder, enum state state)
{
	decoder->state = (uint8_t)state;
	return true;
}

static bool step_size(struct chunked_decoder *decoder, char byte)
{
	if (token_byte_is(byte, TOKEN_HEX)) {
		if (++decoder->digits > SIZE_DIGITS_MAX)
			return false;
		decoder->left = decoder->left << 4 | hex_value(byte);
		return true;
	}
	if (decoder->digits == 0 || decoder->left > BODY_MAX - decoder->data_total)
		return false;
	decoder->digits = 0;
	decoder->line_bytes = 0;
	if (byte == '\r')
		return move_to(decoder, STATE_SIZE_LF);
	return byte == ';' && move_to(decoder, STATE_EXTENSION);
}

/* What may follow a whole extension: blanks, and then another one or the end of the line. */
static bool step_extension_end(struct chunked_decoder *decoder, char byte)
{
	if (byte == ';') {
		decoder->blank = 0;
		return move_to(decoder, STATE_EXTENSION);
	}
	if (is_blank(byte)) {
		decoder->blank = 1; /* then only ';' may follow */
		return move_to(decoder, STATE_EXTENSION_END);
	}
	return byte == '\r' && decoder->blank == 0 && move_to(decoder, STATE_SIZE_LF);
}

static bool step_extension(struct chunked_decoder *decoder, char byte)
{
	bool is_token = token_byte_is(byte, TOKEN_CHAR);

	if (++decoder->line_bytes > EXTENSION_LINE_MAX ||
	    ++decoder->extension_bytes > EXTENSION_TOTAL_MAX)
		return false;
	switch ((enum state)decoder->state) {
	case STATE_EXTENSION:
		return is_blank(byte) || (is_token && move_to(decoder, STATE_EXTENSION_NAME));
	case STATE_EXTENSION_NAME:
		if (byte == '=')
			return move_to(decoder, STATE_EXTENSION_VALUE);
		return is_token || step_extension_end(decoder, byte);
	case STATE_EXTENSION_VALUE:
		if (byte == '"')
			return move_to(decoder, STATE_EXTENSION_QUOTED);
		return is_token && move_to(decoder, STATE_EXTENSION_TOKEN);
	case STATE_EXTENSION_TOKEN:
		return is_token || step_extension_end(decoder, byte);
	case STATE_EXTENSION_QUOTED:
		if (byte == '"')
			return move_to(decoder, STATE_EXTENSION_END);
		if (byte == '\\')
			return move_to(decoder, STATE_EXTENSION_ESCAPED);
		return !scan_is_control(byte);
	case STATE_EXTENSION_ESCAPED:
		return !scan_is_control(byte) && move_to(decoder, STATE_EXTENSION_QUOTED);
	case STATE_EXTENSION_END:
		return step_extension_end(decoder, byte);
	case STATE_SIZE:
	case STATE_SIZE_LF:
	case STATE_DATA:
	case STATE_DATA_CR:
	case STATE_DATA_LF:
	case STATE_LINE:
	case STATE_NAME:
	case STATE_VALUE:
	case STATE_VALUE_LF:
	case STATE_END_LF:
	case STATE_ENDED:
		break;
	}
	return false;
}

/* A line of the trailer by the rules of a head (H1 to H9). */
static bool step_trailer(struct chunked_decoder *decoder, char byte)
{
	if (++decoder->trailer_bytes > TRAILER_BYTES_MAX)
		return false;
	switch ((enum state)decoder->state) {
	case STATE_LINE:
		if (byte == '\r')
			return move_to(decoder, STATE_END_LF);
		return ++decoder->trailer_fields <= TRAILER_FIELDS_MAX &&
		       token_byte_is(byte, TOKEN_CHAR) && move_to(decoder, STATE_NAME);
	case STATE_NAME:
		return token_byte_is(byte, TOKEN_CHAR) ||
		       (byte == ':' && move_to(decoder, STATE_VALUE));
	case STATE_VALUE:
		return !scan_is_control(byte) || (byte == '\r' && move_to(decoder, STATE_VALUE_LF));
	case STATE_VALUE_LF:
		return byte == '\n' && move_to(decoder, STATE_LINE);
	case STATE_END_LF:
		return byte == '\n' && move_to(decoder, STATE_ENDED);
	case STATE_SIZE:
	case STATE_SIZE_LF:
	case STATE_EXTENSION:
	case STATE_EXTENSION_NAME:
	case STATE_EXTENSION_VALUE:
	case STATE_EXTENSION_TOKEN:
	case STATE_EXTENSION_QUOTED:
	case STATE_EXTENSION_ESCAPED:
	case STATE_EXTENSION_END:
	case STATE_DATA:
	case STATE_DATA_CR:
	case STATE_DATA_LF:
	case STATE_ENDED:
		break;
	}
	return false;
}

/* Takes one byte that is no data; false: it may not stand there. */
static bool step(struct chunked_decoder *decoder, char byte)
{
	if (++decoder->overhead > OVERHEAD_WINDOW)
		return false;
	switch ((enum state)decoder->state) {
	case STATE_SIZE:
		return step_size(decoder, byte);
	case STATE_SIZE_LF:
		return byte == '\n' &&
		       move_to(decoder, decoder->left > 0 ? STATE_DATA : STATE_LINE);
	case STATE_DATA_CR:
		return byte == '\r' && move_to(decoder, STATE_DATA_LF);
	case STATE_DATA_LF:
		return byte == '\n' && move_to(decoder, STATE_SIZE);
	case STATE_EXTENSION:
	case STATE_EXTENSION_NAME:
	case STATE_EXTENSION_VALUE:
	case STATE_EXTENSION_TOKEN:
	case STATE_EXTENSION_QUOTED:
	case STATE_EXTENSION_ESCAPED:
	case STATE_EXTENSION_END:
		return step_extension(decoder, byte);
	case STATE_LINE:
	case STATE_NAME:
	case STATE_VALUE:
	case STATE_VALUE_LF:
	case STATE_END_LF:
		return step_trailer(decoder, byte);
	case STATE_DATA:
	case STATE_ENDED:
		break;
	}
	return false;
}

/* Accounts for n bytes of data. They pay for overhead: sixteen bytes each (H46). */
static void count_data(struct chunked_decoder *decoder, size_t n)
{
	decoder->left -= n;
	decoder->data_total += n;
	decoder->overhead -= n > decoder->overhead / OVERHEAD_PER_BYTE
				     ? decoder->overhead
				     : (uint32_t)n * OVERHEAD_PER_BYTE;
	if (decoder->left == 0)
		decoder->state = STATE_DATA_CR;
}

static struct chunked_result bad(const struct chunked_decoder *decoder,
				 struct chunked_result result)
{
	result.status = CHUNKED_BAD;
	result.fault = decoder->state >= STATE_LINE ? FAULT_BAD_TRAILER : FAULT_BAD_CHUNK;
	return result;
}

static struct chunked_result decode(struct chunked_decoder *decoder, char *bytes, size_t length)
{
	struct chunked_result result = {.status = CHUNKED_MORE};

	while (result.consumed < length) {
		if (decoder->state == STATE_DATA) {
			size_t there = length - result.consumed;
			size_t n = decoder->left < there ? (size_t)decoder->left : there;

			if (result.produced != result.consumed)
				memmove(bytes + result.produced, bytes + result.consumed, n);
			result.produced += n;
			result.consumed += n;
			count_data(decoder, n);
			continue;
		}
		if (!step(decoder, bytes[result.consumed]))
			return bad(decoder, result);
		result.consumed++;
		if (decoder->state == STATE_ENDED) {
			result.status = CHUNKED_DONE;
			return result;
		}
	}
	return result;
}

struct chunked_result chunked_decode(struct chunked_decoder *decoder, char *bytes, size_t length)
{
	uint16_t before = decoder->trailer_bytes;
	struct chunked_result result = decode(decoder, bytes, length);

	result.trailer_bytes = (size_t)(decoder->trailer_bytes - before);
	return result;
}

size_t chunked_write_size(char line[static CHUNKED_SIZE_LINE_MAX], uint64_t size)
{
	unsigned digits = (67 - (unsigned)__builtin_clzll(size | 1)) / 4;

	for (unsigned i = digits; i > 0; i--, size >>= 4)
		line[i - 1] = "0123456789abcdef"[size & 15];
	line[digits] = '\r';
	line[digits + 1] = '\n';
	return digits + 2;
}
