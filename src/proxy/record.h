/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of an exchange that has ended: its line in the access log, and its figures. */
#pragma once

struct access_record;
struct exchange;
struct route;
struct routes;

/* Once, when the exchange ends, while its table is still pinned. Sets the status where none was sent. */
void record_exchange(struct exchange *exchange);

/* Which Ingress and Service it was, and the generation. route: NULL: none. */
void record_set_route(struct access_record *record, const struct routes *routes,
		      const struct route *route);
