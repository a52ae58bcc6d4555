/* SPDX-License-Identifier: Apache-2.0 */
/* The chunked transfer coding, read in place and strictly (RFC 9112, 7.1; security spec, H45–H48). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "http/fault.h"

enum chunked_status { CHUNKED_MORE, CHUNKED_DONE, CHUNKED_BAD };

/* Zeroed by the caller before the first byte of a body. */
struct chunked_decoder {
	uint64_t left;            /* private to chunked.c: data bytes left in this chunk */
	uint64_t data_total;      /* body bytes delivered so far; may be read */
	uint32_t overhead;        /* private: bytes beside data, for the ratio of H46 */
	uint16_t line_bytes;      /* private */
	uint16_t extension_bytes; /* private: over the message */
	uint16_t trailer_bytes;   /* private */
	uint8_t trailer_fields;   /* private */
	uint8_t state;            /* private */
	uint8_t digits;           /* private */
	uint8_t blank;            /* private */
};

struct chunked_result {
	enum chunked_status status;
	enum fault fault;     /* with CHUNKED_BAD: FAULT_BAD_CHUNK or FAULT_BAD_TRAILER */
	size_t consumed;      /* coded bytes read; all of them unless DONE or BAD */
	size_t trailer_bytes; /* the last of those consumed that belong to the trailer, line ends too */
	size_t produced;      /* data bytes, moved together to the front of the same memory */
};

/* Decodes bytes in place. On MORE everything was consumed. On DONE the bytes behind `consumed` belong
 * to the next message. On BAD `produced` bytes before the fault are sound. Trailers are checked by
 * the rules of a head; who wants them keeps them before the memory is used again (trailer.h). Bodies end at
 * 2^63-1 bytes. */
struct chunked_result chunked_decode(struct chunked_decoder *decoder, char *bytes, size_t length);

enum { CHUNKED_SIZE_LINE_MAX = 18 };

/* "1a2b\r\n" for a chunk of that size, which is not 0; returns the length. */
size_t chunked_write_size(char line[static CHUNKED_SIZE_LINE_MAX], uint64_t size);
