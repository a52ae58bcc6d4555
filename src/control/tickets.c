/* SPDX-License-Identifier: Apache-2.0 */
#include "control/tickets.h"

#include <string.h>

#include "base/random.h"

void tickets_rotate(struct tickets *tickets)
{
	memmove(&tickets->keys[1], &tickets->keys[0],
		(TICKETS_KEPT - 1) * sizeof(tickets->keys[0]));
	random_secret(&tickets->keys[0], sizeof(tickets->keys[0]));
	if (tickets->count < TICKETS_KEPT)
		tickets->count++;
}

void tickets_fini(struct tickets *tickets)
{
	explicit_bzero(tickets, sizeof(*tickets));
}
