/* SPDX-License-Identifier: Apache-2.0 */
/* The faults of fault.def as an enum with their facts. */
#pragma once

#include <stdint.h>

#include "http/h2_error.h"

enum fault {
#define FAULT(name, side, retry, status, h2_error, text) FAULT_##name,
#include "http/fault.def"
#undef FAULT
	FAULT_COUNT
};

enum fault_side { FAULT_SIDE_LOCAL, FAULT_SIDE_DOWNSTREAM, FAULT_SIDE_UPSTREAM };

enum fault_retry { FAULT_RETRY_NEVER, FAULT_RETRY_SAFE, FAULT_RETRY_IDEMPOTENT };

struct fault_facts {
	const char *word; /* "no_route": log, metric, reference */
	const char *text; /* one sentence, no full stop */
	uint16_t status;
	uint8_t side;     /* enum fault_side */
	uint8_t retry;    /* enum fault_retry */
	uint8_t h2_error; /* enum h2_error: how a stream of HTTP/2 ends for it */
};

const struct fault_facts *fault_facts(enum fault fault);
