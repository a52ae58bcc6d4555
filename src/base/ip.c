/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

enum { V4_PREFIX_BITS = 96 };

bool ip_is_v4(const struct ip *ip)
{
	return memcmp(ip->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool ip_equals(const struct ip *a, const struct ip *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool ip_parse(struct span text, struct ip *ip)
{
	char copy[IP_TEXT_SIZE];
	struct ip parsed;

	if (text.len == 0 || text.len >= sizeof(copy) || span_find(text, '\0') != SIZE_MAX)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	memcpy(parsed.bytes, v4_prefix, sizeof(v4_prefix));
	if (inet_pton(AF_INET, copy, parsed.bytes + sizeof(v4_prefix)) != 1 &&
	    inet_pton(AF_INET6, copy, parsed.bytes) != 1)
		return false;
	*ip = parsed;
	return true;
}

/* Every request carries its client's address: by hand it costs a tenth of inet_ntop. */
static size_t write_v4(char *text, const uint8_t *bytes)
{
	char *at = text;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t byte = bytes[i];

		if (i > 0)
			*at++ = '.';
		if (byte >= 100)
			*at++ = (char)('0' + byte / 100);
		if (byte >= 10)
			*at++ = (char)('0' + byte / 10 % 10);
		*at++ = (char)('0' + byte % 10);
	}
	*at = '\0';
	return (size_t)(at - text);
}

size_t ip_write(char text[static IP_TEXT_SIZE], const struct ip *ip)
{
	if (ip_is_v4(ip))
		return write_v4(text, ip->bytes + sizeof(v4_prefix));
	inet_ntop(AF_INET6, ip->bytes, text, IP_TEXT_SIZE);
	return strlen(text);
}

size_t ip_port_write(char text[static IP_PORT_TEXT_SIZE], const struct ip_port *at)
{
	char ip[IP_TEXT_SIZE];

	ip_write(ip, &at->ip);
	return (size_t)snprintf(text, IP_PORT_TEXT_SIZE, ip_is_v4(&at->ip) ? "%s:%u" : "[%s]:%u",
				ip, at->port);
}

static void clear_host_bits(struct ip_network *network)
{
	for (unsigned bit = network->prefix_bits; bit < 128; bit++)
		network->ip.bytes[bit / 8] &= (uint8_t) ~(0x80U >> (bit % 8));
}

bool ip_network_parse(struct span text, struct ip_network *network)
{
	struct span rest = text;
	struct span address = span_cut(&rest, '/');
	struct ip_network parsed = {.prefix_bits = 128};
	uint64_t bits;

	if (!ip_parse(address, &parsed.ip))
		return false;
	if (address.len != text.len) {
		bool v4 = span_find(address, ':') == SIZE_MAX;

		if (rest.len > 3 || !span_to_u64(rest, &bits) || bits > (v4 ? 32 : 128))
			return false;
		parsed.prefix_bits = (uint8_t)(v4 ? bits + V4_PREFIX_BITS : bits);
	}
	clear_host_bits(&parsed);
	*network = parsed;
	return true;
}

bool ip_network_has(const struct ip_network *network, const struct ip *ip)
{
	unsigned whole = network->prefix_bits / 8;
	unsigned bits = network->prefix_bits % 8;

	if (memcmp(network->ip.bytes, ip->bytes, whole) != 0)
		return false;
	return bits == 0 || ((network->ip.bytes[whole] ^ ip->bytes[whole]) >> (8 - bits)) == 0;
}

static const char *special_v4(const uint8_t *b)
{
	if (b[0] == 127)
		return "loopback";
	if (b[0] == 0)
		return "unspecified";
	if (b[0] == 169 && b[1] == 254)
		return "link-local";
	if (b[0] >= 224 && b[0] <= 239)
		return "multicast";
	if (b[0] == 255 && b[1] == 255 && b[2] == 255 && b[3] == 255)
		return "broadcast";
	return NULL;
}

const char *ip_special_kind(const struct ip *ip)
{
	static const uint8_t zero[16];
	const uint8_t *b = ip->bytes;

	if (ip_is_v4(ip))
		return special_v4(b + sizeof(v4_prefix));
	if (memcmp(b, zero, 15) == 0 && b[15] <= 1)
		return b[15] == 1 ? "loopback" : "unspecified";
	if (memcmp(b, zero, sizeof(v4_prefix)) == 0) /* the old IPv4-compatible form */
		return special_v4(b + sizeof(v4_prefix));
	if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
		return "link-local";
	if (b[0] == 0xff)
		return "multicast";
	return NULL;
}
