/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "page_end.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct span nothing = {NULL, 0};

/* What a target is taken for; the arena lives until the next one. */
static enum fault given_uri(struct span target, enum method method, struct uri *uri,
			    struct arena **kept)
{
	static struct arena arena;

	arena_fini(&arena);
	arena_init(&arena, NULL, 0, 1 << 20);
	if (kept != NULL)
		*kept = &arena;
	return uri_parse(page_end_copy(target), method, &arena, uri);
}

static void assert_text(struct span actual, struct span expected)
{
	if (!span_equals(actual, expected))
		fail_msg("'%.*s' instead of '%.*s'", (int)actual.len, actual.ptr, (int)expected.len,
			 expected.ptr);
}

static void assert_refused(struct span target, enum method method, enum fault expected)
{
	struct uri uri;
	enum fault fault = given_uri(target, method, &uri, NULL);

	if (fault != expected)
		fail_msg("'%.*s': %s instead of %s", (int)target.len, target.ptr,
			 fault_facts(fault)->word, fault_facts(expected)->word);
}

/* What becomes of a path: with what routes are looked up, and what is sent. */
struct path_case {
	struct span target;
	struct span match;
	struct span sent;
};

static void assert_paths(const struct path_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct uri uri;
		enum fault fault = given_uri(cases[i].target, METHOD_GET, &uri, NULL);

		if (fault != FAULT_NONE)
			fail_msg("'%.*s': %s", (int)cases[i].target.len, cases[i].target.ptr,
				 fault_facts(fault)->word);
		assert_text(uri.match_path, cases[i].match);
		assert_text(uri.sent_path, cases[i].sent);
	}
}

#define ASSERT_PATHS(...)                                               \
	do {                                                            \
		static const struct path_case cases_[] = {__VA_ARGS__}; \
                                                                        \
		(void)state;                                            \
		assert_paths(cases_, COUNT(cases_));                    \
	} while (0)

#define SAME(path)                        \
	{                                 \
		S(path), S(path), S(path) \
	}

/* ---- forms ---- */

static void an_origin_form_is_path_and_query(void **state)
{
	struct uri uri;

	(void)state; /* H21 */
	assert_int_equal(given_uri(S("/a/b?c=d?e/../f"), METHOD_GET, &uri, NULL), FAULT_NONE);
	assert_int_equal(uri.form, URI_ORIGIN);
	assert_text(uri.path, S("/a/b"));
	assert_text(uri.query, S("?c=d?e/../f"));
	assert_text(uri.authority, nothing);
	assert_int_equal(given_uri(S("/"), METHOD_GET, &uri, NULL), FAULT_NONE);
	assert_text(uri.path, S("/"));
	assert_text(uri.query, nothing);
	assert_int_equal(given_uri(S("/a?"), METHOD_GET, &uri, NULL), FAULT_NONE);
	assert_text(uri.query, S("?"));
}

