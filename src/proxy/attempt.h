/* SPDX-License-Identifier: Apache-2.0 */
/* One try of a request at one endpoint: pick, connect, send, read the response head; and whether another
 * try may follow (security spec, 7.5; compat spec, 16).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "http/fault.h"

struct exchange;

/* What errno of a connection that did not come about means. */
enum fault attempt_connect_fault(int reason);

/* The exchange is ROUTING and its route leads to an upstream. */
void attempt_start(struct exchange *exchange);

/* The exchange is CONNECTING, and the request may go out. */
void attempt_on_connected(struct exchange *exchange);

/* The exchange is WAITING, and a response head lies in exchange->response. False: it waits no more, and may be
 * gone. */
bool attempt_on_head(struct exchange *exchange);

/* What a response head may have (proxy-buffer-size; security spec, U5). */
uint32_t attempt_head_bytes_max(const struct exchange *exchange);

/* The server's timer. */
void attempt_on_timeout(struct exchange *exchange);

/* The attempt has failed: another one is started where that is allowed, else the client gets the fault. */
void attempt_fail(struct exchange *exchange, enum fault fault);

/* The endpoint broke off or garbled its response after the head: no other attempt may follow. The client is told as
 * exchange_answer does. */
void attempt_break(struct exchange *exchange, enum fault fault);

/* The endpoint is given up; what it has to say does not matter any more. */
void attempt_drop(struct exchange *exchange);

/* The whole response was read and sent: what carried it may serve again. */
void attempt_finish(struct exchange *exchange);
