/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors as HAProxy 2.6 writes them, and everything that is not quite a header. */
#include "io/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define LOOPBACK6 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"

/* The header lies at the end of memory that a sanitizer guards. */
static struct proxy_protocol parse(struct span bytes)
{
	char *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
	struct proxy_protocol header;

	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	header = proxy_protocol_parse(span_make(copy, bytes.len));
	free(copy);
	return header;
}

static void assert_from(struct span bytes, const char *source, const char *destination)
{
	struct proxy_protocol header = parse(bytes);
	char text[IP_PORT_TEXT_SIZE];

	assert_int_equal(header.status, PROXY_PROTOCOL_DONE);
	assert_false(header.is_local);
	assert_int_equal(header.consumed, bytes.len);
	ip_port_write(text, &header.source);
	assert_string_equal(text, source);
	ip_port_write(text, &header.destination);
	assert_string_equal(text, destination);
}

/* Byte by byte: no beginning of it is taken for the whole, or for none. */
static void assert_every_beginning_wants_more(struct span bytes)
{
	for (size_t length = 0; length < bytes.len; length++)
		if (parse(span_take(bytes, length)).status != PROXY_PROTOCOL_MORE)
			fail_msg("%zu of %zu bytes", length, bytes.len);
}

static const struct span v1_tcp4 = {"PROXY TCP4 127.0.0.1 127.0.0.1 40004 9004\r\n", 43};
static const struct span v2_tcp4 = {
	SIGNATURE "\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x9c\x41\x23\x29", 28};
static const struct span v2_tlvs = {
	SIGNATURE "\x21\x11\x00\x23\x7f\x00\x00\x01\x7f\x00\x00\x01\x9c\x42\x23\x2a"
		  "\x03\x00\x04\x8c\x14\xda\x2f\x05\x00\x0d"
		  "7F000001:9C42",
	51};
static const struct span v2_tcp6 = {
	SIGNATURE "\x21\x21\x00\x24" LOOPBACK6 LOOPBACK6 "\x9c\x43\x23\x2b", 52};
static const struct span v2_local = {SIGNATURE "\x20\x00\x00\x00", 16};