static void an_absolute_form_is_taken_apart(void **state)
{
	static const struct {
		struct span target;
		struct span authority;
		struct span path;
		struct span query;
		bool https;
	} cases[] = {
		/* H22 */
		{S("http://a.test/b?c"), S("a.test"), S("/b"), S("?c"), false},
		{S("HTTP://a.test/b"), S("a.test"), S("/b"), S(""), false},
		{S("https://a.test:443/"), S("a.test:443"), S("/"), S(""), true},
		{S("HtTpS://A.test"), S("A.test"), S("/"), S(""), true},
		{S("http://a.test?q=1"), S("a.test"), S("/"), S("?q=1"), false},
		{S("http://[::1]:80/x"), S("[::1]:80"), S("/x"), S(""), false},
		{S("http://a.test//x"), S("a.test"), S("//x"), S(""), false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct uri uri;

		assert_int_equal(given_uri(cases[i].target, METHOD_GET, &uri, NULL), FAULT_NONE);
		assert_int_equal(uri.form, URI_ABSOLUTE);
		assert_text(uri.authority, cases[i].authority);
		assert_text(uri.path, cases[i].path);
		assert_text(uri.query, cases[i].query);
		assert_int_equal(uri.https, cases[i].https);
	}
}

static void other_absolute_forms_are_refused(void **state)
{
	static const struct span targets[] = {
		/* H24 */
		S("http://u:p@a.test/"), S("http://@a.test/"),   S("http:///b"),    S("http://"),
		S("http://?q"),          S("ftp://a.test/"),     S("http:/a.test"), S("http:a"),
		S("httpx://a.test/"),    S("http://a..test/"),   S("http://:80/"),  S("https://"),
		S("http://a.test:x/"),   S("http://a%41.test/"), S("ws://a.test/"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++)
		assert_refused(targets[i], METHOD_GET, FAULT_BAD_TARGET);
}

static void an_authority_form_is_refused(void **state)
{
	(void)state; /* H25 */
	assert_refused(S("a.test:80"), METHOD_GET, FAULT_BAD_TARGET);
	assert_refused(S("a.test"), METHOD_OTHER, FAULT_BAD_TARGET);
	assert_refused(S("a/b"), METHOD_GET, FAULT_BAD_TARGET);
	assert_refused(S("?q"), METHOD_GET, FAULT_BAD_TARGET);
	assert_refused(S(""), METHOD_GET, FAULT_BAD_TARGET);
}

static void an_asterisk_goes_with_options_alone(void **state)
{
	struct uri uri;

	(void)state; /* H26 */
	assert_int_equal(given_uri(S("*"), METHOD_OPTIONS, &uri, NULL), FAULT_NONE);
	assert_int_equal(uri.form, URI_ASTERISK);
	assert_refused(S("*"), METHOD_GET, FAULT_BAD_TARGET);
	assert_refused(S("*"), METHOD_OTHER, FAULT_BAD_TARGET);
	assert_refused(S("**"), METHOD_OPTIONS, FAULT_BAD_TARGET);
	assert_refused(S("*?q"), METHOD_OPTIONS, FAULT_BAD_TARGET);
}

/* ---- bytes ---- */

static void a_path_holds_what_rfc_3986_and_browsers_put_in_it(void **state)
{
	(void)state; /* H27 to H29 */
	for (unsigned byte = 0; byte < 256; byte++) {
		char text[] = "/aXb";
		bool passes = byte > 0x20 && byte < 0x7f &&
			      strchr("\"#<>\\^`{}%", (int)byte) == NULL;
		struct uri uri;

		text[2] = (char)byte;
		enum fault fault = given_uri(span_make(text, 4), METHOD_GET, &uri, NULL);

		assert_int_equal(fault, passes ? FAULT_NONE : FAULT_BAD_PATH);
	}
}

static void a_query_holds_whatever_is_printable_but_quotes_and_angles(void **state)
{
	(void)state; /* H30 */
	for (unsigned byte = 0; byte < 256; byte++) {
		char text[] = "/?Xb";
		bool passes = byte > 0x20 && byte < 0x7f && strchr("\"#<>", (int)byte) == NULL;
		struct uri uri;

		text[2] = (char)byte;
		enum fault fault = given_uri(span_make(text, 4), METHOD_GET, &uri, NULL);

		assert_int_equal(fault, passes ? FAULT_NONE : FAULT_BAD_TARGET);
		if (passes)
			assert_text(uri.query, span_make(text + 1, 3));
	}
}

static void an_escape_in_a_path_has_two_hex_digits(void **state)
{
	struct uri uri;

	(void)state; /* H31 */
	assert_refused(S("/%"), METHOD_GET, FAULT_BAD_PATH);
	assert_refused(S("/%4"), METHOD_GET, FAULT_BAD_PATH);
	assert_refused(S("/%zz"), METHOD_GET, FAULT_BAD_PATH);
	assert_refused(S("/%4g"), METHOD_GET, FAULT_BAD_PATH);
	assert_refused(S("/%g4"), METHOD_GET, FAULT_BAD_PATH);
	assert_refused(S("/%%41"), METHOD_GET, FAULT_BAD_PATH);
	assert_refused(S("/%4?1"), METHOD_GET, FAULT_BAD_PATH);
	assert_int_equal(given_uri(S("/?%zz%"), METHOD_GET, &uri, NULL), FAULT_NONE);
}

static void an_escape_of_a_control_byte_is_refused_in_a_path(void **state)
{
	(void)state; /* H32 */
	for (unsigned byte = 0; byte < 256; byte++) {
		bool is_control = byte < 0x20 || byte == 0x7f;
		char text[8];
		struct uri uri;

		snprintf(text, sizeof(text), "/%%%02x", byte);
		if (byte == '.')
			continue;
		assert_int_equal(given_uri(span_make(text, 4), METHOD_GET, &uri, NULL),
				 is_control ? FAULT_BAD_PATH : FAULT_NONE);
	}
}

/* ---- normalization ---- */

static void a_path_with_nothing_to_normalize_costs_no_memory(void **state)
{
	static const struct span targets[] = {
		S("/"),          S("/a/b-c_d~e/"), S("/a.b/c..d/e."),
		S("/a;b=c/d;e"), S("/a?//../%2e"), S("/[x]|y"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++) {
		struct arena none;
		struct uri uri;

		arena_init(&none, NULL, 0, 0);
		assert_int_equal(uri_parse(targets[i], METHOD_GET, &none, &uri), FAULT_NONE);
		assert_ptr_equal(uri.sent_path.ptr, targets[i].ptr);
		assert_ptr_equal(uri.match_path.ptr, targets[i].ptr);
		arena_fini(&none);
	}
}

static void a_path_that_needs_memory_is_refused_without(void **state)
{
	static const struct span targets[] = {S("/a//b"), S("/a/../b"), S("/%41"), S("/a//./b")};

	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++) {
		struct arena none;
		struct uri uri;

		arena_init(&none, NULL, 0, 0);
		assert_int_equal(uri_parse(targets[i], METHOD_GET, &none, &uri),
				 FAULT_OUT_OF_MEMORY);
		arena_fini(&none);
	}
}

static void escapes_of_unreserved_characters_match_as_if_decoded(void **state)
{
	ASSERT_PATHS(/* P1: for matching; the sent bytes stay */
		     {S("/%41%7a%30%2D%5f%7E"), S("/Az0-_~"), S("/%41%7a%30%2D%5f%7E")},
		     {S("/%72l-40/%7e"), S("/rl-40/~"), S("/%72l-40/%7e")},
		     {S("/a%2eb"), S("/a.b"), S("/a%2eb")});
}

static void hex_digits_of_other_escapes_become_capitals(void **state)
{
	ASSERT_PATHS({S("/%e2%82%aC"), S("/%E2%82%AC"), S("/%e2%82%aC")},
		     {S("/a%2fb%5cc"), S("/a%2Fb%5Cc"), S("/a%2fb%5cc")},
		     {S("/%20%3f"), S("/%20%3F"), S("/%20%3f")}, SAME("/%E2%82%AC"));
}

static void decoding_happens_once(void **state)
{
	ASSERT_PATHS(/* P6 */
		     SAME("/%252e"), SAME("/%252e%252e/a"),
		     {S("/%2525%41"), S("/%2525A"), S("/%2525%41")});
}

static void dot_segments_are_removed_and_the_result_is_sent(void **state)
{
	ASSERT_PATHS(/* P2; RFC 3986, 5.2.4 and 5.4 */
		     {S("/a/b/c/./../../g"), S("/a/g"), S("/a/g")},
		     {S("/a/../b"), S("/b"), S("/b")}, {S("/a/./b"), S("/a/b"), S("/a/b")},
		     {S("/a/."), S("/a/"), S("/a/")}, {S("/a/.."), S("/"), S("/")},
		     {S("/a/b/.."), S("/a/"), S("/a/")}, {S("/a/b/../"), S("/a/"), S("/a/")},
		     {S("/."), S("/"), S("/")}, {S("/./"), S("/"), S("/")},
		     {S("/./a"), S("/a"), S("/a")}, {S("/a/%2e%2E/b"), S("/b"), S("/b")},
		     {S("/a/%2e/b"), S("/a/b"), S("/a/b")}, {S("/a/.%2e/b"), S("/b"), S("/b")},
		     SAME("/a/..."), SAME("/a/.b/..c/d.."), SAME("/..a/.../b."));
}

static void what_is_sent_in_place_of_dots_is_normalized_otherwise_too(void **state)
{
	ASSERT_PATHS({S("/%41/../%e2%42?x"), S("/%E2B"), S("/%E2B")},
		     {S("/a/./b;c/%2fd"), S("/a/b;c/%2Fd"), S("/a/b;c/%2Fd")});
}

static void a_path_that_climbs_above_the_root_is_refused(void **state)
{
	static const struct span targets[] = {
		S("/.."),
		S("/../a"),
		S("/a/../.."),
		S("/a/../../b"),
		S("/%2e%2e/a"),
		S("/./../a"),
		S("/a/b/../../../c"),
		S("/.%2E"),
		S("http://a.test/../b"),
	};

	(void)state; /* P2 */
	for (size_t i = 0; i < COUNT(targets); i++)
		assert_refused(targets[i], METHOD_GET, FAULT_BAD_PATH);
}

static void segments_that_hide_dots_are_refused(void **state)
{
	static const struct span targets[] = {
		/* P3 */
		S("/..;/b"),      S("/a/..;x=y/b"),   S("/a/.;/b"), S("/a/.;"),     S("/%2e%2e;/b"),
		S("/a%2f..%2fb"), S("/a%5c..%5cb"),   S("/a%2F.."), S("/a/..%2fb"), S("/a/.%5Cb"),
		S("/a%2f..;x/b"), S("/a%2F%2e%2e/b"), S("/..%5c"),  S("/%2f.."),    S("/a%2F./b"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++)
		assert_refused(targets[i], METHOD_GET, FAULT_BAD_PATH);
	ASSERT_PATHS(SAME("/a;../b"), SAME("/a;/b"), SAME("/;/..."), SAME("/a%2F...%2Fb"),
		     SAME("/a%2Fb.."), SAME("/a%2F.b;..;"), {S("/..;/../b"), S("/b"), S("/b")});
}

static void runs_of_slashes_are_merged_for_matching_alone(void **state)
{
	ASSERT_PATHS(/* P4 */
		     {S("//a"), S("/a"), S("//a")}, {S("/a//b///c"), S("/a/b/c"), S("/a//b///c")},
		     {S("/a//"), S("/a/"), S("/a//")}, {S("//"), S("/"), S("//")},
		     {S("/a//%41"), S("/a/A"), S("/a//%41")},
		     {S("/a//b/./c"), S("/a/b/c"), S("/a//b/c")},
		     {S("/a//../b"), S("/a/b"), S("/a/b")}, {S("/a///../b"), S("/a/b"), S("/a//b")},
		     {S("//.."), S("/"), S("/")});
}

static void escaped_separators_do_not_split_a_path(void **state)
{
	ASSERT_PATHS(SAME("/a%2Fb"), SAME("/a%5Cb"), SAME("/a%2F%2Fb"));
}

/* ---- readings ---- */

static void only_paths_that_backends_read_in_several_ways_have_readings(void **state)
{
	static const struct {
		struct span target;
		bool has_readings;
	} cases[] = {
		{S("/a/b"), false},         {S("/a%20b"), false},   {S("/a/../b"), false},
		{S("/a?b//c;d%2f"), false}, {S("/a%2Fb"), true},    {S("/a%2fb"), true},
		{S("/a%5Cb"), true},        {S("/a%5cb"), true},    {S("/a;b"), true},
		{S("/a//b"), true},         {S("/a%252Fb"), false},
	};

	(void)state; /* P5 */
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct uri uri;

		assert_int_equal(given_uri(cases[i].target, METHOD_GET, &uri, NULL), FAULT_NONE);
		assert_int_equal(uri.has_readings, cases[i].has_readings);
	}
}

static void each_reading_is_what_such_a_backend_sees(void **state)
{
	static const struct {
		struct span target;
		struct span readings[URI_READING_COUNT];
	} cases[] = {
		/* slashes decoded; parameters cut; unmerged; decoded and cut; cut and decoded */
		{S("/a%2fb"), {S("/a/b"), S("/a%2Fb"), S("/a%2Fb"), S("/a/b"), S("/a/b")}},
		{S("/a%5cb"), {S("/a/b"), S("/a%5Cb"), S("/a%5Cb"), S("/a/b"), S("/a/b")}},
		{S("/a;x/b"), {S("/a;x/b"), S("/a/b"), S("/a;x/b"), S("/a/b"), S("/a/b")}},
		{S("/a//b"), {S("/a/b"), S("/a/b"), S("/a//b"), S("/a/b"), S("/a/b")}},
		{S("/a%2F%2Fb"), {S("/a/b"), S("/a%2F%2Fb"), S("/a%2F%2Fb"), S("/a/b"), S("/a/b")}},
		{S("/a;x%2Fb"), {S("/a;x/b"), S("/a"), S("/a;x%2Fb"), S("/a/b"), S("/a")}},
		{S("/a/;x/b"), {S("/a/;x/b"), S("/a/b"), S("/a/;x/b"), S("/a/b"), S("/a/b")}},
		{S("/x/../%41%2fb;c//d"),
		 {S("/A/b;c/d"), S("/A%2Fb/d"), S("/A%2Fb;c//d"), S("/A/b/d"), S("/A/b/d")}},
	};

	(void)state; /* P5 */
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *arena;
		struct uri uri;

		assert_int_equal(given_uri(cases[i].target, METHOD_GET, &uri, &arena), FAULT_NONE);
		for (unsigned reading = 0; reading < URI_READING_COUNT; reading++)
			assert_text(uri_read(&uri, (enum uri_reading)reading, arena),
				    cases[i].readings[reading]);
	}
}

static void a_reading_without_memory_is_nothing(void **state)
{
	struct arena none;
	struct uri uri;

	(void)state;
	arena_init(&none, NULL, 0, 0);
	assert_int_equal(uri_parse(S("/a;b"), METHOD_GET, &none, &uri), FAULT_NONE);
	assert_null(uri_read(&uri, URI_READING_NO_PARAMETERS, &none).ptr);
	arena_fini(&none);
}

/* ---- hosts ---- */

struct host_case {
	struct span value;
	struct span name; /* NULL: refused */
	uint16_t port;
};

static void assert_hosts(const struct host_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct host host;
		bool passes = host_parse(page_end_copy(cases[i].value), &host);

		if (passes != (cases[i].name.ptr != NULL))
			fail_msg("'%.*s' passes: %d", (int)cases[i].value.len, cases[i].value.ptr,
				 passes);
		if (!passes)
			continue;
		assert_text(host.name, cases[i].name);
		assert_text(host.value, cases[i].value);
		assert_int_equal(host.port, cases[i].port);
	}
}

