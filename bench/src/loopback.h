/* SPDX-License-Identifier: Apache-2.0 */
/* TCP over loopback. Clients come from several addresses in turn (127.0.0.1, .2, …), so that a
 * benchmark is not bounded by the local ports of one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LOOPBACK_SOURCES_MAX = 250 };

enum loopback_wait { LOOPBACK_BLOCKING, LOOPBACK_NON_BLOCKING };

/* A non-blocking listener on that port of every IPv4 address, with TCP_NODELAY for what it accepts. */
int loopback_listen(uint16_t port);

/* Accepts one more, non-blocking; -1: there is none. */
int loopback_accept(int listener);

/* A connection to 127.0.0.1, blocking or begun, from the source-th address. -1: errno says why. */
int loopback_connect(uint16_t port, uint32_t source, enum loopback_wait wait);

/* Sends all or nothing worth going on with: a small message into an empty socket. */
bool loopback_send(int fd, const void *bytes, uint64_t size);
