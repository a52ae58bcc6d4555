/* SPDX-License-Identifier: Apache-2.0 */
/* What comes on a client's connection before its protocol, where the table asks for it:
 *
 *   accept ---> HEADER ---> HELLO ---> the protocol: TLS, HTTP (downstream_begin)
 *          \______________/      \---> passthrough.h
 *
 * HEADER  a PROXY header says whose connection it is: its bytes are taken, and no others (security spec, F5)
 * HELLO   what a client of TLS says first is looked at, and left for whoever goes on with it
 *
 * Whatever follows stays in the socket. Where the table asks for neither, a connection begins with its protocol.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct downstream;
struct ip_port;
struct listener;
struct worker;

enum opening { OPENING_DONE, OPENING_HEADER, OPENING_HELLO };

/* How often connections were closed at their header, and when that is told next. */
struct opening_complaints {
	uint64_t quiet_until_ns;
	uint32_t untold;
};

/* With what the next connection of a listener begins. */
enum opening opening_first(const struct listener *listener);

/* Whether a PROXY header of that peer is believed; a peer that is not trusted is counted and told of. */
bool opening_admits(struct worker *worker, const struct ip_port *peer);

/* The connection is in DOWNSTREAM_OPENING, and opening says with what it begins. */
void opening_start(struct downstream *downstream);

void opening_on_ready(struct downstream *downstream);

/* What is awaited has not come in time. */
void opening_on_expired(struct downstream *downstream);