#define ASSERT_HOSTS(...)                                               \
	do {                                                            \
		static const struct host_case cases_[] = {__VA_ARGS__}; \
                                                                        \
		(void)state;                                            \
		assert_hosts(cases_, COUNT(cases_));                    \
	} while (0)

static void case_dot_and_port_of_a_host_are_levelled(void **state)
{
	ASSERT_HOSTS(/* H36 */
		     {S("a.test"), S("a.test"), 0}, {S("A.TeSt"), S("a.test"), 0},
		     {S("a.test."), S("a.test"), 0}, {S("A.TEST.:8080"), S("a.test"), 8080},
		     {S("a.test:80"), S("a.test"), 80}, {S("a.test:"), S("a.test"), 0},
		     {S("a.test:65535"), S("a.test"), 65535}, {S("a.test:00080"), S("a.test"), 80},
		     {S("localhost"), S("localhost"), 0}, {S("192.0.2.1:80"), S("192.0.2.1"), 80},
		     {S("a_b.test"), S("a_b.test"), 0},
		     {S("xn--bcher-kva.example"), S("xn--bcher-kva.example"), 0},
		     {S("[::1]"), S("[::1]"), 0}, {S("[::1]:80"), S("[::1]"), 80},
		     {S("[2001:DB8::A]:"), S("[2001:db8::a]"), 0},
		     {S("[::ffff:192.0.2.1]"), S("[::ffff:192.0.2.1]"), 0});
}

