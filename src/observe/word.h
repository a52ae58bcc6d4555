/* SPDX-License-Identifier: Apache-2.0 */
/* The words by which figures are kept: faults, methods, protocols, statuses. In the live figures they are
 * numbers that a worker wrote, so each is checked here; what is no number of ours becomes "_OTHER".
 *
 * The words themselves stand in http/fault.def and http/head.h, and nowhere else.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"

#define WORD_OTHER "_OTHER"

/* How many faults there are; fault 0 is "ok". */
unsigned word_fault_count(void);

/* "no_route" for FAULT_NO_ROUTE; fault is below word_fault_count. */
const char *word_fault(unsigned fault);

/* The status that the client gets for it, 0: none. */
uint16_t word_fault_status(unsigned fault);

/* "GET" for METHOD_GET. */
const char *word_method(unsigned method);

/* "1.1" for 11, as network.protocol.version has it (OpenTelemetry). */
const char *word_protocol(unsigned protocol);

enum { WORD_STATUS_SIZE = 8 };
enum word_status_form { WORD_STATUS_CODE, WORD_STATUS_CLASS };

/* "404" or "4xx"; NUL-terminated in text, which is returned. */
const char *word_status(char text[static WORD_STATUS_SIZE], unsigned status,
			enum word_status_form form);
