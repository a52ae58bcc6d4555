/* SPDX-License-Identifier: Apache-2.0 */
/* A client's connection that speaks HTTP/1.1: one request after the other. A buffer and an exchange are there only
 * while a request is in progress. An empty line is no request yet (RFC 9112, 2.2): who sends no more than that is
 * idle.
 *
 *   IDLE ---> BUSY ---> IDLE …          a byte of a request; its exchange has ended
 */
#pragma once

#include <stdint.h>

#include "proxy/client.h"

/* Called by downstream.c: something came on an idle connection; edges of a busy one; the timer ended; the worker
 * stops. The connection may be gone afterwards. */
void downstream_h1_begin(struct downstream *downstream);
void downstream_h1_on_ready(struct downstream *downstream, uint32_t events);
void downstream_h1_on_expired(struct downstream *downstream);
void downstream_h1_cut(struct downstream *downstream);

/* Called by client.c: goes on with a head of which bytes lie in the buffer already, once a turn for those who
 * pipeline; an exchange has ended. */
void downstream_h1_on_turn(struct downstream *downstream);
void downstream_h1_on_end(struct downstream *downstream, enum client_after after);