static void malformed_hosts_are_refused(void **state)
{
	ASSERT_HOSTS(/* H34, H35 */
		     {.value = S("")}, {.value = S("a b")}, {.value = S("a\tb")},
		     {.value = S(" a")}, {.value = S("u@a.test")}, {.value = S("a.test/x")},
		     {.value = S("a\\b")}, {.value = S("a?b")}, {.value = S("a#b")},
		     {.value = S("a,b")}, {.value = S("a;b")}, {.value = S("%61.test")},
		     {.value = S("a\1b")}, {.value = S("a\0b")}, {.value = S("b\xc3\xbc.test")},
		     {.value = S("a\"b")}, {.value = S("a<b")}, {.value = S("a{b")},
		     {.value = S("a|b")}, {.value = S("a^b")}, {.value = S("a`b")},
		     {.value = S("a.test:8o")}, {.value = S("a.test:65536")},
		     {.value = S("a.test:0")}, {.value = S("a.test:-1")},
		     {.value = S("a.test:+80")}, {.value = S("a.test: 80")},
		     {.value = S("a.test:80:80")}, {.value = S("a.test:000080")},
		     {.value = S(":80")}, {.value = S(":")}, {.value = S(".")},
		     {.value = S("a..b")}, {.value = S(".a")}, {.value = S("a..")},
		     {.value = S("::1")}, {.value = S("[::1")}, {.value = S("::1]")},
		     {.value = S("[::1]x")}, {.value = S("[::1].")}, {.value = S("[::1%25eth0]")},
		     {.value = S("[::1%eth0]")}, {.value = S("[v1.x]")}, {.value = S("[]")},
		     {.value = S("[")}, {.value = S("[192.0.2.1]")}, {.value = S("[::1]]")},
		     {.value = S("[[::1]]")}, {.value = S("a[::1]")}, {.value = S("[:::1]")},
		     {.value = S("[1:2:3:4:5:6:7:8:9]")}, {.value = S("[::1]:x")},
		     {.value = S("[::1]80")});
}

