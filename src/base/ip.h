/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses and networks as values. IPv4 is kept in its IPv4-mapped IPv6 form (RFC 4291, 2.5.5.2),
 * so that comparing, hashing and matching need no cases. Nothing here touches a socket.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct ip {
	uint8_t bytes[16]; /* network byte order */
};

/* A network: the first prefix_bits of ip count; the others are zero. IPv4 /8 has 104. */
struct ip_network {
	struct ip ip;
	uint8_t prefix_bits; /* 0 … 128 */
};

/* An address and a port: an endpoint, a listener, a client. */
struct ip_port {
	struct ip ip;
	uint16_t port; /* host byte order */
};

enum { IP_TEXT_SIZE = 48, IP_PORT_TEXT_SIZE = 56 };

bool ip_is_v4(const struct ip *ip);
bool ip_equals(const struct ip *a, const struct ip *b);

/* Canonical text of IPv4 or IPv6 without brackets, zone or blanks; false leaves *ip alone. */
bool ip_parse(struct span text, struct ip *ip);

/* "192.0.2.1" or "2001:db8::1" (RFC 5952); NUL-terminated; returns the length. */
size_t ip_write(char text[static IP_TEXT_SIZE], const struct ip *ip);

/* "192.0.2.1:80", "[2001:db8::1]:80"; NUL-terminated; returns the length. */
size_t ip_port_write(char text[static IP_PORT_TEXT_SIZE], const struct ip_port *at);

/* "192.0.2.0/24", "2001:db8::/32", or a plain address (then all bits). Host bits are cleared.
 * "0.0.0.0/0" is every IPv4 address and no IPv6 one; "::/0" is both. */
bool ip_network_parse(struct span text, struct ip_network *network);

bool ip_network_has(const struct ip_network *network, const struct ip *ip);

/* Loopback, unspecified, link-local, multicast or broadcast, in either family or mapped: what a
 * tenant's destination may not be (security spec, M6). Returns the word for it, or NULL. */
const char *ip_special_kind(const struct ip *ip);
