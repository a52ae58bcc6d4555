/* SPDX-License-Identifier: Apache-2.0 */
/* An upgraded connection: bytes both ways, each side may end its half first (security spec, H59). */
#pragma once

struct exchange;

/* The response head is a 101 that fits; it goes to the client, and what lies behind both heads goes on. */
void tunnel_start(struct exchange *exchange);

void tunnel_pump(struct exchange *exchange);

/* Nothing came for the read time-out. */
void tunnel_on_timeout(struct exchange *exchange);