/* "aaa….aaa…" with labels of 63 letters, of that length. */
static struct span long_host(char *memory, size_t length)
{
	for (size_t i = 0; i < length; i++)
		memory[i] = i % 64 == 63 ? '.' : 'A';
	return span_make(memory, length);
}

static void a_host_is_at_most_253_bytes_in_labels_of_63(void **state)
{
	char memory[300];
	struct host host;

	(void)state;
	assert_true(host_parse(long_host(memory, 253), &host));
	assert_int_equal(host.name.len, 253);
	assert_int_equal(host.name.ptr[0], 'a');
	assert_false(host_parse(long_host(memory, 254), &host));
	long_host(memory, 253);
	memory[253] = '.';
	assert_true(host_parse(span_make(memory, 254), &host));
	assert_int_equal(host.name.len, 253);
	memset(memory, 'a', 64);
	assert_true(host_parse(span_make(memory, 63), &host));
	assert_false(host_parse(span_make(memory, 64), &host));
	memcpy(memory + 64, ".b", 2);
	assert_false(host_parse(span_make(memory, 66), &host));
}

static void hosts_are_equal_after_levelling(void **state)
{
	static const struct {
		struct span a, b;
		bool equal;
	} cases[] = {
		{S("a.test"), S("A.TEST."), true}, /* H23 */
		{S("a.test"), S("a.test:80"), true},        {S("a.test:"), S("a.test:80"), true},
		{S("a.test:8080"), S("a.test:8080"), true}, {S("[::1]:80"), S("[::1]"), true},
		{S("a.test"), S("b.test"), false},          {S("a.test"), S("a.test:8080"), false},
		{S("a.test"), S("a.test:443"), false},      {S("a.test"), S("a.tes"), false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct host a, b;

		assert_true(host_parse(cases[i].a, &a));
		assert_true(host_parse(cases[i].b, &b));
		assert_int_equal(host_equals(&a, &b, 80), cases[i].equal);
		assert_int_equal(host_equals(&b, &a, 80), cases[i].equal);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_origin_form_is_path_and_query),
		cmocka_unit_test(an_absolute_form_is_taken_apart),
		cmocka_unit_test(other_absolute_forms_are_refused),
		cmocka_unit_test(an_authority_form_is_refused),
		cmocka_unit_test(an_asterisk_goes_with_options_alone),
		cmocka_unit_test(a_path_holds_what_rfc_3986_and_browsers_put_in_it),
		cmocka_unit_test(a_query_holds_whatever_is_printable_but_quotes_and_angles),
		cmocka_unit_test(an_escape_in_a_path_has_two_hex_digits),
		cmocka_unit_test(an_escape_of_a_control_byte_is_refused_in_a_path),
		cmocka_unit_test(a_path_with_nothing_to_normalize_costs_no_memory),
		cmocka_unit_test(a_path_that_needs_memory_is_refused_without),
		cmocka_unit_test(escapes_of_unreserved_characters_match_as_if_decoded),
		cmocka_unit_test(hex_digits_of_other_escapes_become_capitals),
		cmocka_unit_test(decoding_happens_once),
		cmocka_unit_test(dot_segments_are_removed_and_the_result_is_sent),
		cmocka_unit_test(what_is_sent_in_place_of_dots_is_normalized_otherwise_too),
		cmocka_unit_test(a_path_that_climbs_above_the_root_is_refused),
		cmocka_unit_test(segments_that_hide_dots_are_refused),
		cmocka_unit_test(runs_of_slashes_are_merged_for_matching_alone),
		cmocka_unit_test(escaped_separators_do_not_split_a_path),
		cmocka_unit_test(only_paths_that_backends_read_in_several_ways_have_readings),
		cmocka_unit_test(each_reading_is_what_such_a_backend_sees),
		cmocka_unit_test(a_reading_without_memory_is_nothing),
		cmocka_unit_test(case_dot_and_port_of_a_host_are_levelled),
		cmocka_unit_test(malformed_hosts_are_refused),
		cmocka_unit_test(a_host_is_at_most_253_bytes_in_labels_of_63),
		cmocka_unit_test(hosts_are_equal_after_levelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
