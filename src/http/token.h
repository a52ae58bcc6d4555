/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes may stand where in names, methods and hosts (RFC 9110, 5.6.2; RFC 3986, 3.2.2). One
 * table for the parsers and for the writer's check.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum token_class {
	TOKEN_CHAR = 1,   /* tchar: may stand in a field name or a method */
	TOKEN_PLAIN = 2,  /* letters, digits and '-': what H9 lets pass in a field name */
	TOKEN_METHOD = 4, /* capitals, digits and '-': what H17 lets pass in a method */
	TOKEN_HOST = 8,   /* in a Host value: reg-name without ',' ';' '%', and ':' '[' ']' */
	TOKEN_UPPER = 16, /* A to Z */
	TOKEN_HEX = 32,   /* a hexadecimal digit */
};

/* Bits of enum token_class for each byte. */
extern const uint8_t token_classes[256];

static inline bool token_byte_is(char byte, enum token_class class)
{
	return (token_classes[(unsigned char)byte] & class) != 0;
}

/* Not empty, and every byte of that class. */
bool token_is(struct span text, enum token_class class);
