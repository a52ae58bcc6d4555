/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct ip given_ip(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(span_from(text), &ip));
	return ip;
}

static void assert_written(const char *text, const char *expected)
{
	struct ip ip = given_ip(text);
	char written[IP_TEXT_SIZE];

	assert_int_equal(ip_write(written, &ip), strlen(expected));
	assert_string_equal(written, expected);
}

static bool is_in(const char *network_text, const char *ip_text)
{
	struct ip_network network;
	struct ip ip = given_ip(ip_text);

	assert_true(ip_network_parse(span_from(network_text), &network));
	return ip_network_has(&network, &ip);
}

static void addresses_are_written_in_their_one_form(void **state)
{
	(void)state;
	assert_written("192.0.2.1", "192.0.2.1");
	assert_written("255.255.255.255", "255.255.255.255");
	assert_written("0.9.10.99", "0.9.10.99");
	assert_written("100.109.199.200", "100.109.199.200");
	assert_written("2001:DB8:0:0:0:0:0:1", "2001:db8::1");
	assert_written("::", "::");
	assert_written("::1", "::1");
	assert_written("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6");
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
	struct ip mapped = given_ip("::ffff:192.0.2.1");
	struct ip plain = given_ip("192.0.2.1");
	struct ip other = given_ip("::192.0.2.1");

	(void)state;
	assert_true(ip_is_v4(&mapped));
	assert_true(ip_equals(&mapped, &plain));
	assert_false(ip_is_v4(&other));
}

static void what_is_no_address_leaves_the_result_alone(void **state)
{
	static const struct span wrong[] = {
		{"", 0},          {NULL, 0},
		{"1.2.3", 5},     {"1.2.3.4.", 8},
		{"1.2.3.256", 9}, {"01.2.3.4", 8},
		{" 1.2.3.4", 8},  {"1.2.3.4 ", 8},
		{"[::1]", 5},     {"fe80::1%eth0", 12},
		{":::", 3},       {"1:2:3:4:5:6:7:8:9", 17},
		{"1.2.3.4\0", 8}, {"localhost", 9},
	};
	struct ip ip = given_ip("192.0.2.9");
	struct ip before = ip;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(ip_parse(wrong[i], &ip));
	assert_true(ip_equals(&ip, &before));
}

static void a_text_longer_than_any_address_is_none(void **state)
{
	char text[200];
	struct ip ip;

	(void)state;
	memset(text, '1', sizeof(text));

	assert_false(ip_parse(span_make(text, sizeof(text)), &ip));
}

static void a_port_follows_ipv6_in_brackets(void **state)
{
	struct ip_port v4 = {given_ip("192.0.2.1"), 80};
	struct ip_port v6 = {given_ip("2001:db8:1111:2222:3333:4444:5555:6666"), 65535};
	char text[IP_PORT_TEXT_SIZE];

	(void)state;
	assert_int_equal(ip_port_write(text, &v4), 12);
	assert_string_equal(text, "192.0.2.1:80");
	ip_port_write(text, &v6);
	assert_string_equal(text, "[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
}

static void a_network_holds_the_addresses_with_its_prefix(void **state)
{
	(void)state;
	assert_true(is_in("192.0.2.0/24", "192.0.2.255"));
	assert_false(is_in("192.0.2.0/24", "192.0.3.0"));
	assert_true(is_in("10.0.0.0/9", "10.127.255.255"));
	assert_false(is_in("10.0.0.0/9", "10.128.0.0"));
	assert_true(is_in("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(is_in("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(is_in("192.0.2.7", "192.0.2.7"));
	assert_false(is_in("192.0.2.7", "192.0.2.6"));
}

static void host_bits_of_a_network_do_not_count(void **state)
{
	(void)state;
	assert_true(is_in("192.0.2.77/24", "192.0.2.1"));
	assert_true(is_in("2001:db8::ffff/32", "2001:db8:1::"));
}

static void every_ipv4_address_is_in_its_zero_network_and_no_other(void **state)
{
	(void)state;
	assert_true(is_in("0.0.0.0/0", "255.1.2.3"));
	assert_false(is_in("0.0.0.0/0", "::1"));
	assert_true(is_in("::/0", "::1"));
	assert_true(is_in("::/0", "255.1.2.3"));
}

static void what_is_no_network_leaves_the_result_alone(void **state)
{
	static const char *const wrong[] = {"",         "/8",     "10.0.0.0/",     "10.0.0.0/33",
					    "::/129",   "::/-1",  "10.0.0.0/8/8",  "10.0.0.0/ 8",
					    "10.0.0/8", "::/0x1", "10.0.0.0/0008", "10.0.0.0/8 "};
	struct ip_network network = {.prefix_bits = 5};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(ip_network_parse(span_from(wrong[i]), &network));
	assert_int_equal(network.prefix_bits, 5);
}

static void special_addresses_are_known_in_every_form(void **state)
{
	static const struct {
		const char *ip;
		const char *kind;
	} cases[] = {
		{"127.0.0.1", "loopback"},         {"127.255.255.255", "loopback"},
		{"::ffff:127.0.0.1", "loopback"},  {"::1", "loopback"},
		{"::127.0.0.1", "loopback"},       {"0.0.0.0", "unspecified"},
		{"0.1.2.3", "unspecified"},        {"::", "unspecified"},
		{"169.254.169.254", "link-local"}, {"::ffff:169.254.169.254", "link-local"},
		{"fe80::1", "link-local"},         {"febf::1", "link-local"},
		{"224.0.0.1", "multicast"},        {"239.255.255.255", "multicast"},
		{"ff02::1", "multicast"},          {"255.255.255.255", "broadcast"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip ip = given_ip(cases[i].ip);

		assert_non_null(ip_special_kind(&ip));
		assert_string_equal(ip_special_kind(&ip), cases[i].kind);
	}
}

static void ordinary_addresses_are_not_special(void **state)
{
	static const char *const ordinary[] = {
		"10.0.0.1",    "126.255.255.255", "128.0.0.1",       "169.253.1.1",
		"169.255.1.1", "223.255.255.255", "255.255.255.254", "2001:db8::1",
		"fec0::1",     "fe7f::1",         "::2:0:0:1",       "fd00::1"};

	(void)state;
	for (size_t i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++) {
		struct ip ip = given_ip(ordinary[i]);

		assert_null(ip_special_kind(&ip));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_written_in_their_one_form),
		cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
		cmocka_unit_test(what_is_no_address_leaves_the_result_alone),
		cmocka_unit_test(a_text_longer_than_any_address_is_none),
		cmocka_unit_test(a_port_follows_ipv6_in_brackets),
		cmocka_unit_test(a_network_holds_the_addresses_with_its_prefix),
		cmocka_unit_test(host_bits_of_a_network_do_not_count),
		cmocka_unit_test(every_ipv4_address_is_in_its_zero_network_and_no_other),
		cmocka_unit_test(what_is_no_network_leaves_the_result_alone),
		cmocka_unit_test(special_addresses_are_known_in_every_form),
		cmocka_unit_test(ordinary_addresses_are_not_special),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
