/* SPDX-License-Identifier: Apache-2.0 */
#include "io/proxy_protocol.h"

#include <string.h>

enum { V1_MAX = 107, V2_HEAD = 16, V2_SIGNATURE = 12, PORT_MAX = 65535 };
enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { FAMILY_NONE, FAMILY_IPV4, FAMILY_IPV6, FAMILY_UNIX };
enum { STREAM = 1, DATAGRAM = 2, TLV_HEAD = 3, TLV_CRC32C = 3, CRC_SIZE = 4 };

static const char v1_word[] = "PROXY ";
static const char signature[V2_SIGNATURE + 1] = "\r\n\r\n\0\r\nQUIT\n";

static const struct proxy_protocol bad = {.status = PROXY_PROTOCOL_BAD};
static const struct proxy_protocol more = {.status = PROXY_PROTOCOL_MORE};

/*
 * Version 1: a line of text
 */

/* Decimal without leading zeros. */
static bool read_port(struct span text, uint16_t *port)
{
	uint64_t number;

	if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0') || !span_to_u64(text, &number) ||
	    number > PORT_MAX)
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool read_address(struct span text, bool is_v4, struct ip *ip)
{
	return ip_parse(text, ip) && ip_is_v4(ip) == is_v4 &&
	       (span_find(text, ':') == SIZE_MAX) == is_v4;
}

/* "192.0.2.1 192.0.2.2 40000 443" */
static bool read_addresses(struct span rest, bool is_v4, struct proxy_protocol *header)
{
	struct span source = span_cut(&rest, ' ');
	struct span destination = span_cut(&rest, ' ');
	struct span source_port = span_cut(&rest, ' ');

	return read_address(source, is_v4, &header->source.ip) &&
	       read_address(destination, is_v4, &header->destination.ip) &&
	       read_port(source_port, &header->source.port) &&
	       read_port(rest, &header->destination.port);
}

/* line: without its end. */
static bool read_line(struct span line, struct proxy_protocol *header)
{
	struct span rest = span_skip(line, sizeof(v1_word) - 1);
	struct span family = span_cut(&rest, ' ');

	header->is_local = span_equals(family, S("UNKNOWN"));
	if (header->is_local)
		return true;
	if (span_equals(family, S("TCP4")))
		return read_addresses(rest, true, header);
	return span_equals(family, S("TCP6")) && read_addresses(rest, false, header);
}

static struct proxy_protocol parse_v1(struct span bytes)
{
	struct proxy_protocol header = {.status = PROXY_PROTOCOL_DONE};
	size_t end = span_find(span_take(bytes, V1_MAX), '\n');

	if (end == SIZE_MAX)
		return bytes.len >= V1_MAX ? bad : more;
	if (bytes.ptr[end - 1] != '\r' || !read_line(span_take(bytes, end - 1), &header))
		return bad;
	header.consumed = end + 1;
	return header;
}

/*
 * Version 2: binary, in network byte order
 */

static uint16_t take_u16(const char *at)
{
	const unsigned char *bytes = (const unsigned char *)at;

	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t take_u32(const char *at)
{
	return (uint32_t)take_u16(at) << 16 | take_u16(at + 2);
}

/* CRC-32C of bytes, of which zeros from `hole` on count as zeros (RFC 9260, appendix A). */
static uint32_t crc32c(struct span bytes, size_t hole)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < bytes.len; i++) {
		bool is_hole = i >= hole && i < hole + CRC_SIZE;

		crc ^= is_hole ? 0 : (unsigned char)bytes.ptr[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78 & -(crc & 1));
	}
	return ~crc;
}

/* The TLVs behind the addresses: each lies inside, and a checksum is right. at: where the first begins. */
static bool check_tlvs(struct span header, size_t at)
{
	while (at < header.len) {
		size_t length;

		if (header.len - at < TLV_HEAD)
			return false;
		length = take_u16(header.ptr + at + 1);
		if (length > header.len - at - TLV_HEAD)
			return false;
		if (header.ptr[at] == TLV_CRC32C &&
		    (length != CRC_SIZE ||
		     take_u32(header.ptr + at + TLV_HEAD) != crc32c(header, at + TLV_HEAD)))
			return false;
		at += TLV_HEAD + length;
	}
	return true;
}

/* What the addresses of a family take. */
static size_t address_bytes(unsigned family)
{
	static const size_t sizes[] = {
		[FAMILY_NONE] = 0, [FAMILY_IPV4] = 12, [FAMILY_IPV6] = 36, [FAMILY_UNIX] = 216};

	return sizes[family];
}

static void take_ip(const char *at, bool is_v4, struct ip *ip)
{
	*ip = (struct ip){0};
	if (is_v4) {
		ip->bytes[10] = ip->bytes[11] = 0xff;
		memcpy(ip->bytes + 12, at, 4);
	} else {
		memcpy(ip->bytes, at, 16);
	}
}

static void take_addresses(const char *at, bool is_v4, struct proxy_protocol *header)
{
	size_t size = is_v4 ? 4 : 16;

	take_ip(at, is_v4, &header->source.ip);
	take_ip(at + size, is_v4, &header->destination.ip);
	header->source.port = take_u16(at + 2 * size);
	header->destination.port = take_u16(at + 2 * size + 2);
}

static bool read_v2(struct span bytes, struct proxy_protocol *header)
{
	unsigned command = (unsigned char)bytes.ptr[V2_SIGNATURE];
	unsigned family = (unsigned char)bytes.ptr[V2_SIGNATURE + 1] >> 4;
	unsigned transport = bytes.ptr[V2_SIGNATURE + 1] & 15;
	bool is_ip = family == FAMILY_IPV4 || family == FAMILY_IPV6;

	if ((command != V2_LOCAL && command != V2_PROXY) || family > FAMILY_UNIX ||
	    transport > DATAGRAM)
		return false;
	header->is_local = command == V2_LOCAL || !is_ip;
	/* who talks of itself may leave addresses out, or say anything */
	if (command == V2_LOCAL)
		return true;
	if (is_ip && transport != STREAM)
		return false;
	if (bytes.len - V2_HEAD < address_bytes(family) ||
	    !check_tlvs(bytes, V2_HEAD + address_bytes(family)))
		return false;
	if (is_ip)
		take_addresses(bytes.ptr + V2_HEAD, family == FAMILY_IPV4, header);
	return true;
}

static struct proxy_protocol parse_v2(struct span bytes)
{
	struct proxy_protocol header = {.status = PROXY_PROTOCOL_DONE};

	if (bytes.len < V2_HEAD)
		return more;
	header.consumed = V2_HEAD + (size_t)take_u16(bytes.ptr + V2_HEAD - 2);
	if (header.consumed > PROXY_PROTOCOL_MAX)
		return bad;
	if (bytes.len < header.consumed)
		return more;
	return read_v2(span_take(bytes, header.consumed), &header) ? header : bad;
}

/* Whether what came so far is the beginning of that. */
static bool begins(struct span bytes, const char *with, size_t length)
{
	return memcmp(bytes.ptr, with, bytes.len < length ? bytes.len : length) == 0;
}

struct proxy_protocol proxy_protocol_parse(struct span bytes)
{
	if (bytes.len == 0)
		return more;
	if (begins(bytes, signature, V2_SIGNATURE))
		return bytes.len < V2_SIGNATURE ? more : parse_v2(bytes);
	if (begins(bytes, v1_word, sizeof(v1_word) - 1))
		return bytes.len < sizeof(v1_word) - 1 ? more : parse_v1(bytes);
	return bad;
}
