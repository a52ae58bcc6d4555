/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/policy/ambiguous_path.h"

#include "proxy/exchange.h"
#include "proxy/tables.h"

/* Same policies, and no way from one that answers to one that refuses. */
static bool is_treated_alike(const struct route *a, const struct route *b)
{
	bool a_denied = a->answer == ROUTE_DENIED;
	bool b_denied = b->answer == ROUTE_DENIED;

	return a->policy == b->policy && a_denied == b_denied;
}

bool ambiguous_path_is(struct exchange *exchange)
{
	for (unsigned reading = 0; reading < URI_READING_COUNT; reading++) {
		struct span path = uri_read(&exchange->uri, (enum uri_reading)reading,
					    &exchange->arena);
		struct route_match match;

		/* it leads out of the tree, or there is no memory to tell: nobody vouches for it */
		if (path.ptr == NULL)
			return true;
		match = routes_find_beside(exchange->table, exchange->route, path);
		if (match.route != NULL && !is_treated_alike(match.route, exchange->route))
			return true;
	}
	return false;
}
