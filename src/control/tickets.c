/* SPDX-License-Identifier: Apache-2.0 */
#include "control/tickets.h"

#include <string.h>

#include "base/random.h"

void tickets_rotate(struct tickets *tickets)
{
	if (tickets->is_set)
		return;
	memmove(&tickets->keys[1], &tickets->keys[0],
		(TICKETS_KEPT - 1) * sizeof(tickets->keys[0]));
	random_secret(&tickets->keys[0], sizeof(tickets->keys[0]));
	if (tickets->count < TICKETS_KEPT)
		tickets->count++;
}

bool tickets_set(struct tickets *tickets, const uint8_t bytes[static TICKET_KEY_FILE_BYTES])
{
	struct ticket_key key;
	bool is_other;

	static_assert(sizeof(key) == TICKET_KEY_FILE_BYTES, "all of it");
	memcpy(key.name, bytes, sizeof(key.name));
	memcpy(key.mac, bytes + sizeof(key.name), sizeof(key.mac));
	memcpy(key.cipher, bytes + sizeof(key.name) + sizeof(key.mac), sizeof(key.cipher));
	is_other = !tickets->is_set || memcmp(&key, &tickets->keys[0], sizeof(key)) != 0;
	explicit_bzero(tickets, sizeof(*tickets));
	tickets->keys[0] = key;
	tickets->count = 1;
	tickets->is_set = true;
	explicit_bzero(&key, sizeof(key));
	return is_other;
}

bool tickets_unset(struct tickets *tickets)
{
	bool was_set = tickets->is_set;

	if (was_set) {
		explicit_bzero(tickets, sizeof(*tickets));
		tickets_rotate(tickets);
	}
	return was_set;
}

void tickets_fini(struct tickets *tickets)
{
	explicit_bzero(tickets, sizeof(*tickets));
}
