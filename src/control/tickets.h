/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of session tickets: made in memory, another one every twelve hours, each good for a day, never on a disk
 * (security spec, T5).
 */
#pragma once

#include <stdint.h>

#include "table/certificates.h"

enum { TICKETS_ROTATE_MS = 12 * 3600 * 1000, TICKETS_KEPT = 2 };

struct tickets {
	struct ticket_key keys[TICKETS_KEPT]; /* the first seals */
	uint32_t count;
};

/* A new key seals from now on; the oldest goes. Every TICKETS_ROTATE_MS, and at the start. */
void tickets_rotate(struct tickets *tickets);

/* Wipes them. */
void tickets_fini(struct tickets *tickets);
