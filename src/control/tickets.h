/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of session tickets: made in memory, another one every twelve hours, each good for a day, never on a disk
 * (security spec, T5). Or one that the user gives.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "table/certificates.h"

enum { TICKETS_ROTATE_MS = 12 * 3600 * 1000, TICKETS_KEPT = 2, TICKET_KEY_FILE_BYTES = 80 };

struct tickets {
	struct ticket_key keys[TICKETS_KEPT]; /* the first seals */
	uint32_t count;
	bool is_set; /* by the user: it is for him to replace */
};

/* A new key seals from now on; the oldest goes. Every TICKETS_ROTATE_MS, and at the start. Nothing happens while the
 * user's key is set. */
void tickets_rotate(struct tickets *tickets);

/* The only key from now on, of the form that nginx reads from a file: every instance that has it opens the tickets of
 * the others. Whether it is another one than before. */
bool tickets_set(struct tickets *tickets, const uint8_t bytes[static TICKET_KEY_FILE_BYTES]);

/* Back to keys of our own. Whether they were not. */
bool tickets_unset(struct tickets *tickets);

/* Wipes them. */
void tickets_fini(struct tickets *tickets);