static void what_haproxy_writes_is_read(void **state)
{
	(void)state;
	assert_from(v1_tcp4, "127.0.0.1:40004", "127.0.0.1:9004");
	assert_from(v2_tcp4, "127.0.0.1:40001", "127.0.0.1:9001");
	assert_from(v2_tlvs, "127.0.0.1:40002", "127.0.0.1:9002");
	assert_from(v2_tcp6, "[::1]:40003", "[::1]:9003");
	assert_from(S("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), "[2001:db8::1]:1",
		    "[2001:db8::2]:65535");
	assert_true(parse(v2_local).is_local);
	assert_int_equal(parse(v2_local).consumed, 16);
}

static void a_header_that_comes_in_pieces_is_waited_for(void **state)
{
	(void)state;
	assert_every_beginning_wants_more(v1_tcp4);
	assert_every_beginning_wants_more(v2_tlvs);
	assert_every_beginning_wants_more(v2_tcp6);
	assert_every_beginning_wants_more(v2_local);
}

static void what_follows_the_header_is_left(void **state)
{
	(void)state;
	assert_int_equal(parse(S("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n")).consumed, 15);
	assert_true(parse(S("PROXY UNKNOWN ffff::1 x 1 2\r\n")).is_local);
}

static void text_that_is_not_quite_a_header_is_refused(void **state)
{
	static const char *const lines[] = {
		"GET / HTTP/1.1\r\n",
		"PROXY TCP4 127.0.0.1 127.0.0.1 40004 9004\n",
		"PROXY TCP4 127.0.0.1 127.0.0.1 40004\r\n",
		"PROXY TCP4 127.0.0.1 127.0.0.1 40004 9004 \r\n",
		"PROXY TCP4  127.0.0.1 127.0.0.1 40004 9004\r\n",
		"PROXY TCP4 127.0.0.1 127.0.0.1 040004 9004\r\n",
		"PROXY TCP4 127.0.0.1 127.0.0.1 65536 9004\r\n",
		"PROXY TCP4 127.0.0.1 127.0.0.1 -1 9004\r\n",
		"PROXY TCP4 127.0.0.1 ::1 40004 9004\r\n",
		"PROXY TCP4 ::ffff:127.0.0.1 127.0.0.1 40004 9004\r\n",
		"PROXY TCP6 127.0.0.1 127.0.0.1 40004 9004\r\n",
		"PROXY UDP4 127.0.0.1 127.0.0.1 40004 9004\r\n",
		"PROXY tcp4 127.0.0.1 127.0.0.1 40004 9004\r\n",
		"proxy TCP4 127.0.0.1 127.0.0.1 40004 9004\r\n",
		"PROXY\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (parse(span_from(lines[i])).status != PROXY_PROTOCOL_BAD)
			fail_msg("%s", lines[i]);
}

static void a_line_without_end_is_refused_at_its_longest(void **state)
{
	char line[108] = "PROXY UNKNOWN ";

	(void)state;
	memset(line + 14, 'x', sizeof(line) - 14);

	assert_int_equal(parse(span_make(line, 106)).status, PROXY_PROTOCOL_MORE);
	assert_int_equal(parse(span_make(line, 107)).status, PROXY_PROTOCOL_BAD);
}

/* The header with one byte of it changed. */
static enum proxy_protocol_status status_with(struct span bytes, size_t at, char value)
{
	char changed[64];

	memcpy(changed, bytes.ptr, bytes.len);
	changed[at] = value;
	return parse(span_make(changed, bytes.len)).status;
}

static void bytes_that_are_not_quite_a_header_are_refused(void **state)
{
	(void)state;
	assert_int_equal(status_with(v2_tcp4, 3, 'x'), PROXY_PROTOCOL_BAD);
	assert_int_equal(status_with(v2_tcp4, 12, 0x31), PROXY_PROTOCOL_BAD);
	assert_int_equal(status_with(v2_tcp4, 12, 0x22), PROXY_PROTOCOL_BAD);
	assert_int_equal(status_with(v2_tcp4, 13, 0x12), PROXY_PROTOCOL_BAD);
	assert_int_equal(status_with(v2_tcp4, 13, 0x41), PROXY_PROTOCOL_BAD);
	assert_int_equal(status_with(v2_tcp4, 15, 11), PROXY_PROTOCOL_BAD);
	assert_int_equal(status_with(v2_tcp4, 14, 0x7f), PROXY_PROTOCOL_BAD);
	assert_int_equal(status_with(v2_tlvs, 31, 'x'), PROXY_PROTOCOL_BAD);
	assert_int_equal(status_with(v2_tlvs, 20, 1), PROXY_PROTOCOL_BAD);
	assert_int_equal(status_with(v2_tlvs, 37, 14), PROXY_PROTOCOL_BAD);
}

static void a_connection_of_the_balancer_itself_keeps_its_addresses(void **state)
{
	(void)state;
	/* UNSPEC, and LOCAL with addresses that nobody looks at */
	assert_true(parse((struct span){SIGNATURE "\x21\x00\x00\x00", 16}).is_local);
	assert_true(parse((struct span){SIGNATURE "\x20\x11\x00\x02xx", 18}).is_local);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_haproxy_writes_is_read),
		cmocka_unit_test(a_header_that_comes_in_pieces_is_waited_for),
		cmocka_unit_test(what_follows_the_header_is_left),
		cmocka_unit_test(text_that_is_not_quite_a_header_is_refused),
		cmocka_unit_test(a_line_without_end_is_refused_at_its_longest),
		cmocka_unit_test(bytes_that_are_not_quite_a_header_are_refused),
		cmocka_unit_test(a_connection_of_the_balancer_itself_keeps_its_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
