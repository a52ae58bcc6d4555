/* SPDX-License-Identifier: Apache-2.0 */
/* One try of a request at one endpoint: pick, connect, send, read the response head; and whether another
 * try may follow (security spec, 7.5; compat spec, 16).
 */
#pragma once

#include "http/fault.h"

struct exchange;

/* What errno of a connection that did not come about means. */
enum fault attempt_connect_fault(int reason);

/* The exchange is ROUTING and its route leads to an upstream. */
void attempt_start(struct exchange *exchange);

/* Edges of the endpoint's connection, in any state. */
void attempt_on_upstream(struct exchange *exchange);

/* The timer of the endpoint's connection. */
void attempt_on_timeout(struct exchange *exchange);

/* The attempt has failed: another one is started where that is allowed, else the client gets the fault. */
void attempt_fail(struct exchange *exchange, enum fault fault);

/* The endpoint broke off or garbled its response after the head: no other attempt may follow. The client is told as
 * exchange_answer does. */
void attempt_break(struct exchange *exchange, enum fault fault);

/* The endpoint's connection is given up; what it has to say does not matter any more. */
void attempt_drop(struct exchange *exchange);

/* The whole response was read and sent: the connection goes back to the pool where it may. */
void attempt_finish(struct exchange *exchange);
